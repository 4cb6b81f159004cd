/** Fields on images. */

import * as tf from '@tensorflow/tfjs-core';
import { type Dual, linearly, scale, shift, tanh } from './dual.js';
import type { Time, VectorField } from './field.js';
import type { Perceptron, TimeDependence } from './mlp.js';
import type { Weights } from './weights.js';

export interface ConvolutionsOptions {
  readonly height: number;
  readonly width: number;
  /** Channels that go in, and that come out. */
  readonly inputs: number;
  readonly outputs: number;
  /** Channels of each hidden layer. */
  readonly hidden: readonly number[];
  /** How time enters every layer. */
  readonly time: TimeDependence;
  /** Channels of a context: an image of the same size that the first layer also sees; none without. */
  readonly context?: number;
  /** The first layer has biases of its own at every pixel, as images need that are all alike in where things are; one for all without. */
  readonly placed?: boolean;
  /** Variance gain of the last layer; 0.1 without. */
  readonly outputGain?: number;
}

/**
 * 3x3 convolutions, zeros beyond the border, with tanh units between, on duals; a point is an image [height, width, channels] laid out as one row, and so is
 * its context.
 */
export function convolutions(weights: Weights, options: ConvolutionsOptions): Perceptron {
  const { height, width, inputs, outputs, hidden, time, context = 0, placed = false, outputGain = 0.1 } = options;
  const sizes = [inputs, ...hidden, outputs];
  const pixels = height * width;
  const layers = sizes.slice(1).map((size, i) => ({
    weight: weights.matrix(9 * sizes[i], size, i === hidden.length ? outputGain : 1),
    bias: weights.row(size),
    timeBias: time === 'shared' ? undefined : weights.row(size),
    gate: time === 'gated' ? weights.row(size) : undefined,
    inputs: sizes[i],
  }));
  const fromContext = context > 0 ? weights.matrix(9 * context, sizes[1]) : undefined;
  const places = placed ? weights.row(pixels * sizes[1]) : undefined;
  /** Rows [points * pixels, channels] throughout; a time for each point is one for each of its pixels. */
  const spread = (t: Time): Time =>
    typeof t === 'number' ? t : tf.reshape(tf.tile(t, [1, pixels]), [t.shape[0] * pixels, 1]);
  return (x, t, given) => {
    const times = spread(t);
    let state: Dual = linearly(x, (rows) => tf.reshape(rows, [-1, inputs]));
    for (const [i, { weight, bias, timeBias, gate, inputs: channels }] of layers.entries()) {
      if (i > 0) state = tanh(state);
      state = linearly(state, (rows) => tf.matMul(neighbourhoods(rows, height, width, channels), weight));
      state = shift(state, bias);
      if (i === 0 && fromContext) {
        const seen = neighbourhoods(tf.reshape(given!, [-1, context]), height, width, context);
        state = shift(state, tf.matMul(seen, fromContext));
      }
      if (i === 0 && places) {
        const size = sizes[1];
        const everywhere = tf.add(tf.reshape(state.value, [-1, pixels * size]), places);
        state = { ...state, value: tf.reshape(everywhere, [-1, size]) };
      }
      if (gate) state = scale(state, tf.mul(2, tf.sigmoid(tf.mul(gate, times))));
      if (timeBias) state = shift(state, tf.mul(timeBias, times));
    }
    return linearly(state, (rows) => tf.reshape(rows, [-1, pixels * outputs]));
  };
}

export interface ConvolutionalOptions
  extends Pick<ConvolutionsOptions, 'height' | 'width' | 'hidden' | 'context' | 'placed'> {
  readonly channels: number;
  /** `gated` without. */
  readonly time?: TimeDependence;
  readonly outputGain?: number;
}

/**
 * A field on images [height, width, channels], each laid out as one row: 3x3 convolutions with tanh units. Its context, if it has one, is an image of
 * the same size, by which a scale of an image depends on coarser ones.
 */
export function convolutional(weights: Weights, options: ConvolutionalOptions): VectorField {
  const { height, width, channels, context, time = 'gated', ...rest } = options;
  return {
    dimension: height * width * channels,
    context: context && height * width * context,
    at: convolutions(weights, { ...rest, height, width, inputs: channels, outputs: channels, context, time }),
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
