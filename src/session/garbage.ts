/** Lets go of memory that nothing uses. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/**
 * Frees what this thread uses no more, where it is much. V8 looks for it by what JavaScript allocates, which is next to nothing beside a
 * band's samples: copies of tiles would stay by the dozen.
 */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    // The flag is of the process: another thread may have taken it back just now. The next time will do.
    collect = runInNewContext('globalThis.gc') as typeof collect;
    setFlagsFromString('--no-expose-gc');
  }
  collect?.();
}

/** Bytes of tiles' samples after which what was made of them is looked for. */
const TIDIED = 4 << 20;

/** Frees what a thread used for tiles, now and then. */
export class Tidying {
  #bytes = 0;

  /** Tells of a tile of so many bytes of samples that is done. */
  done(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < TIDIED) return;
    this.#bytes = 0;
    collectGarbage();
  }
}
