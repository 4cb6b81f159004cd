/** PNG's row filters (PNG, third edition, 9): each byte is told by its difference to a prediction from its neighbours. */
import { CnfzipError } from '../error.js';

/** None, Sub, Up, Average, Paeth. */
const FILTERS = 5;

/**
 * Filters rows, each by the filter whose differences are the least in sum, which is PNG's advice (12.7).
 *
 * @param bytes `rows * rowBytes` bytes
 * @param distance bytes from a pixel to the next, at least 1
 * @param above the row before the first, if that is not the image's
 * @returns the rows, each behind the number of its filter: `rows * (1 + rowBytes)` bytes
 */
export function filterRows(
  bytes: Uint8Array,
  rows: number,
  rowBytes: number,
  distance: number,
  above: Uint8Array = new Uint8Array(rowBytes),
): Uint8Array {
  const out = new Uint8Array(rows * (1 + rowBytes));
  const trial = new Uint8Array(rowBytes);
  for (let y = 0; y < rows; y++) {
    const row = bytes.subarray(y * rowBytes, (y + 1) * rowBytes);
    const at = y * (1 + rowBytes);
    let least = Number.POSITIVE_INFINITY;
    for (let filter = 0; filter < FILTERS; filter++) {
      const sum = filterRow(filter, row, above, distance, trial);
      if (sum >= least) continue;
      least = sum;
      out[at] = filter;
      out.set(trial, at + 1);
    }
    above = row;
  }
  return out;
}

/**
 * Undoes `filterRows`, in place.
 *
 * @param filtered at least `rows * (1 + rowBytes)` bytes, which are overwritten
 * @param above as for `filterRows`
 * @returns `rows * rowBytes` bytes: a view of `filtered`
 * @throws {CnfzipError} `bad-input` if a row names a filter that PNG does not have
 */
export function unfilterRows(
  filtered: Uint8Array,
  rows: number,
  rowBytes: number,
  distance: number,
  above: Uint8Array = new Uint8Array(rowBytes),
): Uint8Array {
  for (let y = 0; y < rows; y++) {
    const at = y * (1 + rowBytes);
    const filter = filtered[at];
    const row = filtered.subarray(y * rowBytes, (y + 1) * rowBytes);
    row.set(filtered.subarray(at + 1, at + 1 + rowBytes));
    unfilterRow(filter, row, above, distance);
    above = row;
  }
  return filtered.subarray(0, rows * rowBytes);
}

/** Fills `out` with the row's differences; returns the sum of their magnitudes as signed bytes. */
function filterRow(filter: number, row: Uint8Array, above: Uint8Array, distance: number, out: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    const left = i < distance ? 0 : row[i - distance];
    const corner = i < distance ? 0 : above[i - distance];
    const difference = (row[i] - predict(filter, left, above[i], corner)) & 255;
    out[i] = difference;
    sum += difference < 128 ? difference : 256 - difference;
  }
  return sum;
}

function unfilterRow(filter: number, row: Uint8Array, above: Uint8Array, distance: number): void {
  if (filter === 0) return;
  if (filter >= FILTERS) throw new CnfzipError('bad-input', `there is no row filter ${filter}`);
  const first = Math.min(distance, row.length);
  for (let i = 0; i < first; i++) row[i] += predict(filter, 0, above[i], 0);
  // A loop for each filter: one that asks for it at each byte takes twice as long.
  if (filter === 1) for (let i = first; i < row.length; i++) row[i] += row[i - distance];
  else if (filter === 2) for (let i = first; i < row.length; i++) row[i] += above[i];
  else if (filter === 3) for (let i = first; i < row.length; i++) row[i] += (row[i - distance] + above[i]) >> 1;
  else for (let i = first; i < row.length; i++) row[i] += paeth(row[i - distance], above[i], above[i - distance]);
}

function predict(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4:
      return paeth(left, up, corner);
    default:
      return 0;
  }
}

/** Of left, up and corner the one nearest to left + up - corner; on a tie the first of them in this order. */
function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
