/** Coupling layers. */

import * as tf from '@tensorflow/tfjs-core';
import { add, type Dual, exp, linearly, mul, scale, tanh } from '../fields/dual.js';
import { perceptron } from '../fields/mlp.js';
import type { Weights } from '../fields/weights.js';
import type { Layer } from './layer.js';

export interface CouplingOptions {
  /** D. */
  readonly dimension: number;
  /** Units of each hidden layer of the network. */
  readonly hidden: readonly number[];
  /** Coordinates k with k mod 2 = parity move; layers of both parities take turns. */
  readonly parity: 0 | 1;
}

/** Bound of the log-scale. */
const LOG_SCALE_BOUND = 2;

/**
 * An affine coupling layer (Dinh et al. 2017, RealNVP): half of the coordinates scale the other half, by exp(+-2) at the most, and
 * shift it.
 */
export function coupling(weights: Weights, { dimension, hidden, parity }: CouplingOptions): Layer {
  const network = perceptron(weights, { inputs: dimension, outputs: 2 * dimension, hidden, time: 'shared' });
  const moves = Array.from({ length: dimension }, (_, k) => (k % 2 === parity ? 1 : 0));
  const moving = tf.keep(tf.tensor2d([moves]));
  const fixed = tf.keep(tf.sub(1, moving));
  /** Log-scale and shift, 0 where a coordinate is fixed; functions of the fixed ones only. */
  const steps = (x: Dual): [Dual, Dual] => {
    const both = network(scale(x, fixed), 0);
    const half = (begin: number) => linearly(both, (rows) => tf.slice(rows, [0, begin], [-1, dimension]));
    const logScale = scale(tanh(scale(half(0), 1 / LOG_SCALE_BOUND)), LOG_SCALE_BOUND);
    return [scale(logScale, moving), scale(half(dimension), moving)];
  };
  const map = (x: Dual) => {
    const [logScale, shift] = steps(x);
    return { y: add(mul(x, exp(logScale)), shift), logScale };
  };
  return {
    forward(x) {
      const { y, logScale } = map({ value: x });
      return { y: y.value, logDet: tf.sum(logScale.value, 1, true) };
    },
    map: (x) => map(x).y,
    inverse(y) {
      // The fixed coordinates are those of x, so the steps are too.
      const [logScale, shift] = steps({ value: y });
      return tf.mul(tf.sub(y, shift.value), tf.exp(tf.neg(logScale.value)));
    },
  };
}
