/** What of a folder is still to be done. */

import { join } from 'node:path';
import type { CnfzipError } from '../index.js';
import { fileSize, filesBelow } from '../io/files/folders.js';
import { stateOfFile } from '../io/files/state.js';
import { type Coding, describeCoding, extensionsFor, verbOf } from './coding.js';
import {
  type Entry,
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
  readonly leftOut: readonly LeftOut[];
}

/** What cannot be a source: a folder that cannot be read, a name that is not UTF-8. */
export interface LeftOut {
  readonly path: string;
  readonly error: CnfzipError;
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
  const { sources, leftOut } = await listSources(work.from, work.shard, extensionsFor(work.coding.verb));
  for (const source of sources) {
    const { size, mtimeNs } = await stateOfFile(join(work.from, source));
    const state = { source, sourceBytes: Number(size), sourceTime: String(mtimeNs), coding };
    const entry = known.get(source);
    if (!entry || !isAbout(entry, state) || (retry && isFailure(entry))) todo.push(state);
    else if (isFailure(entry)) failed.push(entry);
    else if (await hasResult(work, entry)) done.push(entry);
    else todo.push(state);
  }
  return { todo, done, failed, leftOut };
}

/** Sources of a shard that a manifest knows nothing of, and what cannot be looked at. Of which kind sources are, its entries tell. */
export async function sourcesWithout(
  entries: ReadonlyMap<string, Entry>,
  from: string,
  shard: Shard,
): Promise<{ missing: string[]; leftOut: readonly LeftOut[] }> {
  const verbs = new Set([...entries.values()].map(({ coding }) => verbOf(coding)));
  const { sources, leftOut } = await listSources(from, shard, [...verbs].flatMap(extensionsFor));
  return { missing: sources.filter((source) => !entries.has(source)), leftOut };
}

async function listSources(
  from: string,
  shard: Shard,
  extensions: readonly string[],
): Promise<{ sources: string[]; leftOut: readonly LeftOut[] }> {
  const leftOut: LeftOut[] = [];
  const files = await filesBelow(from, extensions, (path, error) => leftOut.push({ path, error }));
  const isSource = (file: string) => !file.split(/[\\/]/).includes(MANIFEST) && isOf(shard, file);
  return { sources: files.filter(isSource), leftOut };
}

/** Whether a result is still there, by its length. */
export async function hasResult({ to }: Folders, { target, targetBytes }: Success): Promise<boolean> {
  return (await fileSize(join(to, target))) === targetBytes;
}
