/**
 * The divergence of a vector field from Jacobian-vector products: sum_k w e_k . (df/dx e_k). With the D unit vectors it is
 * exact; with random vectors of mean 0 and covariance 1 it is Hutchinson's unbiased estimate (1990; FFJORD, section 3.1).
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../../models/fields/draws.js';

/** What the Jacobian is multiplied with. */
export interface Probes {
  /** e_k, [K, B, D]; held over a whole path. */
  readonly directions: tf.Tensor3D;
  /** w, of each product. */
  readonly weight: number;
}

/** Draws the probes for a batch [B, D]. */
export type DivergenceEstimator = (points: number, dimension: number) => Probes;

/** Exact: D products of the Jacobian with the unit vectors. */
export const exactDivergence: DivergenceEstimator = (points, dimension) => {
  const units = tf.reshape<tf.Rank.R3>(tf.eye(dimension), [dimension, 1, dimension]);
  return { directions: tf.tile(units, [1, points, 1]), weight: 1 };
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
  const draw = noise === 'gaussian' ? () => draws.normal() : () => (draws.uniform() < 0.5 ? -1 : 1);
  return (points, dimension) => {
    const values = Float32Array.from({ length: probes * points * dimension }, draw);
    return { directions: tf.tensor3d(values, [probes, points, dimension]), weight: 1 / probes };
  };
}

/** The divergence [B, 1] from the products J e_k that a field's value carries. */
export function divergenceOf(products: tf.Tensor3D, { directions, weight }: Probes): tf.Tensor2D {
  return perPoint(tf.mul(products, directions), weight);
}

/** The squared Frobenius norm of the Jacobian [B, 1], as exact as the probes are. */
export function jacobianNorm(products: tf.Tensor3D, { weight }: Probes): tf.Tensor2D {
  return perPoint(tf.mul(products, products), weight);
}

/** Sums of [K, B, D] over directions and coordinates, times the weight. */
function perPoint(values: tf.Tensor3D, weight: number): tf.Tensor2D {
  return tf.mul(tf.reshape<tf.Rank.R2>(tf.sum(values, [0, 2]), [-1, 1]), weight);
}
