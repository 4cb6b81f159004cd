/** Fields on images. */

import * as tf from '@tensorflow/tfjs-core';
import { type Dual, linearly, scale, shift, tanh } from './dual.js';
import type { Time, VectorField } from './field.js';
import type { TimeDependence } from './mlp.js';
import type { Weights } from './weights.js';

export interface ConvolutionalOptions {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Channels of each hidden layer. */
  readonly hidden: readonly number[];
  /** `gated` without. */
  readonly time?: TimeDependence;
}

/**
 * 3x3 convolutions, zeros beyond the border, with tanh units between; a point of the state is an image [height, width, channels] laid
 * out as one row.
 */
export function convolutional(weights: Weights, options: ConvolutionalOptions): VectorField {
  const { height, width, channels, hidden, time = 'gated' } = options;
  const sizes = [channels, ...hidden, channels];
  const pixels = height * width;
  const layers = sizes.slice(1).map((outputs, i) => ({
    weight: weights.matrix(9 * sizes[i], outputs, i === hidden.length ? 0.1 : 1),
    bias: weights.row(outputs),
    timeBias: time === 'shared' ? undefined : weights.row(outputs),
    gate: time === 'gated' ? weights.row(outputs) : undefined,
    inputs: sizes[i],
  }));
  /** Rows [points * pixels, channels] throughout; a time for each point is one for each of its pixels. */
  const spread = (t: Time): Time =>
    typeof t === 'number' ? t : tf.reshape(tf.tile(t, [1, pixels]), [t.shape[0] * pixels, 1]);
  return {
    dimension: pixels * channels,
    at(x, t) {
      const times = spread(t);
      let state: Dual = linearly(x, (rows) => tf.reshape(rows, [-1, channels]));
      for (const [i, { weight, bias, timeBias, gate, inputs }] of layers.entries()) {
        if (i > 0) state = tanh(state);
        state = linearly(state, (rows) => tf.matMul(neighbourhoods(rows, height, width, inputs), weight));
        state = shift(state, bias);
        if (gate) state = scale(state, tf.mul(2, tf.sigmoid(tf.mul(gate, times))));
        if (timeBias) state = shift(state, tf.mul(timeBias, times));
      }
      return linearly(state, (rows) => tf.reshape(rows, [-1, pixels * channels]));
    },
  };
}

/** [N * pixels, C] to [N * pixels, 9 C]: every pixel's 3x3 neighbourhood, with zeros beyond the border. */
function neighbourhoods(rows: tf.Tensor2D, height: number, width: number, channels: number): tf.Tensor2D {
  const images = tf.reshape(rows, [-1, height, width, channels]);
  const count = images.shape[0];
  const padded = tf.pad(images, [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ]);
  const shifted = Array.from({ length: 9 }, (_, k) =>
    tf.slice(padded, [0, Math.floor(k / 3), k % 3, 0], [count, height, width, channels]),
  );
  return tf.reshape(tf.concat(shifted, 3), [count * height * width, 9 * channels]);
}
