/**
 * The manifest of a folder of results: lines of JSON, one for each source that was dealt with, in files of the folder
 * `cnfzip-manifest` below it. Each shard, and each worker of a queue, has a file of its own, which it only ever adds to: on network file systems
 * two machines that append to one file overwrite each other's lines. Of several lines about one source the newest holds.
 */

import { join } from 'node:path';
import type { CnfzipErrorCode } from '../../codec/error.js';
import { filesBelow, isFolder } from '../io/files/folders.js';
import { LineWriter, readLines } from '../io/files/lines.js';

/** Folder of the manifest, in that of the results. */
export const MANIFEST = 'cnfzip-manifest';

/** What a result is made from and how: as long as that is the same, it need not be made again. */
export interface SourceState {
  /** Path below the folder of sources. */
  readonly source: string;
  /** Bytes, and the time of the last change in nanoseconds since 1970. */
  readonly sourceBytes: number;
  readonly sourceTime: string;
  /** What is done with it: `compress`, `decompress`, and all options that its result depends on. */
  readonly coding: string;
}

/** A source that was dealt with. */
interface Dealt extends SourceState {
  /** When: ISO 8601, in UTC. */
  readonly at: string;
}

/** A source whose result is on the disk and proven. */
export interface Success extends Dealt {
  readonly sourceSha256: string;
  /** Path below the folder of results. */
  readonly target: string;
  readonly targetBytes: number;
  readonly targetSha256: string;
  /** Of the image's samples, eight hexadecimal digits. */
  readonly samplesCrc32: string;
  /** Seconds that it took. */
  readonly seconds: number;
  /** What of the source the result does not hold. */
  readonly warnings?: readonly string[];
}

/** A source that has no result. */
export interface Failure extends Dealt {
  readonly error: { readonly code: CnfzipErrorCode | 'internal'; readonly message: string };
}

export type Entry = Success | Failure;

export function isFailure(entry: Entry): entry is Failure {
  return 'error' in entry;
}

/** Whether an entry is about a source as it is now, and the same work. */
export function isAbout(entry: Entry, { sourceBytes, sourceTime, coding }: SourceState): boolean {
  return entry.sourceBytes === sourceBytes && entry.sourceTime === sourceTime && entry.coding === coding;
}

/**
 * What is known of each source, by its path: of all files' lines the newest.
 *
 * @param folder of the results
 */
export async function readManifest(folder: string): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const entry of readEntries(folder)) {
    const known = entries.get(entry.source);
    if (!(known && known.at > entry.at)) entries.set(entry.source, entry);
  }
  return entries;
}

/** What is known of one source. */
export async function findEntry(folder: string, source: string): Promise<Entry | undefined> {
  let found: Entry | undefined;
  for await (const entry of readEntries(folder)) {
    if (entry.source === source && !(found && found.at > entry.at)) found = entry;
  }
  return found;
}

/** All entries, file by file. A line that a killed process did not end is none. */
async function* readEntries(folder: string): AsyncGenerator<Entry, void, undefined> {
  const manifest = join(folder, MANIFEST);
  if (!(await isFolder(manifest).catch(() => false))) return;
  for (const name of await filesBelow(manifest, ['.jsonl'])) {
    for await (const line of readLines(join(manifest, name))) {
      const entry = parseEntry(line);
      if (entry) yield entry;
    }
  }
}

function parseEntry(line: string): Entry | undefined {
  try {
    const entry = JSON.parse(line) as Entry;
    return typeof entry.source === 'string' && typeof entry.at === 'string' ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** A file of the manifest, open to be added to. */
export class ManifestWriter {
  readonly #lines: LineWriter;

  private constructor(lines: LineWriter) {
    this.#lines = lines;
  }

  /**
   * @param folder of the results
   * @param writer who writes, and nobody else at the same time: `3-of-16`
   * @throws CnfzipError `file`
   */
  static async open(folder: string, writer: string): Promise<ManifestWriter> {
    return new ManifestWriter(await LineWriter.open(join(folder, MANIFEST, `${writer}.jsonl`)));
  }

  /** Adds an entry, which is on the disk when this returns. */
  async add(entry: Entry): Promise<void> {
    await this.#lines.add(JSON.stringify(entry));
  }

  async close(): Promise<void> {
    await this.#lines.close();
  }
}
