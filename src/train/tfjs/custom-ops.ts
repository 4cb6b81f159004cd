/** Ops with gradients of their own. */

import type { Tensor } from '@tensorflow/tfjs-core';
import type { TensorFlow } from './tensorflow.js';

type Save = (tensors: Tensor[]) => void;

/** x / (1 + |x| / bound): the identity near 0, within (-bound, bound) everywhere. One op, for one tensor kept, not four. */
export function bounded<T extends Tensor>(tf: TensorFlow, x: T, bound: number): T {
  const op = tf.customGrad((input, save) => {
    const q = tf.add(1, tf.div(tf.abs(input as Tensor), bound));
    (save as Save)([q]);
    const gradFunc = (dy: Tensor, [kept]: Tensor[]) => tf.div(dy, tf.mul(kept, kept));
    return { value: tf.div(input as Tensor, q), gradFunc };
  });
  return op(x) as T;
}

/** `tf.where` without a gradient in the condition, which that would follow into comparisons, and those have none. */
export function piecewise<T extends Tensor>(tf: TensorFlow, condition: Tensor, whereTrue: T, whereFalse: T): T {
  const op = tf.customGrad((a, b, save) => {
    (save as Save)([condition]);
    const gradFunc = (dy: Tensor, [kept]: Tensor[]) => {
      const zeros = tf.zerosLike(dy);
      return [tf.where(kept, dy, zeros), tf.where(kept, zeros, dy)];
    };
    return { value: tf.where(condition, a as Tensor, b as Tensor), gradFunc };
  });
  return op(whereTrue, whereFalse) as T;
}
