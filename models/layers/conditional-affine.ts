/** A layer that scales and shifts every coordinate as its context says. */

import * as tf from '@tensorflow/tfjs-core';
import { dual, scale, shift } from '../fields/dual.js';
import type { Perceptron } from '../fields/mlp.js';
import type { Layer } from './layer.js';

/** Bound of the log-scale. */
const LOG_SCALE_BOUND = 3;

/**
 * y = x exp(s) + m, where s (within +-3) and m come from a network of the context: what a dequantizer conditional on an image may be made of.
 *
 * @param network takes the context [B, C] to 2 D numbers, every coordinate's s beside its m
 */
export function conditionalAffine(network: Perceptron): Layer {
  const steps = (context: tf.Tensor2D | undefined) => {
    if (!context) throw new TypeError('this layer needs a context');
    const pairs = network(dual(context), 0).value;
    const [points, numbers] = pairs.shape;
    const both = tf.reshape(pairs, [points * (numbers / 2), 2]);
    const column = (at: number) => tf.reshape<tf.Rank.R2>(tf.slice(both, [0, at], [-1, 1]), [points, numbers / 2]);
    const bounded = tf.sub(tf.mul(2, tf.sigmoid(column(0))), 1);
    return { logScale: tf.mul<tf.Tensor2D>(bounded, LOG_SCALE_BOUND), moved: column(1) };
  };
  return {
    forward(x, context) {
      const { logScale, moved } = steps(context);
      return { y: tf.add(tf.mul(x, tf.exp(logScale)), moved), logDet: tf.sum(logScale, 1, true) };
    },
    map(x, context) {
      const { logScale, moved } = steps(context);
      return shift(scale(x, tf.exp(logScale)), moved);
    },
    inverse(y, context) {
      const { logScale, moved } = steps(context);
      return tf.mul(tf.sub(y, moved), tf.exp(tf.neg(logScale)));
    },
  };
}
