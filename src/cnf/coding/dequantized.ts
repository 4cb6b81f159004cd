/** Integers by way of a coder of cells: their dequantization is popped from the stack (bits-back), and given back when decoding. */

import type { Coder } from './stack.js';

/** @param bits cells of the inner coder to an integer step are 2^bits */
export function dequantized(cells: Coder<Int32Array>, bits: number): Coder<Int32Array> {
  const size = 2 ** bits;
  return {
    push(stack, integers) {
      const inner = integers.slice();
      for (let i = inner.length - 1; i >= 0; i--) inner[i] = inner[i] * size + stack.run.popUniform(size);
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
