/** Coders of integers by way of cells that are standard normal each. */

import { lastValue, MARGINAL_BITS, type Marginals } from '../marginals.js';
import type { Coder, Stack } from './stack.js';

/** The standard normal distribution is cut into so many slots, a power of two. */
const SLOT_BITS = 30;
const SLOTS = 2 ** SLOT_BITS;
/** Slots of a unit of the marginals. */
const UNIT_BITS = SLOT_BITS - MARGINAL_BITS;
/** Deviations from 0 to the outermost cells, which have all that is farther out. */
const REACH = 6;

/**
 * A coder of points of integers by way of one of cells (2^-gridBits wide) whose coordinates are each standard normal by itself: an integer's marginal distribution gives
 * it an interval of the normal one, in which a slot is drawn from the stack; the slot's cell goes on, and where in its cell the slot was goes back on the stack.
 * Costs what the inner coder takes above the cells' own normal distribution, and -log2 of the marginal probabilities. This is uniform dequantization behind
 * `gaussianized`, in integers.
 *
 * @param gridBits 6 to 18
 * @throws {RangeError} if they are not
 */
export function marginalCoder(cells: Coder<Int32Array>, marginals: Marginals, gridBits: number): Coder<Int32Array> {
  const { dimension } = marginals;
  if (!(gridBits >= 6 && gridBits <= 18)) throw new RangeError(`cells are 2^-6 to 2^-18 wide, not 2^-${gridBits}`);
  return {
    push(stack, integers) {
      const grid = new Grid(stack, gridBits);
      const inner = new Int32Array(integers.length);
      for (let i = integers.length - 1; i >= 0; i--) {
        const first = marginals.start(i % dimension, integers[i]);
        const width = marginals.start(i % dimension, integers[i] + 1) - first;
        const unit = first + stack.run.popUniform(width);
        const slot = unit * 2 ** UNIT_BITS + stack.run.popUniform(2 ** UNIT_BITS);
        const cell = grid.cellOf(slot);
        const start = grid.start(cell);
        stack.run.pushUniform(slot - start, grid.start(cell + 1) - start);
        inner[i] = cell;
      }
      cells.push(stack, inner);
    },
    pop(stack) {
      const grid = new Grid(stack, gridBits);
      const inner = cells.pop(stack);
      return inner.map((cell, i) => {
        const start = grid.start(cell);
        const slot = start + stack.run.popUniform(grid.start(cell + 1) - start);
        const unit = Math.floor(slot / 2 ** UNIT_BITS);
        stack.run.pushUniform(slot - unit * 2 ** UNIT_BITS, 2 ** UNIT_BITS);
        const value = lastValue(marginals, i % dimension, (begin) => begin <= unit);
        const first = marginals.start(i % dimension, value);
        stack.run.pushUniform(unit - first, marginals.start(i % dimension, value + 1) - first);
        return value;
      });
    },
  };
}

/** The slots of cells under the standard normal distribution, all of which have one at least. */
class Grid {
  readonly #farthest: number;
  readonly #unit: number;

  constructor(
    readonly stack: Stack,
    readonly bits: number,
  ) {
    this.#farthest = REACH * 2 ** bits;
    this.#unit = SLOTS - (2 * this.#farthest + 1);
  }

  /** First slot of a cell; of the cell behind the last one, all slots. */
  start(cell: number): number {
    if (cell <= -this.#farthest) return 0;
    if (cell > this.#farthest) return SLOTS;
    const below = this.stack.run.normalCdf((cell - 0.5) * 2 ** -this.bits);
    return Math.floor(below * this.#unit) + cell + this.#farthest;
  }

  cellOf(slot: number): number {
    let [low, high] = [-this.#farthest, this.#farthest + 1];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.start(middle) <= slot) low = middle;
      else high = middle;
    }
    return low;
  }
}
