/** Local Bits-Back coding. */

import * as tf from '@tensorflow/tfjs-core';
import type { Layer } from '../../../models/layers/layer.js';
import { jacobian } from '../flow.js';
import { scoped } from '../scope.js';
import { cellIndex } from './cell.js';
import { popGaussian, pushGaussian } from './gaussian.js';
import type { Coder, Stack } from './stack.js';

export interface LocalBitsBackOptions {
  /** D. */
  readonly dimension: number;
  /** Points that are coded together; the network sees them as one batch. */
  readonly points: number;
  /** Cells of the grid are 2^-gridBits wide; x and z lie at their centres. */
  readonly gridBits: number;
  /** The local noise s is 2^-noiseBits. */
  readonly noiseBits: number;
  /** Of the points [points, C], for a layer with a context; what decodes must have it, too. */
  readonly context?: tf.Tensor2D;
}

/**
 * A coder of `points * D` cell indices under any differentiable bijection f to a standard normal z, by Local Bits-Back (Ho, Lohn, Abbeel
 * 2019, section 3): it pops z from N(f(x), s^2 J J^T), pushes x under N(f^-1(z), s^2 I) and z under N(0, I). The net cost tends to
 * -log2 p(x), and `gridBits` a coordinate, as s does to 0.
 *
 * Both sides evaluate the map on the same numbers with the same code, so they agree bit for bit
 * as long as they run the same build of TensorFlow.js on the same backend; where f^-1 is inexact, bits are lost, not data.
 *
 * @example
 * ```js
 * import { cnf, localBitsBack, mlp, Random, rk4, selectBackend, Stack, Weights } from 'cnfzip/cnf';
 *
 * await selectBackend(console.log);
 * const random = new Random(1);
 * const field = mlp(new Weights(random), { dimension: 3, hidden: [16], time: 'gated' });
 * const flow = cnf(field, { method: { solver: rk4, steps: 12 } });
 * const coder = localBitsBack(flow, { dimension: 3, points: 2, gridBits: 12, noiseBits: 8 });
 * const stack = await Stack.create(1 << 16, 64, () => random.word());
 * const cells = Int32Array.of(0, 4096, -4096, 100, 200, 300); // coordinates 0, 1, -1, 0.024, ...
 * const before = stack.bits;
 * coder.push(stack, cells);
 * console.log(stack.bits - before); // 2 points of 3 coordinates: 72 bits for the grid, and -log2 p
 * console.log(coder.pop(stack).every((cell, i) => cell === cells[i])); // true
 * ```
 */
export function localBitsBack(layer: Layer, options: LocalBitsBackOptions): Coder<Int32Array> {
  const { dimension: d, points, gridBits, noiseBits, context } = options;
  const cell = 2 ** -gridBits;
  const noise = 2 ** (gridBits - noiseBits);
  const tensor = (cells: Int32Array) =>
    tf.tensor2d(
      Float32Array.from(cells, (k) => k * cell),
      [points, d],
    );

  /** f(x) in cells, and the Cholesky factors of s^2 J J^T in cells. */
  const ahead = (x: Int32Array) =>
    scoped(() => {
      const found = jacobian(layer, tensor(x), context);
      const [means, entries] = [found.y.dataSync<'float32'>(), found.jacobian.dataSync<'float32'>()];
      const factors = Array.from({ length: points }, (_, p) =>
        choleskyOfSquare(entries.subarray(p * d * d, (p + 1) * d * d), d, noise),
      );
      return { means: Float64Array.from(means, (v) => v / cell), factors };
    });
  const back = (z: Int32Array) =>
    scoped(() => Float64Array.from(layer.inverse(tensor(z), context).dataSync<'float32'>(), (v) => v / cell));

  return {
    push(stack, x) {
      const { means, factors } = ahead(x);
      const z = new Int32Array(points * d);
      for (let p = points - 1; p >= 0; p--) z.set(popCorrelated(stack, means.subarray(p * d), factors[p], d), p * d);
      const centres = back(z);
      for (let i = points * d - 1; i >= 0; i--) pushGaussian(stack, x[i], centres[i], noise);
      for (let i = points * d - 1; i >= 0; i--) pushGaussian(stack, z[i], 0, 1 / cell);
    },
    pop(stack) {
      const z = new Int32Array(points * d).map(() => popGaussian(stack, 0, 1 / cell));
      const centres = back(z);
      const x = new Int32Array(points * d).map((_, i) => popGaussian(stack, centres[i], noise));
      const { means, factors } = ahead(x);
      for (let p = 0; p < points; p++) {
        pushCorrelated(stack, z.subarray(p * d, (p + 1) * d), means.subarray(p * d), factors[p], d);
      }
      return x;
    },
  };
}

/** The lower triangle L with L L^T = (noise J) (noise J)^T, row by row, in float64. */
function choleskyOfSquare(entries: Float32Array, d: number, noise: number): Float64Array {
  const lower = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += noise * noise * entries[i * d + k] * entries[j * d + k];
      for (let k = 0; k < j; k++) sum -= lower[i * d + k] * lower[j * d + k];
      // A Jacobian that is singular to float32 leaves nothing of the last rows: any small number keeps the code decodable.
      lower[i * d + j] = i === j ? Math.sqrt(Math.max(sum, 1e-6)) : sum / lower[j * d + j];
    }
  }
  return lower;
}

/** Coordinates one after the other, each given those before: mean_i + sum_{j<i} L_ij e_j and deviation L_ii. */
function popCorrelated(stack: Stack, means: Float64Array, lower: Float64Array, d: number): Int32Array {
  const z = new Int32Array(d);
  const whitened = new Float64Array(d);
  for (let i = 0; i < d; i++) {
    const mean = conditionalMean(means, lower, whitened, i, d);
    z[i] = cellIndex(popGaussian(stack, mean, lower[i * d + i]));
    whitened[i] = (z[i] - mean) / lower[i * d + i];
  }
  return z;
}

function pushCorrelated(stack: Stack, z: Int32Array, means: Float64Array, lower: Float64Array, d: number): void {
  const conditional = new Float64Array(d);
  const whitened = new Float64Array(d);
  for (let i = 0; i < d; i++) {
    conditional[i] = conditionalMean(means, lower, whitened, i, d);
    whitened[i] = (z[i] - conditional[i]) / lower[i * d + i];
  }
  for (let i = d - 1; i >= 0; i--) pushGaussian(stack, z[i], conditional[i], lower[i * d + i]);
}

function conditionalMean(
  means: Float64Array,
  lower: Float64Array,
  whitened: Float64Array,
  i: number,
  d: number,
): number {
  let mean = means[i];
  for (let j = 0; j < i; j++) mean += lower[i * d + j] * whitened[j];
  return mean;
}
