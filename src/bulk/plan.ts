/** What of a folder is still to be done. */

import { join } from 'node:path';
import { fileSize, filesBelow } from '../io/files/folders.js';
import { stateOfFile } from '../io/files/state.js';
import { type Coding, describeCoding, extensionsFor } from './coding.js';
import {
  type Failure,
  isAbout,
  isFailure,
  MANIFEST,
  readManifest,
  type SourceState,
  type Success,
} from './manifest.js';
import { isOf, type Shard } from './shard.js';

/** Of the sources, and of the results. */
export interface Folders {
  readonly from: string;
  readonly to: string;
}

/** What is done with all files of a folder. */
export interface BulkWork extends Folders {
  readonly shard: Shard;
  readonly coding: Coding;
}

export interface Plan {
  readonly todo: readonly SourceState[];
  /** Of sources with a result, and of those that failed before and are still the same. */
  readonly done: readonly Success[];
  readonly failed: readonly Failure[];
}

/**
 * @param retry whether what failed before is to be tried again
 * @throws CnfzipError `file`
 */
export async function planWork(work: BulkWork, retry: boolean): Promise<Plan> {
  const known = await readManifest(work.to);
  const coding = describeCoding(work.coding);
  const todo: SourceState[] = [];
  const done: Success[] = [];
  const failed: Failure[] = [];
  for (const source of await filesBelow(work.from, extensionsFor(work.coding))) {
    if (source.split(/[\\/]/).includes(MANIFEST) || !isOf(work.shard, source)) continue;
    const { size, mtimeNs } = await stateOfFile(join(work.from, source));
    const state = { source, sourceBytes: Number(size), sourceTime: String(mtimeNs), coding };
    const entry = known.get(source);
    if (!entry || !isAbout(entry, state) || (retry && isFailure(entry))) todo.push(state);
    else if (isFailure(entry)) failed.push(entry);
    else if (await hasResult(work, entry)) done.push(entry);
    else todo.push(state);
  }
  return { todo, done, failed };
}

/** Whether a result is still there, by its length. */
export async function hasResult({ to }: Folders, { target, targetBytes }: Success): Promise<boolean> {
  return (await fileSize(join(to, target))) === targetBytes;
}
