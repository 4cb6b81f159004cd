/** Multilayer perceptrons, as vector fields and as parts of such. */

import * as tf from '@tensorflow/tfjs-core';
import { concat, type Dual, dual, matMul, scale, shift, tanh } from './dual.js';
import type { Time, VectorField } from './field.js';
import type { Weights } from './weights.js';

/** How time enters a perceptron. */
export type TimeDependence = 'shared' | 'concatenated' | 'gated';

export interface PerceptronOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Units of each hidden layer. */
  readonly hidden: readonly number[];
  /**
   * `shared`: t does not enter, one field for all times. `concatenated`: t is one more input of every layer. `gated`: it
   * also scales every layer's outputs (FFJORD's concatsquash).
   */
  readonly time: TimeDependence;
  /** Numbers of a context that every layer also sees; 0 without. */
  readonly context?: number;
  /** Variance gain of the last layer; 0.1 without. */
  readonly outputGain?: number;
}

export interface MlpOptions extends Omit<PerceptronOptions, 'inputs' | 'outputs' | 'time'> {
  /** D. */
  readonly dimension: number;
  /**
   * As for a perceptron, or `untied`: weights of their own for each of `steps` equal pieces of 0 .. 1, as in a residual network. A time on
   * the border of two pieces belongs to the later one, so this is for Euler's method with as many steps, forward in time.
   */
  readonly time: TimeDependence | 'untied';
  /** Pieces of an untied field. */
  readonly steps?: number;
}

export type Perceptron = (x: Dual, t: Time, context?: tf.Tensor2D) => Dual;

/**
 * A multilayer perceptron with tanh units: the free-form field of FFJORD (Grathwohl et al. 2019). A point [D] goes in, its velocity
 * comes out.
 *
 * @throws {RangeError} if `steps` is not what `time` needs
 */
export function mlp(weights: Weights, { dimension, time, steps, ...options }: MlpOptions): VectorField {
  const { context } = options;
  const sizes = { ...options, inputs: dimension, outputs: dimension };
  if (time !== 'untied') {
    if (steps !== undefined) throw new RangeError(`steps are for untied weights, not for time '${time}'`);
    return { dimension, context, at: perceptron(weights, { ...sizes, time }) };
  }
  if (!(Number.isInteger(steps) && steps! > 0))
    throw new RangeError(`untied weights need 1 or more steps, not ${steps}`);
  const pieces = Array.from({ length: steps! }, () => perceptron(weights, { ...sizes, time: 'shared' }));
  const at: Perceptron = (x, t, context) => {
    if (typeof t !== 'number') throw new RangeError('untied weights need one time for all points');
    // Of a time on the border of two pieces, rounded either way, the later one.
    const piece = Math.min(Math.max(Math.floor(t * pieces.length + 1e-6), 0), pieces.length - 1);
    return pieces[piece](x, t, context);
  };
  return { dimension, context, at };
}

/** A perceptron with tanh units, on duals. */
export function perceptron(weights: Weights, options: PerceptronOptions): Perceptron {
  const { inputs, outputs, hidden, time, context = 0, outputGain = 0.1 } = options;
  const sizes = [inputs, ...hidden, outputs];
  const layers = sizes.slice(1).map((size, i) => {
    const gain = i === hidden.length ? outputGain : 1;
    return layer(weights, sizes[i] + context, size, time, gain);
  });
  return (x, t, given) => {
    if ((given?.shape[1] ?? 0) !== context) {
      throw new RangeError(`the network was made for a context of ${context} numbers, not ${given?.shape[1] ?? 0}`);
    }
    const seen = (state: Dual) => (given ? concat([state, dual(given)]) : state);
    return layers.reduce((state, apply, i) => apply(seen(i > 0 ? tanh(state) : state), t), x);
  };
}

function layer(
  weights: Weights,
  inputs: number,
  outputs: number,
  time: TimeDependence,
  gain: number,
): (x: Dual, t: Time) => Dual {
  const weight = weights.matrix(inputs, outputs, gain);
  const bias = weights.row(outputs);
  if (time === 'shared') return (x) => shift(matMul(x, weight), bias);
  const timeBias = weights.row(outputs);
  const timed = (x: Dual, t: Time) => shift(shift(matMul(x, weight), bias), tf.mul(timeBias, t));
  if (time === 'concatenated') return timed;
  const gate = weights.row(outputs);
  const gateBias = weights.row(outputs);
  return (x, t) => {
    const openness = tf.mul(2, tf.sigmoid(tf.add(tf.mul(gate, t), gateBias)));
    const opened = scale(shift(matMul(x, weight), bias), openness);
    return shift(opened, tf.mul(timeBias, t));
  };
}
