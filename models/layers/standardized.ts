/** A layer that gives every coordinate of points the mean 0 and the deviation 1. */

import * as tf from '@tensorflow/tfjs-core';
import { scale, shift } from '../fields/dual.js';
import type { Layer } from './layer.js';

/** What a coordinate's deviation is at least: one that hardly moves is not blown up without bound. */
const LEAST = 1e-3;

/** y = (x - mean) / deviation, by the moments of points [B, D], whose tensor may be freed afterwards. */
export function standardized(points: tf.Tensor2D): Layer {
  const [mean, deviation] = tf.tidy(() => {
    const centre = tf.mean<tf.Tensor2D>(points, 0, true);
    const squares = tf.mean<tf.Tensor2D>(tf.square(tf.sub(points, centre)), 0, true);
    return [tf.keep(centre), tf.keep(tf.maximum<tf.Tensor2D>(tf.sqrt(squares), LEAST))];
  });
  const logDet = tf.keep(tf.tidy(() => tf.neg(tf.sum<tf.Tensor2D>(tf.log(deviation), 1, true))));
  return {
    forward: (x) => ({ y: tf.div(tf.sub(x, mean), deviation), logDet: tf.tile(logDet, [x.shape[0], 1]) }),
    map: (x) => scale(shift(x, tf.neg(mean)), tf.div(1, deviation)),
    inverse: (y) => tf.add(tf.mul(y, deviation), mean),
  };
}
