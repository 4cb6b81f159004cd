/** Where a command's result goes: a file beside the input, a named file, or standard output. */
import { CnfzipError } from '../../codec/error.js';
import { checkTarget, writeFileAtomic } from '../io/files.js';
import type { OutputOptions } from './options.js';

export interface Target {
  /** For people: a path, or `standard output`. */
  readonly name: string;
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * Finds the target and checks that it can be written, before any work is done.
 *
 * @param path of the result, unless the options say standard output
 */
export async function openTarget(path: string, options: OutputOptions): Promise<Target> {
  const force = options.force ?? false;
  if (options.stdout) {
    if (process.stdout.isTTY && !force) {
      throw new CnfzipError('usage', 'binary data is not written to a terminal (-f does it all the same)');
    }
    return { name: 'standard output', write: writeStdout };
  }
  await checkTarget(path, force);
  return { name: path, write: (bytes) => writeFileAtomic(path, bytes, { force }) };
}

function writeStdout(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // A failure also raises an event, which without a listener would end the process with a stack trace.
    process.stdout.once('error', () => {});
    process.stdout.write(bytes, (error) => {
      if (error) reject(new CnfzipError('file', `cannot write standard output: ${error.message}`, { cause: error }));
      else resolve();
    });
  });
}
