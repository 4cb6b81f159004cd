/** Dequantization by bits-back. */

import { cellIndex } from './cell.js';
import type { Coder } from './stack.js';

/**
 * A coder of integers by way of one of cells: their uniform dequantization is popped from the stack, and given back when decoding.
 *
 * @param bits cells of the inner coder to an integer step are 2^bits; -24 to 24, one number for all or one for each coordinate of a point. With less
 *   than 0 so many of an integer's lowest bits are coded plainly, and the cell is what is left
 * @throws {RangeError} (when pushing) if an integer times 2^bits does not fit in 32 bits
 */
export function dequantized(cells: Coder<Int32Array>, bits: number | readonly number[]): Coder<Int32Array> {
  const each = typeof bits === 'number' ? [bits] : bits;
  const sizes = each.map((own) => 2 ** Math.abs(own));
  const divides = each.map((own) => own < 0);
  return {
    push(stack, integers) {
      const inner = integers.slice();
      for (let i = inner.length - 1; i >= 0; i--) {
        const [size, divided] = [sizes[i % sizes.length], divides[i % sizes.length]];
        if (divided) {
          const whole = Math.floor(inner[i] / size);
          stack.run.pushUniform(inner[i] - whole * size, size);
          inner[i] = whole;
        } else {
          inner[i] = cellIndex(inner[i] * size + stack.run.popUniform(size));
        }
      }
      cells.push(stack, inner);
    },
    pop(stack) {
      const inner = cells.pop(stack);
      for (let i = 0; i < inner.length; i++) {
        const [size, divided] = [sizes[i % sizes.length], divides[i % sizes.length]];
        if (divided) {
          inner[i] = cellIndex(inner[i] * size + stack.run.popUniform(size));
        } else {
          const whole = Math.floor(inner[i] / size);
          stack.run.pushUniform(inner[i] - whole * size, size);
          inner[i] = whole;
        }
      }
      return inner;
    },
  };
}
