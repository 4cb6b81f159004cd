/** Standard output, of which every byte is accounted for. */
import { fstatSync, fsyncSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import { CnfzipError } from '../../../codec/error.js';
import { reason } from './errors.js';
import { type FileState, sameFile, statesOf } from './state.js';

export function standardOutputState(): FileState {
  return fstatSync(1, { bigint: true });
}

/** Whether a path leads to standard output, as /dev/stdout does. The null device is no such way: nothing meets there. */
export async function isStandardOutput(path: string): Promise<boolean> {
  const output = standardOutputState();
  const [found] = await statesOf([path]);
  const [nothing] = await statesOf([devNull]);
  return found !== undefined && sameFile(found, output) && !(nothing && sameFile(nothing, output));
}

/**
 * Writes all of `bytes`; with `flush`, a file has them on its disk.
 *
 * @throws CnfzipError `file`
 */
export async function writeStandardOutput(bytes: Uint8Array, { flush = false } = {}): Promise<void> {
  try {
    // To a file, Node's stream writes once and does not look at how much: a full disk would go unnoticed.
    if (!fstatSync(1).isFile()) return await writeStream(bytes);
    for (let at = 0; at < bytes.length; ) {
      const written = writeSync(1, bytes, at);
      if (written === 0) throw new Error('it takes no more');
      at += written;
    }
    if (flush) fsyncSync(1);
  } catch (error) {
    throw new CnfzipError('file', `cannot write standard output: ${reason(error)}`, { cause: error });
  }
}

/** To pipes and devices, which may take bytes only later. */
function writeStream(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
