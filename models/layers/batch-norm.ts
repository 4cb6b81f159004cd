/** Batch normalization as a layer of a flow. */

import * as tf from '@tensorflow/tfjs-core';
import { type Dual, scale, shift } from '../fields/dual.js';
import type { Weights } from '../fields/weights.js';
import type { Layer } from './layer.js';

export interface BatchNormOptions {
  /** D. */
  readonly dimension: number;
  /** The averages keep this much of themselves at each `observe`; 0.95 without. */
  readonly memory?: number;
}

export interface BatchNorm extends Layer {
  /** The moving averages, [1, D]. */
  readonly mean: tf.Tensor2D;
  /** Likewise, [1, D]. */
  readonly variance: tf.Tensor2D;
  /** Moves the averages towards a batch [B, D] that goes into this layer. */
  observe(x: tf.Tensor2D): void;
}

const EPSILON = 1e-4;

/**
 * Batch normalization with frozen statistics (Ioffe, Szegedy 2015; in flows Dinh et al. 2017): y = (x - m) / s * exp(gain) + bias,
 * where m and s are moving averages over past batches, constants for the map and its log-determinant.
 */
export function batchNorm(weights: Weights, { dimension, memory = 0.95 }: BatchNormOptions): BatchNorm {
  const gain = weights.row(dimension);
  const bias = weights.row(dimension);
  const mean = tf.variable(tf.zeros<tf.Rank.R2>([1, dimension]), false);
  const variance = tf.variable(tf.ones<tf.Rank.R2>([1, dimension]), false);
  let observed = 0;
  const logScale = () => tf.sub<tf.Tensor2D>(gain, tf.mul(0.5, tf.log(tf.add(variance, EPSILON))));
  const map = (x: Dual) => shift(scale(shift(x, tf.neg(mean)), tf.exp(logScale())), bias);
  return {
    mean,
    variance,
    map,
    forward(x) {
      const total = tf.sum(logScale(), 1, true);
      return { y: map({ value: x }).value, logDet: tf.mul(tf.ones([x.shape[0], 1]), total) };
    },
    inverse: (y) => tf.add(tf.mul(tf.sub(y, bias), tf.exp(tf.neg(logScale()))), mean),
    observe(x) {
      tf.tidy(() => {
        // The first batches count alike, so that nothing is left of the start.
        const kept = Math.min(memory, observed / (observed + 1));
        const seen = tf.mean<tf.Tensor2D>(x, 0, true);
        const away = tf.mean<tf.Tensor2D>(tf.square(tf.sub(x, seen)), 0, true);
        mean.assign(tf.add(tf.mul(mean, kept), tf.mul(seen, 1 - kept)));
        variance.assign(tf.add(tf.mul(variance, kept), tf.mul(away, 1 - kept)));
        observed++;
      });
    },
  };
}
