/** What of an image is wanted: the pixels of a region whose rows and columns, counted in the whole image, are multiples of 2^level. */

import type { ContentsOf, LayerOf } from './container/contents.js';
import { CnfzipError } from './error.js';
import { sideAt } from './flow/pyramid.js';
import type { Layer } from './layer.js';
import { ALIGNED_LEVELS, type Tile, tileLayout } from './tiles.js';

/** A rectangle of an image, in pixels. */
export type Region = Tile;

export interface View extends Region {
  /** 0 .. 24. */
  readonly level: number;
}

/** Coarsest level: of the longest side that there is only the first row or column is left. */
const MAX_LEVEL = 24;

/** What a caller wants of an image. */
export interface ViewOptions {
  /** 1, 1/2, 1/4 ... to 1/2^24: of the image come the rows and columns 0, 1/scale, 2/scale ... Without it: 1. */
  scale?: number;
  /** Only the pixels of this rectangle, in pixels of the whole image, whatever the scale. Without it: all. */
  region?: Region;
}

type Size = Pick<Region, 'width' | 'height'>;

/** @throws CnfzipError `usage` if there is no such scale or region, or no pixel in it */
export function viewOf(size: Size, { scale = 1, region = { x: 0, y: 0, ...size } }: ViewOptions): View {
  const level = levelOf(scale);
  if (typeof region !== 'object' || region === null) throw new CnfzipError('usage', 'region must be a rectangle');
  const { x, y, width, height } = region;
  const whole = [x, y, width, height].every(Number.isInteger);
  if (!whole || x < 0 || y < 0 || width < 1 || height < 1 || x + width > size.width || y + height > size.height) {
    throw new CnfzipError(
      'usage',
      `region ${width}x${height}+${x}+${y} does not lie in the image of ${size.width} x ${size.height} pixels`,
    );
  }
  const view = { x, y, width, height, level };
  if (hasPixels(view)) return view;
  throw new CnfzipError('usage', `region ${width}x${height}+${x}+${y} has no pixel at scale 1/${1 << level}`);
}

/** Whether a view, or the part of it that lies in a rectangle, shows anything. */
export function hasPixels(view: View, within: Region = view): boolean {
  const { columns, rows } = latticeIn(view, within);
  return columns.end > columns.first && rows.end > rows.first;
}

/** @throws CnfzipError `usage` if there is no such scale */
export function levelOf(scale: number): number {
  for (let level = 0; level <= MAX_LEVEL; level++) if (scale === 1 / (1 << level)) return level;
  throw new CnfzipError('usage', `scale must be 1, 1/2, 1/4 ... or 1/2^${MAX_LEVEL}: ${scale}`);
}

/** All of an image. */
export function wholeView(size: Size): View {
  return viewOf(size, {});
}

export function isWhole({ x, y, width, height, level }: View, size: Size): boolean {
  return level === 0 && x === 0 && y === 0 && width === size.width && height === size.height;
}

/** Size of what a view shows, in pixels. */
export function shownSize(view: View): Size {
  const { columns, rows } = latticeIn(view, view);
  return { width: columns.end - columns.first, height: rows.end - rows.first };
}

/** Columns or rows, counted in steps of 2^level. */
interface Span {
  readonly first: number;
  readonly end: number;
}

/** The part of a view that lies in a rectangle. */
function latticeIn(view: View, { x, y, width, height }: Region): { columns: Span; rows: Span } {
  const span = (from: number, length: number, own: number, ownLength: number): Span => ({
    first: sideAt(Math.max(from, own), view.level),
    end: sideAt(Math.min(from + length, own + ownLength), view.level),
  });
  return { columns: span(view.x, view.width, x, width), rows: span(view.y, view.height, y, height) };
}

/** A tile that a view needs, or the whole of a layer without tiles. */
export interface Wanted extends Tile {
  readonly index: number;
  /** Of its pyramid: what is decoded of it. */
  readonly level: number;
}

/** The tiles of a layer that a view needs. */
export function wantedTiles(
  { method }: Pick<LayerOf<unknown>, 'method'>,
  { width, height }: Size,
  view: View,
): Wanted[] {
  const places = method === 'tiles' ? tileLayout(width, height) : [{ x: 0, y: 0, width, height }];
  const level = places.length > 1 ? Math.min(view.level, ALIGNED_LEVELS) : view.level;
  return places.map((place, index) => ({ ...place, index, level })).filter((place) => hasPixels(view, place));
}

/** Pixels of all tiles that a view needs. */
export function wantedPixels({ width, height, layers }: ContentsOf<unknown>, view: View): number {
  const wanted = layers.flatMap((layer) => wantedTiles(layer, { width, height }, view));
  return wanted.reduce((sum, tile) => sum + tile.width * tile.height, 0);
}

/**
 * Copies what a view shows of a tile into the layer that has all that it shows.
 *
 * @param part the tile's rows and columns 0, 2^level, 2 * 2^level ...
 */
export function insertShown(layer: Layer, view: View, part: Layer, tile: Tile, level: number): void {
  const { channels } = layer;
  const all = latticeIn(view, view);
  const { columns, rows } = latticeIn(view, tile);
  const count = columns.end - columns.first;
  const step = 1 << (view.level - level);
  const left = ((columns.first << view.level) - tile.x) >> level;
  for (let row = rows.first; row < rows.end; row++) {
    const top = ((row << view.level) - tile.y) >> level;
    const from = (top * part.width + left) * channels;
    const to = ((row - all.rows.first) * layer.width + columns.first - all.columns.first) * channels;
    if (step === 1) {
      layer.samples.set(part.samples.subarray(from, from + count * channels), to);
      continue;
    }
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < channels; c++) {
        layer.samples[to + i * channels + c] = part.samples[from + i * step * channels + c];
      }
    }
  }
}
