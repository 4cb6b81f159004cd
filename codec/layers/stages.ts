/**
 * Where the payloads of a flow's tiles are cut, so that a file's first bytes decode to a smaller image. Each cut costs a length and a
 * checksum: too little to be seen in a photograph's file, too much for a small one, which is read at once anyway.
 */

import { MAX_SPLITS, SMALL_BYTES } from '../container/head.js';
import type { EncodedTile } from '../flow/tile-codec.js';

/** Bytes of a tile's coarse levels that are worth a stage of their own: some 7 bytes more. */
const LEAST_STAGE = 4096;

/** @returns each tile's stages, the coarsest first: as many of all */
export function cutStages(tiles: readonly EncodedTile[]): Uint8Array[][] {
  const ends = stageEnds(tiles);
  return tiles.map(({ payload }, t) => ends[t].map((end, i) => payload.subarray(i > 0 ? ends[t][i - 1] : 0, end)));
}

/** Where in each tile's payload its stages end. */
export function stageEnds(tiles: readonly Pick<EncodedTile, 'ends'>[]): number[][] {
  const splits = worthwhileSplits(tiles);
  return tiles.map(({ ends }) => Array.from({ length: splits + 1 }, (_, i) => endAt(ends, splits - i)));
}

function worthwhileSplits(tiles: readonly Pick<EncodedTile, 'ends'>[]): number {
  const bytesAt = (level: number) => tiles.reduce((sum, { ends }) => sum + endAt(ends, level), 0);
  let splits = 0;
  if (bytesAt(0) <= SMALL_BYTES) return splits;
  while (splits < MAX_SPLITS && bytesAt(splits + 1) >= LEAST_STAGE * tiles.length) splits++;
  return splits;
}

/** Bytes for 1/2^level; above a tile's pyramid those of its top. */
function endAt(ends: readonly number[], level: number): number {
  return ends[Math.min(level, ends.length - 1)];
}
