/** Which files a command line names: files, folders, and `-` for standard input. */

import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { CnfzipError } from '../../codec/error.js';
import { fileSize, filesBelow, isFolder } from '../io/files/folders.js';
import { type OpenInput, openInput, openStandardInput } from '../io/files/read.js';

export const STANDARD_STREAM = '-';

export interface Input {
  /** Path, or `-`. */
  readonly path: string;
  /** The path, for people. */
  readonly label: string;
  /** Where it lies below the folder that was named, or its last name: its place below `--output-dir`. */
  readonly name: string;
}

/** An input that cannot be used, told apart from the others, which are. */
export interface Refusal {
  readonly path: string;
  readonly label: string;
  readonly error: unknown;
}

/**
 * The inputs that paths name, in their order; a folder's files in alphabetical order. Without a path it is standard input,
 * unless that is a terminal, where somebody has forgotten to name a file.
 *
 * @param recursive whether a folder stands for the files in it and below that have one of the extensions
 * @param extensions in lower case, with their dots
 */
export async function listInputs(
  command: Command,
  paths: readonly string[],
  recursive: boolean,
  extensions: readonly string[],
): Promise<(Input | Refusal)[]> {
  if (paths.length === 0) {
    if (process.stdin.isTTY) command.error("error: missing required argument 'file'");
    return inputsOf(STANDARD_STREAM, recursive, extensions);
  }
  const all: (Input | Refusal)[] = [];
  for (const path of paths) {
    try {
      all.push(...(await inputsOf(path, recursive, extensions)));
    } catch (error) {
      all.push({ path, label: path, error });
    }
  }
  return all;
}

async function inputsOf(path: string, recursive: boolean, extensions: readonly string[]): Promise<(Input | Refusal)[]> {
  if (path === STANDARD_STREAM) return [{ path, label: 'standard input', name: 'stdin' }];
  if (!(await isFolder(path))) return [{ path, label: path, name: basename(path) }];
  if (!recursive) throw new CnfzipError('usage', 'is a folder (-r takes the files in it)');
  const refusals: Refusal[] = [];
  const names = await filesBelow(path, extensions, (path, error) => refusals.push({ path, label: path, error }));
  if (names.length + refusals.length === 0) throw new CnfzipError('file', `the folder holds no ${wanted(extensions)}`);
  const inputOf = (name: string): Input => ({ path: join(path, name), label: join(path, name), name });
  return [...refusals, ...names.map(inputOf)];
}

/** What files with these extensions are, for people. */
function wanted(extensions: readonly string[]): string {
  const kinds = extensions.map((extension) => (extension === '.cnfz' ? '.cnfz files' : 'images'));
  return [...new Set(kinds)].reverse().join(' and no ');
}

/** @throws CnfzipError `file` */
export async function open({ path }: Input): Promise<OpenInput> {
  return path === STANDARD_STREAM ? openStandardInput() : openInput(path);
}

/**
 * Everything in an input.
 *
 * @throws CnfzipError `file`
 */
export async function read(input: Input): Promise<Uint8Array> {
  return (await open(input)).read();
}

/** Bytes of an input; 0 where that cannot be told. */
export async function sizeOf({ path }: Input | Refusal): Promise<number> {
  return path === STANDARD_STREAM ? 0 : fileSize(path);
}
