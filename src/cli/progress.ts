/** A progress bar on stderr, only where a person can see it. */

import type { CommonOptions } from './options.js';
import { printable } from './printable.js';

const WIDTH = 30;

export class Progress {
  private readonly shown: boolean;
  private readonly label: string;

  constructor(label: string, { quiet, progress }: CommonOptions) {
    this.label = printable(label);
    this.shown = process.stderr.isTTY === true && progress && !quiet;
    this.update(0);
  }

  /** @param fraction of the work that is done, 0 .. 1 */
  readonly update = (fraction: number): void => {
    if (!this.shown) return;
    const filled = Math.round(fraction * WIDTH);
    const percent = Math.round(fraction * 100);
    process.stderr.write(`\r${this.label} [${'='.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${percent} %\x1b[K`);
  };

  /** Removes the bar. */
  clear(): void {
    if (this.shown) process.stderr.write('\r\x1b[K');
  }
}
