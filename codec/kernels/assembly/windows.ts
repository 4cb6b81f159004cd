// What a site's neighbourhood is: windows of the maps of its level, each a rectangle of cells around the site's own.

/** Maps: the samples of the lattices A, D and H, and the errors at the sites of D, H and V. */
export const SAMPLE_MAPS: i32 = 3;
export const MAPS: i32 = 6;

/** Numbers of a window: its map, the row and the column of its first cell from the site's, its rows, its columns. */
const NUMBERS: i32 = 5;

/** Of pass D one, of H two, of V three windows of samples, four columns wide. */
const SAMPLES: StaticArray<i32> = [
  0, -1, -1, 4, 4,
  0, -1, -1, 3, 4,
  1, -2, -1, 4, 4,
  0, 0, -1, 2, 4,
  1, -1, -2, 3, 4,
  2, -1, -2, 4, 4,
];

/** Of pass D two, of H three, of V four windows of errors; of the pass's own only rows that are known before the site's. */
const ERRORS: StaticArray<i32> = [
  3, -2, 0, 1, 1,
  3, -1, -1, 1, 3,
  4, -2, 0, 1, 1,
  4, -1, -1, 1, 3,
  3, -1, -1, 2, 3,
  5, -2, 0, 1, 1,
  5, -1, -1, 1, 3,
  3, -1, -1, 3, 2,
  4, 0, -1, 2, 2,
];

/** Number of a pass's first window of samples; it has pass + 1. */
@inline
export function firstOfSamples(pass: i32): i32 {
  return (pass * (pass + 1)) >> 1;
}

/** Number of a pass's first window of errors; it has pass + 2. */
@inline
export function firstOfErrors(pass: i32): i32 {
  return (pass * (pass + 3)) >> 1;
}

/** A window, by the address of its numbers. */
@unmanaged
export class Window {
  map: i32;
  row: i32;
  column: i32;
  rows: i32;
  columns: i32;
}

@inline
export function samplesWindow(index: i32): Window {
  return changetype<Window>(changetype<usize>(SAMPLES) + (<usize>(index * NUMBERS) << 2));
}

@inline
export function errorsWindow(index: i32): Window {
  return changetype<Window>(changetype<usize>(ERRORS) + (<usize>(index * NUMBERS) << 2));
}
