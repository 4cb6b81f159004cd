/** Dequantization by bits-back. */

import { cellIndex } from './cell.js';
import type { Coder } from './stack.js';

/**
 * A coder of integers by way of one of cells: their uniform dequantization is popped from the stack, and given back when decoding.
 *
 * @param bits cells of the inner coder to an integer step are 2^bits; 0 to 24
 * @throws {RangeError} (when pushing) if an integer times 2^bits does not fit in 32 bits
 */
export function dequantized(cells: Coder<Int32Array>, bits: number): Coder<Int32Array> {
  const size = 2 ** bits;
  return {
    push(stack, integers) {
      const inner = integers.slice();
      for (let i = inner.length - 1; i >= 0; i--) {
        inner[i] = cellIndex(inner[i] * size + stack.run.popUniform(size));
      }
      cells.push(stack, inner);
    },
    pop(stack) {
      const inner = cells.pop(stack);
      for (let i = 0; i < inner.length; i++) {
        const whole = Math.floor(inner[i] / size);
        stack.run.pushUniform(inner[i] - whole * size, size);
        inner[i] = whole;
      }
      return inner;
    },
  };
}
