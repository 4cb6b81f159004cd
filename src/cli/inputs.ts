/** Which files a command line names: files, folders with --recursive, and `-` for standard input. */

import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { CnfzipError } from '../../codec/error.js';
import { readInput as readFileInput, reason } from '../io/files.js';

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

async function inputsOf(path: string, recursive: boolean, extensions: readonly string[]): Promise<Input[]> {
  if (path === STANDARD_STREAM) return [{ path, name: 'stdin' }];
  let names: string[];
  try {
    if (!(await stat(path)).isDirectory()) return [{ path, name: basename(path) }];
    if (!recursive) throw new CnfzipError('usage', 'is a folder (-r takes the files in it)');
    names = await readdir(path, { recursive: true });
  } catch (error) {
    if (error instanceof CnfzipError) throw error;
    throw new CnfzipError('file', reason(error), { cause: error });
  }
  const fitting = names.filter((name) => extensions.some((extension) => name.toLowerCase().endsWith(extension)));
  if (fitting.length === 0) throw new CnfzipError('file', `the folder holds no ${extensions.join(' or ')} files`);
  return fitting.sort().map((name) => ({ path: join(path, name), name }));
}

/** A whole file, or all of standard input. */
export async function readInput(path: string): Promise<Uint8Array> {
  return path === STANDARD_STREAM ? buffer(process.stdin) : readFileInput(path);
}
