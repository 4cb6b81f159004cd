/** Fields whose flow gives a density of the radius only. */

import * as tf from '@tensorflow/tfjs-core';
import { add, type Dual, dual, linearly, log1p, matMul, mul, scale, squaredNorm } from './dual.js';
import type { Time, VectorField } from './field.js';
import { perceptron } from './mlp.js';
import type { Weights } from './weights.js';

export interface RotationInvariantOptions {
  /** D, even: Q turns the coordinates in pairs by a quarter. */
  readonly dimension: number;
  /** Units of each hidden layer of the network of a and b. */
  readonly hidden: readonly number[];
}

/** What the network's input is spread by, so that tanh units at the start tell radii apart. */
const SPREAD = 4;

/**
 * f(x, t) = a(|x|^2, t) x + b(|x|^2, t) Q x with Q orthogonal and skew-symmetric. The first part scales along the radius; the second turns
 * every sphere in itself, without divergence.
 *
 * @throws {RangeError} if the dimension is odd
 */
export function rotationInvariant(weights: Weights, { dimension, hidden }: RotationInvariantOptions): VectorField {
  if (dimension % 2 !== 0) throw new RangeError(`quarter turns of pairs need an even dimension, not ${dimension}`);
  const network = perceptron(weights, { inputs: 1, outputs: 2, hidden, time: 'gated' });
  const turn = quarterTurns(dimension);
  /** a and b at squared radii. */
  const coefficients = (squares: Dual, t: Time) => network(scale(log1p(scale(squares, 1 / dimension)), SPREAD), t);
  return {
    dimension,
    at(x, t) {
      const both = coefficients(squaredNorm(x), t);
      const a = linearly(both, (rows) => tf.slice(rows, [0, 0], [-1, 1]));
      const b = linearly(both, (rows) => tf.slice(rows, [0, 1], [-1, 1]));
      return add(mul(x, a), mul(matMul(x, turn), b));
    },
    /** div (a x) = D a + 2 |x|^2 da / d|x|^2. */
    divergence(x, t) {
      const squares = squaredNorm(dual(x)).value;
      const { value, tangents } = coefficients(dual(squares, tf.ones([1, ...squares.shape])), t);
      const a = tf.slice(value, [0, 0], [-1, 1]);
      const slope = tf.slice(tf.reshape(tangents!, value.shape), [0, 0], [-1, 1]);
      return tf.add(tf.mul(a, dimension), tf.mul(tf.mul(squares, 2), slope));
    },
  };
}

function quarterTurns(dimension: number): tf.Tensor2D {
  const turn = tf.buffer<tf.Rank.R2>([dimension, dimension]);
  for (let i = 0; i < dimension; i += 2) {
    turn.set(1, i, i + 1);
    turn.set(-1, i + 1, i);
  }
  return tf.keep(turn.toTensor());
}
