/** Files that an archive is made of. */

import { join, sep } from 'node:path';
import { CnfzipError } from '../../codec/error.js';
import { fileSize, filesBelow, isFolder } from '../io/files/folders.js';
import { readInput } from '../io/files/read.js';
import { INPUT_EXTENSIONS } from '../io/formats.js';
import { readTar } from '../io/tar.js';

export interface ArchiveInput {
  /** What of the work each file is; of a tar file nothing is known before it is read. */
  readonly weights: readonly number[];
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

/** @throws CnfzipError `usage` if it is no folder; `file` */
export async function filesOfFolder(folder: string): Promise<ArchiveInput> {
  if (!(await isFolder(folder))) throw new CnfzipError('usage', 'is no folder');
  const all = await filesBelow(folder, ['']);
  const names = all.filter(isImage);
  return {
    weights: await Promise.all(names.map((name) => fileSize(join(folder, name)))),
    async *files() {
      for (const name of names) {
        const label = join(folder, name);
        yield { name: name.split(sep).join('/'), label, bytes: () => readInput(label) };
      }
    },
    others: () => all.length - names.length,
  };
}

export function filesOfTar(path: string): ArchiveInput {
  let others = 0;
  return {
    weights: [1],
    async *files() {
      for await (const { name, bytes } of readTar(path)) {
        if (isImage(name)) yield { name, label: `${path}: ${name}`, bytes: async () => bytes };
        else others++;
      }
    },
    others: () => others,
  };
}

function isImage(name: string): boolean {
  return INPUT_EXTENSIONS.some((extension) => name.toLowerCase().endsWith(extension));
}
