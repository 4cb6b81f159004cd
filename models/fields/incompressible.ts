/** Fields without divergence. */

import * as tf from '@tensorflow/tfjs-core';
import { matMul, shift, tanh } from './dual.js';
import type { VectorField } from './field.js';
import type { Weights } from './weights.js';

export interface IncompressibleOptions {
  /** 2 or more. */
  readonly dimension: number;
  /** Waves that the field is a sum of. */
  readonly hidden: number;
  /** Root mean square of the waves w_k: how fine the eddies are; 1 without. */
  readonly frequency?: number;
}

/**
 * f(x) = sum_k v_k tanh(w_k . x + b_k + c_k t) with each v_k orthogonal to its w_k. With skew-symmetric matrices S_k and v_k = S_k w_k
 * this is f_i = sum_j d/dx_j A_ij for the skew-symmetric A = sum_k S_k psi_k, psi_k' = tanh, whose divergence
 * sum_ij d/dx_i d/dx_j A_ij vanishes. In 2-D A has one entry, the stream function psi: f = (d psi / dy, -d psi / dx).
 *
 * @throws {RangeError} if the dimension is less than 2
 */
export function incompressible(
  weights: Weights,
  { dimension, hidden, frequency = 1 }: IncompressibleOptions,
): VectorField {
  if (!(dimension >= 2))
    throw new RangeError(`a field without divergence that moves needs 2 or more dimensions, not ${dimension}`);
  const waves = weights.matrix(dimension, hidden, dimension * frequency ** 2);
  const bias = weights.matrix(1, hidden);
  const timeBias = weights.matrix(1, hidden);
  const skew = dimension === 2 ? planar(weights, hidden) : rankTwo(weights, dimension, hidden);
  return {
    dimension,
    at: (x, t) => matMul(tanh(shift(matMul(x, waves), tf.add(bias, tf.mul(timeBias, t)))), tf.transpose(skew(waves))),
    divergence: ({ shape: [points] }) => tf.zeros([points, 1]),
  };
}

/** The columns S_k w_k of a matrix whose columns are w_k. */
type Skew = (waves: tf.Tensor2D) => tf.Tensor2D;

/** In 2-D every skew-symmetric matrix is a number times a quarter turn. */
function planar(weights: Weights, hidden: number): Skew {
  const strength = weights.matrix(1, hidden, 1 / hidden);
  return (waves) => {
    const [x, y] = tf.split(waves, 2, 0);
    return tf.mul(tf.concat([y, tf.neg(x)], 0), strength);
  };
}

/** S_k = p_k q_k^T - q_k p_k^T. */
function rankTwo(weights: Weights, dimension: number, hidden: number): Skew {
  const p = weights.matrix(dimension, hidden, 1 / Math.sqrt(hidden));
  const q = weights.matrix(dimension, hidden, 1 / Math.sqrt(hidden));
  return (waves) => {
    const along = (direction: tf.Tensor2D) => tf.sum<tf.Tensor2D>(tf.mul(direction, waves), 0, true);
    return tf.sub(tf.mul(p, along(q)), tf.mul(q, along(p)));
  };
}
