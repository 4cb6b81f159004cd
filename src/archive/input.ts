/** Files that an archive is made of. */

import { join, sep } from 'node:path';
import { CnfzipError } from '../../codec/error.js';
import { errorAbout } from '../io/files/errors.js';
import { filesBelow, isFolder } from '../io/files/folders.js';
import { readInput, readPieces } from '../io/files/read.js';
import { type FileState, stateOfFile, statesOf } from '../io/files/state.js';
import { INPUT_EXTENSIONS, readImage } from '../io/formats.js';
import { imageToEncode } from '../io/strip.js';
import { isTarName, readTar } from '../io/tar.js';
import type { Limits } from '../session/memory.js';
import type { NamedImage } from './create.js';

export interface ArchiveInput {
  /** What of the work each file is; of a tar file nothing is known before it is read. */
  readonly weights: readonly number[];
  /** Of the files that are read, where there are any. */
  readonly states: readonly FileState[];
  /** Images, by their names, in their order. */
  files(): AsyncIterable<InputFile>;
  /** How many files there were that are none. */
  others(): number;
}

export interface InputFile {
  /** In the archive. */
  readonly name: string;
  /** For people. */
  readonly label: string;
  bytes(): Promise<Uint8Array>;
}

/** An image that is to be in an archive, as its file has it. */
export interface InputImage {
  readonly named: NamedImage;
  /** Of the file. */
  readonly bytes: number;
  /** What of the file the image does not hold. */
  readonly warnings: readonly string[];
}

/**
 * The images of a folder and those below it, or of a tar file.
 *
 * @throws CnfzipError `usage` if it is neither; `file`
 */
export async function filesOf(path: string): Promise<ArchiveInput> {
  if (!isTarName(path)) return filesOfFolder(path);
  return { ...filesOfTar(path, () => readPieces(path)), states: await statesOf([path]) };
}

async function filesOfFolder(folder: string): Promise<ArchiveInput> {
  if (!(await isFolder(folder))) throw new CnfzipError('usage', 'is no folder');
  const all = await filesBelow(folder, ['']);
  const names = all.filter(isImage);
  // Why a file cannot be looked at is told when it is read.
  const found = await Promise.all(names.map((name) => stateOfFile(join(folder, name)).catch(() => undefined)));
  return {
    weights: found.map((state) => Number(state?.size ?? 0)),
    states: found.filter((state) => state !== undefined),
    async *files() {
      for (const name of names) {
        const label = join(folder, name);
        yield { name: name.split(sep).join('/'), label, bytes: () => readInput(label) };
      }
    },
    others: () => all.length - names.length,
  };
}

/**
 * The images of a tar file.
 *
 * @param label its name, for people
 * @param pieces of its bytes, from the first
 */
export function filesOfTar(
  label: string,
  pieces: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): ArchiveInput {
  let others = 0;
  return {
    weights: [1],
    states: [],
    async *files() {
      for await (const { name, bytes } of readTar(pieces())) {
        if (isImage(name)) yield { name, label: `${label}: ${name}`, bytes: async () => bytes };
        else others++;
      }
    },
    others: () => others,
  };
}

function isImage(name: string): boolean {
  return INPUT_EXTENSIONS.some((extension) => name.toLowerCase().endsWith(extension));
}

/**
 * Reads the image of a file.
 *
 * @throws CnfzipError if it is none, or cannot be read; the message names the file
 */
export async function readInputImage(
  { name, label, bytes }: InputFile,
  options: Limits & { readonly strip?: boolean },
): Promise<InputImage> {
  try {
    const file = await bytes();
    const { image, warnings } = await readImage(file, options);
    return { named: { name, image: imageToEncode(image, options) }, bytes: file.length, warnings };
  } catch (error) {
    throw errorAbout(label, error);
  }
}
