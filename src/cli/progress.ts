/** A progress line on stderr, only where a person can see it. */

import type { CommonOptions } from './options.js';
import { printable } from './printable.js';

const BAR = { most: 30, least: 6 };
const LEAST_LABEL = 12;

/** How far a run over several files is. */
export class Progress {
  private readonly shown: boolean;
  private readonly began = performance.now();
  /** Of all files. */
  private readonly total: number;

  /** @param weights what of the work each file is, its bytes for one, in any unit */
  constructor(
    private readonly weights: readonly number[],
    { quiet, progress }: CommonOptions,
  ) {
    this.shown = process.stderr.isTTY === true && progress && !quiet;
    this.total = weights.reduce((sum, weight) => sum + weight, 0);
  }

  /** Begins with the file that has this place in the list, from 0. */
  file(index: number, label: string): FileProgress {
    const before = this.weights.slice(0, index).reduce((sum, weight) => sum + weight, 0);
    const files = this.weights.length;
    const draw = (fraction: number, speed?: number) => {
      // A file that does not tell its size, standard input for one, is a run of its own.
      const part = this.total > 0 ? (before + fraction * this.weights[index]) / this.total : fraction;
      const left = part > 0 ? ((performance.now() - this.began) / 1000) * (1 / part - 1) : undefined;
      const state = { label: printable(label), fraction, file: index + 1, files, speed, left };
      process.stderr.write(`\r${progressLine(state, process.stderr.columns || 80)}\x1b[K`);
    };
    return new FileProgress(this.shown ? draw : undefined);
  }
}

export class FileProgress {
  private pixels = 0;
  private began = performance.now();

  /** @param draw nothing where nobody looks */
  constructor(private readonly draw: ((fraction: number, speed?: number) => void) | undefined) {}

  /** Its image is known, and work on it begins. */
  start({ width, height }: { width: number; height: number }): void {
    this.pixels = width * height;
    this.began = performance.now();
    this.draw?.(0);
  }

  /** @param fraction of the file's work that is done, 0 .. 1 */
  readonly update = (fraction: number): void => {
    this.draw?.(fraction, (fraction * this.pixels) / 1e3 / (performance.now() - this.began));
  };

  /** Removes the line. */
  clear(): void {
    if (this.draw) process.stderr.write('\r\x1b[K');
  }
}

export interface ProgressState {
  readonly label: string;
  /** Of the file. */
  readonly fraction: number;
  /** Of how many, from 1. */
  readonly file: number;
  readonly files: number;
  /** In megapixels a second, and the seconds that the run still takes; once they are known. */
  readonly speed?: number;
  readonly left?: number;
}

/**
 * A line that fits a terminal: `photo.png [=====     ] 50 %, file 2 of 9, 0.31 MP/s, 1:20 left`. Where there is little room, facts
 * are left out, the bar is shorter, and of the name its end is shown.
 *
 * @param columns of the terminal; the last one stays free, as some begin a new line after it
 */
export function progressLine(state: ProgressState, columns: number): string {
  const { label, fraction, file, files, speed, left } = state;
  const room = columns - 1;
  let facts = ` ${Math.round(100 * fraction)} %`;
  // The most wanted first.
  for (const fact of [
    files > 1 && `file ${file} of ${files}`,
    left !== undefined && `${clock(left)} left`,
    speed !== undefined && `${speed.toPrecision(2)} MP/s`,
  ]) {
    if (fact && facts.length + 2 + fact.length + LEAST_LABEL <= room) facts += `, ${fact}`;
  }
  const name = endOf(
    label,
    Math.max(0, Math.min(widthOf(label), Math.max(room - facts.length - BAR.most - 3, LEAST_LABEL))),
  );
  const bar = Math.min(BAR.most, room - widthOf(name) - facts.length - 3);
  if (bar < BAR.least) return name + facts;
  const filled = Math.round(fraction * bar);
  return `${name} [${'='.repeat(filled)}${' '.repeat(bar - filled)}]${facts}`;
}

/** `59 s`, `1:20 min`, `2:05 h`. */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const [high, low, unit] = whole < 3600 ? [whole / 60, whole % 60, 'min'] : [whole / 3600, (whole / 60) % 60, 'h'];
  return `${Math.floor(Number(high))}:${String(Math.floor(Number(low))).padStart(2, '0')} ${unit}`;
}

/** The end of a text, no wider than so many columns. */
function endOf(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  const characters = [...text];
  while (characters.length > 0 && widthOf(characters.join('')) > columns - 1) characters.shift();
  return `…${characters.join('')}`;
}

/** Columns of a text, by a rule of thumb: East Asian letters and emoji take two. */
function widthOf(text: string): number {
  let columns = 0;
  for (const character of text)
    columns +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u.test(
        character,
      )
        ? 2
        : 1;
  return columns;
}
