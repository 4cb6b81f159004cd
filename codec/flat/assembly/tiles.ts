// How an image is cut into tiles, and what of an image, or of a tile, is shown: pixels of a region whose rows and columns, counted in
// the whole image, are multiples of 2^level.

const MOST_SIDE: u64 = 1024;
/** Tiles begin at multiples of 64. */
const UNIT: u64 = 64;
/** So many levels of a tile's pyramid lie in the lattices of the image. */
export const ALIGNED_LEVELS: i32 = 6;

/** A rectangle, in pixels. */
@unmanaged
export class Place {
  x: u64;
  y: u64;
  width: u64;
  height: u64;
}

/** Tiles in a direction. */
export function tilesAlong(side: u64): u64 {
  return (side + MOST_SIDE - 1) / MOST_SIDE;
}

/** Where tile `index` of a side begins; of the one behind the last, where the side ends. */
function cut(side: u64, index: u64): u64 {
  const count = tilesAlong(side);
  return index == count ? side : ((index * side + count * UNIT - 1) / (count * UNIT)) * UNIT;
}

/** Sets a tile's place in an image; tiles are counted row by row. */
export function placeTile(place: Place, width: u64, height: u64, index: u64): void {
  const columns = tilesAlong(width);
  const column = index % columns;
  const row = index / columns;
  place.x = cut(width, column);
  place.y = cut(height, row);
  place.width = cut(width, column + 1) - place.x;
  place.height = cut(height, row + 1) - place.y;
}

export function setPlace(place: Place, x: u64, y: u64, width: u64, height: u64): void {
  place.x = x;
  place.y = y;
  place.width = width;
  place.height = height;
}

/** How many of the rows or columns of a side are multiples of 2^level. */
@inline
export function sideAt(side: u64, level: i32): u64 {
  return (side + (1 << level) - 1) >> level;
}

/** The columns and rows of the region that lie in a rectangle, counted in steps of 2^level. */
@unmanaged
export class Span {
  firstColumn: u64;
  endColumn: u64;
  firstRow: u64;
  endRow: u64;
}

export function spanOf(span: Span, region: Place, within: Place, level: i32): void {
  span.firstColumn = sideAt(max<u64>(region.x, within.x), level);
  span.endColumn = sideAt(min<u64>(region.x + region.width, within.x + within.width), level);
  span.firstRow = sideAt(max<u64>(region.y, within.y), level);
  span.endRow = sideAt(min<u64>(region.y + region.height, within.y + within.height), level);
}

@inline
export function isEmpty(span: Span): bool {
  return span.endColumn <= span.firstColumn || span.endRow <= span.firstRow;
}
