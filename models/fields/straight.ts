/** Fields that begin where flow matching between two standard normals ends. */

import * as tf from '@tensorflow/tfjs-core';
import { add, scale } from './dual.js';
import type { VectorField } from './field.js';

/**
 * A field and the velocity that flow matching has between two standard normals paired at random, (2 t - 1) / (t^2 + (1 - t)^2) x: it draws points
 * together until t = 1/2 and lets them apart again, and its own flow from 0 to 1 is the identity. So a field near 0 leaves points of standard coordinates
 * where they are, and learns only what they are beyond that.
 */
export function straight(field: VectorField): VectorField {
  return {
    dimension: field.dimension,
    context: field.context,
    at(x, t, context) {
      const rate =
        typeof t === 'number'
          ? (2 * t - 1) / (t * t + (1 - t) * (1 - t))
          : tf.div(tf.sub(tf.mul(2, t), 1), tf.add(tf.square(t), tf.square(tf.sub(1, t))));
      return add(field.at(x, t, context), scale(x, rate));
    },
  };
}
