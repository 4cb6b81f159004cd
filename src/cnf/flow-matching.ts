/**
 * Flow matching (Lipman et al. 2023; Liu et al. 2023, rectified flow): regression of the field on the velocities of straight lines
 * from data at t = 0 to noise at t = 1. It needs no solver, and its field gives likelihoods as any other.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../../models/fields/draws.js';
import { dual } from '../../models/fields/dual.js';
import { checkContext, type VectorField } from '../../models/fields/field.js';

/**
 * The mean squared error of the field against z - x at random times.
 *
 * @param z noise [B, D], one for each point of x
 */
export function flowMatchingLoss(
  field: VectorField,
  x: tf.Tensor2D,
  z: tf.Tensor2D,
  draws: Draws,
  context?: tf.Tensor2D,
): tf.Scalar {
  checkContext(field, context);
  const points = x.shape[0];
  const t = tf.tensor2d(
    Float32Array.from({ length: points }, () => draws.uniform()),
    [points, 1],
  );
  const between = tf.add<tf.Tensor2D>(tf.mul(x, tf.sub(1, t)), tf.mul(z, t));
  const error = tf.sub(field.at(dual(between), t, context).value, tf.sub(z, x));
  return tf.div(tf.sum(tf.mul(error, error)), error.size);
}
