/**
 * The divergence of a vector field from Jacobian-vector products: sum_k w e_k . (df/dx e_k). With the D unit vectors it is
 * exact; with random vectors of mean 0 and covariance 1 it is Hutchinson's unbiased estimate (1990; FFJORD, section 3.1).
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../../models/fields/draws.js';
import { scoped } from './scope.js';

/** What the Jacobian is multiplied with. */
export interface Probes {
  /** e_k, [K, B, D]; held over a whole path. */
  readonly directions: tf.Tensor3D;
  /** w, of each product: one number for all, or [K]. */
  readonly weights: number | readonly number[];
}

/** The Jacobian's products [K, B, D] with directions [K, B, D] where the path begins. */
export type JacobianProducts = (directions: tf.Tensor3D) => tf.Tensor3D;

/** Draws the probes for a batch [B, D]; for estimators that look at the Jacobian first, with its products where the path begins. */
export type DivergenceEstimator = (points: number, dimension: number, products?: JacobianProducts) => Probes;

/** Exact: D products of the Jacobian with the unit vectors. */
export const exactDivergence: DivergenceEstimator = (points, dimension) => {
  const units = tf.reshape<tf.Rank.R3>(tf.eye(dimension), [dimension, 1, dimension]);
  return { directions: tf.tile(units, [1, points, 1]), weights: 1 };
};

export interface HutchinsonOptions {
  /** Rademacher (+1 or -1) has the least variance of all; Gaussian is the other common choice. */
  readonly noise: 'rademacher' | 'gaussian';
  /** Products a point; 1 without. */
  readonly probes?: number;
  readonly draws: Draws;
}

/** Hutchinson's unbiased estimate (1990; FFJORD, section 3.1): the mean of e . (J e) over random vectors e of mean 0 and covariance 1. */
export function hutchinson({ noise, probes = 1, draws }: HutchinsonOptions): DivergenceEstimator {
  const draw = noise === 'gaussian' ? () => draws.normal() : () => sign(draws);
  return (points, dimension) => {
    const values = Float32Array.from({ length: probes * points * dimension }, draw);
    return { directions: tf.tensor3d(values, [probes, points, dimension]), weights: 1 / probes };
  };
}

export interface HutchPlusPlusOptions {
  /** Directions of each point in which the trace is exact, 1 to D: those that its Jacobian sends random vectors to. */
  readonly rank: number;
  /** Random vectors for what is left, across those directions: 1 or more. */
  readonly probes: number;
  readonly draws: Draws;
}

/**
 * Hutch++ (Meyer, Musco, Musco, Woodruff 2021): the trace is exact in the directions Q that the Jacobian sends random vectors to where the path begins, and
 * Hutchinson's estimate across them, tr J = tr Q^T J Q + E (P g) . (J P g) with P = I - Q Q^T. Q is held over the path, which leaves the estimate unbiased; its
 * variance is less the more of the Jacobian Q catches. `rank + probes` products an evaluation, and `rank` before the first.
 *
 * @throws {RangeError} (when a path begins) if `rank` is not in 1 .. D or `probes` less than 1
 */
export function hutchPlusPlus({ rank, probes, draws }: HutchPlusPlusOptions): DivergenceEstimator {
  return (points, dimension, products) => {
    if (!products) throw new TypeError('Hutch++ looks at the Jacobian first: it needs its products');
    if (!(rank >= 1 && rank <= dimension && probes >= 1))
      throw new RangeError(
        `Hutch++ in ${dimension} dimensions takes 1 to ${dimension} directions and 1 or more probes`,
      );
    const signs = (count: number) => Float32Array.from({ length: count * points * dimension }, () => sign(draws));
    const sent = scoped(() =>
      products(tf.tensor3d(signs(rank), [rank, points, dimension]))
        .dataSync<'float32'>()
        .slice(),
    );
    const across = signs(probes);
    for (let point = 0; point < points; point++) {
      const vector = (all: Float32Array, k: number) =>
        all.subarray((k * points + point) * dimension, (k * points + point + 1) * dimension);
      const found: Float32Array[] = [];
      for (let k = 0; k < rank; k++) {
        const own = vector(sent, k);
        const before = norm(own);
        // Twice is enough for float32.
        for (let pass = 0; pass < 2; pass++) for (const q of found) subtractAlong(own, q);
        const length = norm(own);
        // What is in the span of those before adds nothing: a direction of length 0 does not count.
        const kept = length > 1e-4 * before ? 1 / length : 0;
        for (let i = 0; i < dimension; i++) own[i] *= kept;
        found.push(own);
      }
      for (let k = 0; k < probes; k++) for (const q of found) subtractAlong(vector(across, k), q);
    }
    return {
      directions: tf.concat([
        tf.tensor3d(sent, [rank, points, dimension]),
        tf.tensor3d(across, [probes, points, dimension]),
      ]) as tf.Tensor3D,
      weights: [...new Array(rank).fill(1), ...new Array(probes).fill(1 / probes)],
    };
  };
}

function sign(draws: Draws): number {
  return draws.uniform() < 0.5 ? -1 : 1;
}

function norm(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}

/** Takes from a vector its part along a unit vector. */
function subtractAlong(vector: Float32Array, unit: Float32Array): void {
  let along = 0;
  for (let i = 0; i < vector.length; i++) along += vector[i] * unit[i];
  for (let i = 0; i < vector.length; i++) vector[i] -= along * unit[i];
}

/** The divergence [B, 1] from the products J e_k that a field's value carries. */
export function divergenceOf(products: tf.Tensor3D, { directions, weights }: Probes): tf.Tensor2D {
  return perPoint(tf.mul(products, directions), weights);
}

/** The squared Frobenius norm of the Jacobian [B, 1], as exact as the probes are. */
export function jacobianNorm(products: tf.Tensor3D, { weights }: Probes): tf.Tensor2D {
  return perPoint(tf.mul(products, products), weights);
}

/** Sums of [K, B, D] over directions, with their weights, and coordinates. */
function perPoint(values: tf.Tensor3D, weights: Probes['weights']): tf.Tensor2D {
  const [factor, weighted] =
    typeof weights === 'number'
      ? [weights, values]
      : [1, tf.mul(values, tf.tensor3d([...weights], [weights.length, 1, 1]))];
  return tf.mul(tf.reshape<tf.Rank.R2>(tf.sum(weighted, [0, 2]), [-1, 1]), factor);
}
