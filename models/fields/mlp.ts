/** Multilayer perceptrons, as vector fields and as parts of such. */

import * as tf from '@tensorflow/tfjs-core';
import { type Dual, matMul, scale, shift, tanh } from './dual.js';
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

/**
 * A perceptron with tanh units, on duals. Of a context that has fewer rows than there are points, each row is for every so many-th point: it belongs to the places
 * of a pattern that repeats.
 */
export function perceptron(weights: Weights, options: PerceptronOptions): Perceptron {
  const { inputs, outputs, hidden, time, context = 0, outputGain = 0.1 } = options;
  const sizes = [inputs, ...hidden, outputs];
  const layers = sizes.slice(1).map((size, i) => {
    const gain = i === hidden.length ? outputGain : 1;
    return layer(weights, { inputs: sizes[i], context, outputs: size, time, gain });
  });
  return (x, t, given) => {
    if ((given?.shape[1] ?? 0) !== context) {
      throw new RangeError(`the network was made for a context of ${context} numbers, not ${given?.shape[1] ?? 0}`);
    }
    return layers.reduce((state, apply, i) => apply(i > 0 ? tanh(state) : state, t, given), x);
  };
}

interface LayerOptions {
  readonly inputs: number;
  readonly context: number;
  readonly outputs: number;
  readonly time: TimeDependence;
  /** Variance gain. */
  readonly gain: number;
}

function layer(weights: Weights, { inputs, context, outputs, time, gain }: LayerOptions): Perceptron {
  const weight = weights.matrix(inputs + context, outputs, gain);
  const bias = weights.row(outputs);
  /** The context's part is the same along every direction, and is computed once for all points that it repeats over. */
  const linear = (x: Dual, given?: tf.Tensor2D): Dual => {
    if (!given) return shift(matMul(x, weight), bias);
    const own = matMul(x, tf.slice(weight, [0, 0], [inputs, -1]));
    return shiftInTurn(own, tf.add(tf.matMul(given, tf.slice(weight, [inputs, 0], [-1, -1])), bias));
  };
  if (time === 'shared') return (x, _, given) => linear(x, given);
  const timeBias = weights.row(outputs);
  if (time === 'concatenated') return (x, t, given) => shift(linear(x, given), tf.mul(timeBias, t));
  const gate = weights.row(outputs);
  const gateBias = weights.row(outputs);
  return (x, t, given) => {
    const openness = tf.mul(2, tf.sigmoid(tf.add(tf.mul(gate, t), gateBias)));
    return shift(scale(linear(x, given), openness), tf.mul(timeBias, t));
  };
}

/** Adds rows to points, in turn where there are fewer of them. */
function shiftInTurn(x: Dual, rows: tf.Tensor2D): Dual {
  const [points, size] = x.value.shape;
  if (rows.shape[0] === points) return shift(x, rows);
  const value = tf.add(tf.reshape(x.value, [-1, rows.shape[0], size]), rows);
  return { value: tf.reshape(value, [points, size]), tangents: x.tangents };
}
