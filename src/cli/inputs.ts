/** Which files a command line names: files, folders with --recursive, and `-` for standard input. */

import { basename, join } from 'node:path';
import { CnfzipError } from '../../codec/error.js';
import { filesBelow, isFolder } from '../io/files/folders.js';

export const STANDARD_STREAM = '-';

export interface Input {
  /** Path, or `-`. */
  readonly path: string;
  /** Where it lies below the folder that was named, or its last name: its place below `--output-dir`. */
  readonly name: string;
}

/** An input that cannot be used, told apart from the others, which are. */
export interface Refusal {
  readonly path: string;
  readonly error: unknown;
}

/**
 * The inputs that paths name, in their order; a folder's files in alphabetical order.
 *
 * @param recursive whether a folder stands for the files in it and below that have one of the extensions
 * @param extensions in lower case, with their dots
 */
export async function listInputs(
  paths: readonly string[],
  recursive: boolean,
  extensions: readonly string[],
): Promise<(Input | Refusal)[]> {
  const all: (Input | Refusal)[] = [];
  for (const path of paths) {
    try {
      all.push(...(await inputsOf(path, recursive, extensions)));
    } catch (error) {
      all.push({ path, error });
    }
  }
  return all;
}

async function inputsOf(path: string, recursive: boolean, extensions: readonly string[]): Promise<(Input | Refusal)[]> {
  if (path === STANDARD_STREAM) return [{ path, name: 'stdin' }];
  if (!(await isFolder(path))) return [{ path, name: basename(path) }];
  if (!recursive) throw new CnfzipError('usage', 'is a folder (-r takes the files in it)');
  const refusals: Refusal[] = [];
  const names = await filesBelow(path, extensions, (path, error) => refusals.push({ path, error }));
  if (names.length + refusals.length === 0) throw new CnfzipError('file', `the folder holds no ${wanted(extensions)}`);
  return [...refusals, ...names.map((name) => ({ path: join(path, name), name }))];
}

/** What files with these extensions are, for people. */
function wanted(extensions: readonly string[]): string {
  const kinds = extensions.map((extension) => (extension === '.cnfz' ? '.cnfz files' : 'images'));
  return [...new Set(kinds)].reverse().join(' and no ');
}
