/**
 * The lattice pyramid of a tile. A level's image splits into four lattices by the parity of row and column: A (even, even),
 * D (odd, odd), H (even, odd), V (odd, even). A is the next coarser level's image, down to a single pixel. Going up, D is
 * coded given A, then H given A and D, then V given all three. A cell is one site of each lattice; where a side is odd,
 * the last row or column of cells lacks some of them.
 */

import type { Pass } from '../../models/definition.js';

export interface Level {
  /** Size of the level's image in pixels. */
  readonly height: number;
  readonly width: number;
  /** Size of its cell grid: half of that, rounded up. */
  readonly rows: number;
  readonly columns: number;
}

/** Row and column parity of each pass's lattice. */
export const OFFSETS: Record<Pass | 'A', readonly [dy: 0 | 1, dx: 0 | 1]> = {
  A: [0, 0],
  D: [1, 1],
  H: [0, 1],
  V: [1, 0],
};

/** Levels of a height x width tile, finest first; none for a single pixel. */
export function pyramid(height: number, width: number): Level[] {
  const levels: Level[] = [];
  while (height > 1 || width > 1) {
    const rows = Math.ceil(height / 2);
    const columns = Math.ceil(width / 2);
    levels.push({ height, width, rows, columns });
    height = rows;
    width = columns;
  }
  return levels;
}

/** Of the rows or columns of a side (at most 2^24), how many are multiples of 2^level, level 0 .. 24. */
export function sideAt(side: number, level: number): number {
  return (side + (1 << level) - 1) >> level;
}

/**
 * A tile's samples at a level of its pyramid.
 *
 * @param samples height * width * channels, channels of a pixel side by side
 */
export function latticeOf(
  samples: Float32Array,
  { width, height }: Pick<Level, 'width' | 'height'>,
  channels: number,
  level: number,
): Float32Array {
  const [rows, columns] = [sideAt(height, level), sideAt(width, level)];
  const out = new Float32Array(rows * columns * channels);
  for (let i = 0, at = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const from = ((i * width + j) << level) * channels;
      for (let c = 0; c < channels; c++) out[at++] = samples[from + c];
    }
  }
  return out;
}

/** Rows and columns of the cell grid at which the level has a site of the pass's lattice. */
export function sites({ height, width }: Level, pass: Pass): { rows: number; columns: number } {
  const [dy, dx] = OFFSETS[pass];
  return { rows: (height - dy + 1) >> 1, columns: (width - dx + 1) >> 1 };
}
