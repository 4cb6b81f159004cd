/** Lets go of memory that nothing uses. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/**
 * Frees what is used no more, where it is much. V8 looks for it by what JavaScript allocates, which is next to nothing beside a band's
 * samples: copies of tiles would stay by the dozen.
 */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
    setFlagsFromString('--no-expose-gc');
  }
  collect();
}
