/**
 * Tiles: rectangles of an image that are coded each on its own, which bounds memory and gives threads something to
 * work on. The layout is part of the format: a function of width and height alone.
 */
import { allocSamples } from './image.js';
import type { Layer } from './layer.js';
import { samplesIn } from './rooms.js';

/** Longest side of a tile, in pixels. */
export const MAX_TILE_SIDE = 1024;

/** Binary logarithm of what every tile's place is a multiple of: so many levels of its pyramid lie in the lattices of the image. */
export const ALIGNED_LEVELS = 6;

/** A tile's place in its image, in pixels. */
export interface Tile {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Number of tiles of a `width` x `height` image. */
export function tileCount(width: number, height: number): number {
  return Math.ceil(width / MAX_TILE_SIDE) * Math.ceil(height / MAX_TILE_SIDE);
}

/** Pixels of the largest tile of a `width` x `height` image. */
export function maxTilePixels(width: number, height: number): number {
  const longest = (side: number) => {
    const ends = cuts(side);
    return Math.max(...ends.slice(1).map((end, i) => end - ends[i]));
  };
  return longest(width) * longest(height);
}

/** All tiles of an image, row by row. Where there are several in a direction each is longer than 448 pixels: none is a thin remainder. */
export function tileLayout(width: number, height: number): Tile[] {
  const columns = cuts(width);
  const rows = cuts(height);
  const tiles: Tile[] = [];
  for (let r = 0; r + 1 < rows.length; r++) {
    for (let c = 0; c + 1 < columns.length; c++) {
      const x = columns[c];
      const y = rows[r];
      tiles.push({ x, y, width: columns[c + 1] - x, height: rows[r + 1] - y });
    }
  }
  return tiles;
}

/**
 * Copies a tile out of a layer.
 *
 * @param room for its samples, in which something may be
 */
export function extractTile({ width, channels, maxval, samples }: Layer, tile: Tile, room?: ArrayBufferLike): Layer {
  const row = tile.width * channels;
  const count = tile.height * row;
  const out = room ? samplesIn(room, count, samples) : allocSamples(count, maxval);
  for (let y = 0; y < tile.height; y++) {
    const from = ((tile.y + y) * width + tile.x) * channels;
    out.set(samples.subarray(from, from + row), y * row);
  }
  return { width: tile.width, height: tile.height, channels, maxval, samples: out };
}

/** Where a side is cut, into parts as equal as multiples of 2^ALIGNED_LEVELS can be: 0, then the end of each tile. */
function cuts(side: number): number[] {
  const count = Math.ceil(side / MAX_TILE_SIDE);
  const unit = 1 << ALIGNED_LEVELS;
  const ends = Array.from({ length: count }, (_, i) => Math.ceil((i * side) / (count * unit)) * unit);
  return [...ends, side];
}
