/** Shards: parts of a folder's files, each the work of one process, on one machine or on many. */

import { createHash } from 'node:crypto';
import { CnfzipError } from '../../codec/error.js';

/** The most shards of one run. */
const MOST = 1_000_000;

/** Part `index`, 1 to `count`, of `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/**
 * Reads `2/8`: the second of eight.
 *
 * @throws CnfzipError `usage`
 */
export function parseShard(text: string): Shard {
  const [, index, count] = (/^(\d{1,7})\/(\d{1,7})$/.exec(text) ?? []).map(Number);
  if (!(index >= 1 && index <= count && count <= MOST)) {
    throw new CnfzipError('usage', `shard ${text}: two integers are needed, as in 2/8, the second of eight`);
  }
  return { index, count };
}

/** Whether a file is a shard's: by its path below the folder alone, so that every process and every run comes to the same. */
export function isOf({ index, count }: Shard, path: string): boolean {
  // One separator, whatever the machine's is. Of names that only differ in a digit a CRC has the same lowest bit.
  const hash = createHash('sha256').update(path.replaceAll('\\', '/')).digest();
  return hash.readUInt32BE(0) % count === index - 1;
}

/** Its name among the writers of the manifest. */
export function nameOf({ index, count }: Shard): string {
  return `${index}-of-${count}`;
}
