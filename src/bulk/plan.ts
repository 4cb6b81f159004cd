/** What of a folder is still to be done. */

import { join } from 'node:path';
import { fileSize, filesBelow } from '../io/files/folders.js';
import { stateOfFile } from '../io/files/state.js';
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

/** What is done with all files of a folder. */
export interface BulkWork {
  /** Folder of the sources, and that of the results. */
  readonly from: string;
  readonly to: string;
  readonly shard: Shard;
  /** As in `SourceState`. */
  readonly coding: string;
  /** Of sources, in lower case with their dots. */
  readonly extensions: readonly string[];
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
  const todo: SourceState[] = [];
  const done: Success[] = [];
  const failed: Failure[] = [];
  for (const source of await filesBelow(work.from, work.extensions)) {
    if (source.split(/[\\/]/).includes(MANIFEST) || !isOf(work.shard, source)) continue;
    const state = await stateOf(work, source);
    const entry = known.get(source);
    if (!entry || !isAbout(entry, state) || (retry && isFailure(entry))) todo.push(state);
    else if (isFailure(entry)) failed.push(entry);
    else if ((await fileSize(join(work.to, entry.target))) === entry.targetBytes) done.push(entry);
    else todo.push(state);
  }
  return { todo, done, failed };
}

async function stateOf({ from, coding }: BulkWork, source: string): Promise<SourceState> {
  const { size, mtimeNs } = await stateOfFile(join(from, source));
  return { source, sourceBytes: Number(size), sourceTime: String(mtimeNs), coding };
}
