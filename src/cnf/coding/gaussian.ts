/** Codes a cell of a grid under a normal distribution: a share of 2^30 slots for each cell, by the kernels' own distribution function. */

import type { Stack } from './stack.js';

const TOTAL_BITS = 30;
const TOTAL = 2 ** TOTAL_BITS;
/** Cells farther than this many standard deviations are coded by an escape: one slot at each end, and the distance. */
const REACH = 7;
const LENGTHS = 32;

/** The cumulative slots of the cells around a mean. */
class Cells {
  readonly lowest: number;
  readonly highest: number;
  readonly #unit: number;

  /** @param mean of the distribution, in cells; cell k is k - 1/2 .. k + 1/2. @param deviation in cells, up to 2^20 */
  constructor(
    readonly run: Stack['run'],
    readonly mean: number,
    readonly deviation: number,
  ) {
    const reach = Math.ceil(REACH * deviation) + 1;
    this.lowest = Math.round(mean) - reach;
    this.highest = Math.round(mean) + reach;
    this.#unit = TOTAL - 2 - (2 * reach + 1);
  }

  /** First slot of a cell of the window; of the cell behind the last one, the slots' end. */
  start(cell: number): number {
    if (cell === this.lowest) return 1;
    if (cell > this.highest) return TOTAL - 1;
    const below = this.run.normalCdf((cell - 0.5 - this.mean) / this.deviation);
    return 1 + Math.floor(below * this.#unit) + (cell - this.lowest);
  }
}

/** @throws {RangeError} if the deviation is not a positive number of at most 2^20, or the cell 2^32 cells out of the distribution */
export function pushGaussian(stack: Stack, cell: number, mean: number, deviation: number): void {
  const cells = windowAt(stack, mean, deviation);
  const { run } = stack;
  const beyond = cell < cells.lowest ? cells.lowest - cell : cell - cells.highest;
  if (beyond > 0) {
    if (beyond >= 2 ** LENGTHS)
      throw new RangeError(`cannot code a cell that is ${beyond} cells out of its distribution`);
    const length = Math.floor(Math.log2(beyond));
    for (let bit = 0; bit < length; bit++) run.pushUniform(Math.floor(beyond / 2 ** bit) % 2, 2);
    run.pushUniform(length, LENGTHS);
    run.push(cell < cells.lowest ? 0 : TOTAL - 1, 1, TOTAL_BITS);
    return;
  }
  const start = cells.start(cell);
  run.push(start, cells.start(cell + 1) - start, TOTAL_BITS);
}

/** The cell that was pushed last, under the same mean and deviation. */
export function popGaussian(stack: Stack, mean: number, deviation: number): number {
  const cells = windowAt(stack, mean, deviation);
  const { run } = stack;
  const slot = run.peek(TOTAL_BITS);
  if (slot === 0 || slot === TOTAL - 1) {
    run.pop(slot, 1, TOTAL_BITS);
    const length = run.popUniform(LENGTHS);
    let beyond = 1;
    for (let bit = 0; bit < length; bit++) beyond = 2 * beyond + run.popUniform(2);
    return slot === 0 ? cells.lowest - beyond : cells.highest + beyond;
  }
  let [low, high] = [cells.lowest, cells.highest + 1];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (cells.start(middle) <= slot) low = middle;
    else high = middle;
  }
  const start = cells.start(low);
  run.pop(start, cells.start(low + 1) - start, TOTAL_BITS);
  return low;
}

function windowAt(stack: Stack, mean: number, deviation: number): Cells {
  if (!(deviation > 0 && deviation <= 2 ** 20 && Number.isFinite(mean))) {
    throw new RangeError(`cannot code a cell with mean ${mean} and deviation ${deviation}`);
  }
  return new Cells(stack.run, mean, deviation);
}
