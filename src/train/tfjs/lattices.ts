/** What the context network sees of a level's lattices: data, through which no gradient flows. */

import { type Level, OFFSETS, sites } from '../../../codec/flow/pyramid.js';
import type { Pass } from '../../../models/definition.js';
import type { Constants } from './batch.js';

type Lattice = Pass | 'A';

/** A level's lattices, each (rows + 4) x (columns + 4) x channels with a ring of two cells around the grid. */
export type LatticeMaps = Record<Lattice, Float32Array>;

const RING = 2;
const WINDOW_COLUMNS = 4;

/** Windows of each pass in the order of its stem's inputs: top left corner relative to the cell, and rows. */
const WINDOWS: Record<Pass, readonly (readonly [lattice: Lattice, top: number, left: number, rows: number])[]> = {
  D: [['A', -1, -1, 4]],
  H: [
    ['A', -1, -1, 3],
    ['D', -2, -1, 4],
  ],
  V: [
    ['A', 0, -1, 2],
    ['D', -1, -2, 3],
    ['H', -1, -2, 4],
  ],
};

/** The four known samples nearest to each pass's sites. */
const NEAREST: Record<Pass, readonly (readonly [lattice: Lattice, row: number, column: number])[]> = {
  D: [
    ['A', 0, 0],
    ['A', 0, 1],
    ['A', 1, 0],
    ['A', 1, 1],
  ],
  H: [
    ['A', 0, 0],
    ['A', 0, 1],
    ['D', -1, 0],
    ['D', 0, 0],
  ],
  V: [
    ['A', 0, 0],
    ['A', 1, 0],
    ['D', 0, -1],
    ['D', 0, 0],
  ],
};

/**
 * Splits a level's image, every 2^index-th pixel of a tile, into its lattices. Cells that the image lacks, and the ring,
 * repeat the nearest cell of their lattice; a lattice without any cell takes those of A.
 */
export function latticeMaps(
  samples: Int32Array,
  tileWidth: number,
  level: Level,
  index: number,
  channels: number,
): LatticeMaps {
  const { rows, columns } = level;
  const map = (lattice: Lattice): Float32Array | undefined => {
    const known = lattice === 'A' ? level : sites(level, lattice);
    if (known.rows === 0 || known.columns === 0) return undefined;
    const [dy, dx] = OFFSETS[lattice];
    const values = new Float32Array((rows + 2 * RING) * (columns + 2 * RING) * channels);
    let to = 0;
    for (let i = -RING; i < rows + RING; i++) {
      const line = ((2 * clamp(i, known.rows) + dy) << index) * tileWidth;
      for (let j = -RING; j < columns + RING; j++) {
        const from = (line + ((2 * clamp(j, known.columns) + dx) << index)) * channels;
        for (let c = 0; c < channels; c++) values[to++] = samples[from + c];
      }
    }
    return values;
  };
  const A = map('A')!;
  return { A, D: map('D') ?? A, H: map('H') ?? A, V: map('V') ?? A };
}

function clamp(index: number, count: number): number {
  return Math.max(0, Math.min(count - 1, index));
}

/** Offset of cell (i, j) in a lattice's map. */
export function cell({ columns }: Level, channels: number, i: number, j: number): number {
  return ((i + RING) * (columns + 2 * RING) + j + RING) * channels;
}

/** Of each coordinate, what is known of a site's neighbours. */
export interface LocalStatistics {
  readonly mean: Float32Array;
  /** Mean distance of the samples in the windows from the mean. */
  readonly spread: Float32Array;
}

/**
 * Writes a cell's stem inputs, without carried features, to `inputs` from `at` on: the windows' differences to the local
 * mean in units of the spread, the mean, and the spread's logarithm; the statistics also go to `local`.
 */
export function cellInputs(
  maps: LatticeMaps,
  pass: Pass,
  level: Level,
  i: number,
  j: number,
  inputs: Float32Array,
  at: number,
  { mean, spread }: LocalStatistics,
  constant: Constants,
): void {
  const channels = mean.length;
  mean.fill(0);
  spread.fill(0);
  for (const [lattice, row, column] of NEAREST[pass]) {
    const from = cell(level, channels, i + row, j + column);
    for (let c = 0; c < channels; c++) mean[c] += maps[lattice][from + c] / 4;
  }
  let to = at;
  for (const [lattice, top, left, rows] of WINDOWS[pass]) {
    for (let r = 0; r < rows; r++) {
      const from = cell(level, channels, i + top + r, j + left);
      for (let n = 0; n < WINDOW_COLUMNS * channels; n++) {
        const difference = maps[lattice][from + n] - mean[n % channels];
        inputs[to++] = difference;
        spread[n % channels] += Math.abs(difference);
      }
    }
  }
  const samples = (to - at) / channels;
  for (let c = 0; c < channels; c++) spread[c] = constant('LEAST_SPREAD') + spread[c] / samples;
  for (let n = at; n < to; n++) inputs[n] /= spread[(n - at) % channels];
  for (let c = 0; c < channels; c++) inputs[to++] = mean[c] * constant('meanGain');
  for (let c = 0; c < channels; c++) inputs[to++] = Math.log(spread[c]);
}
