/**
 * Dequantization: integers become points of R^D by noise u in (0, 1)^D, and a flow's density p(x + u) bounds their probability,
 * log P(x) >= E_q [log p(x + u) - log q(u | x)] (Theis et al. 2016; Ho et al. 2019, Flow++, section 3.1).
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../../models/fields/draws.js';
import { perceptron } from '../../models/fields/mlp.js';
import type { Weights } from '../../models/fields/weights.js';
import type { Layer } from '../../models/layers/layer.js';
import { type Base, logDensity } from './base.js';

/** Noise for integers. */
export interface Dequantized {
  /** In (0, 1), [B, D]. */
  readonly u: tf.Tensor2D;
  /** log q(u | x), [B, 1], in nats. */
  readonly logDensity: tf.Tensor2D;
}

/** Draws noise for integers [B, D], differentiably in its own weights. */
export type Dequantizer = (x: tf.Tensor2D) => Dequantized;

/** u uniform in (0, 1), whatever x is (Theis et al. 2016). */
export function uniformDequantizer(draws: Draws): Dequantizer {
  return ({ shape }) => ({ u: uniforms(shape, draws), logDensity: tf.zeros([shape[0], 1]) });
}

/** What noise that depends on the integers is made by. */
export interface ConditionalOptions {
  /** D. */
  readonly dimension: number;
  /** Units of each hidden layer of the network. */
  readonly hidden: readonly number[];
  /** Integers are handed to the network as (x - centre) / range. */
  readonly centre: number;
  readonly range: number;
}

/** The logistics' location is at most this many scales outside 0 .. 1: farther out nothing of float32 precision would be inside. */
const FARTHEST = 4;
/** Bound of their log-scale. */
const LOG_SCALE_BOUND = 4;

/** Each coordinate's u is logistic, cut off at 0 and 1; location and scale come from a network of x. */
export function truncatedLogisticDequantizer(
  weights: Weights,
  { dimension, hidden, centre, range }: ConditionalOptions,
  draws: Draws,
): Dequantizer {
  const network = perceptron(weights, { inputs: dimension, outputs: 2 * dimension, hidden, time: 'shared' });
  return (x) => {
    const { value } = network({ value: tf.div(tf.sub(x, centre), range) }, 0);
    const bounded = (begin: number, bound: number) => {
      const half = tf.slice(value, [0, begin], [-1, dimension]);
      return tf.mul<tf.Tensor2D>(tf.sub(tf.mul(2, tf.sigmoid(half)), 1), bound);
    };
    const scale = tf.exp(bounded(dimension, LOG_SCALE_BOUND));
    const location = tf.add(tf.mul(bounded(0, 1), tf.add(tf.mul(scale, FARTHEST), 0.5)), 0.5);
    const below = tf.sigmoid(tf.div(tf.neg(location), scale));
    const inside = tf.sub(tf.sigmoid(tf.div(tf.sub(1, location), scale)), below);
    // The inverse distribution function of a uniform number, kept off 0 and 1.
    const share = tf.add(below, tf.mul(inside, uniforms(x.shape, draws)));
    const odds = tf.sub(tf.log(tf.add(share, TINY)), tf.log(tf.sub(1 + TINY, share)));
    const u = tf.clipByValue<tf.Tensor2D>(tf.add(location, tf.mul(scale, odds)), TINY, 1 - TINY);
    const standard = tf.div(tf.sub(u, location), scale);
    const density = tf.neg(tf.add(tf.softplus(standard), tf.softplus(tf.neg(standard))));
    const logs = tf.sub(tf.sub(density, tf.log(scale)), tf.log(tf.add(inside, TINY)));
    return { u, logDensity: tf.sum(logs, 1, true) };
  };
}

const TINY = 1e-6;

/** u = sigmoid(v), where a flow conditional on x maps noise to v (Flow++): with logistic noise and the identity for a flow, u is uniform. */
export function variationalDequantizer(
  layer: Layer,
  base: Base,
  { centre, range }: Pick<ConditionalOptions, 'centre' | 'range'>,
  draws: Draws,
): Dequantizer {
  return (x) => {
    const noise = base.sample(x.shape[0], draws);
    const { y: v, logDet } = layer.forward(noise, tf.div(tf.sub(x, centre), range));
    const slope = tf.neg(tf.add(tf.softplus(v), tf.softplus(tf.neg(v))));
    const spread = tf.add(logDet, tf.sum(slope, 1, true));
    return { u: tf.sigmoid(v), logDensity: tf.sub(base.logDensity(noise), spread) };
  };
}

/**
 * The importance-weighted bound log 1/K sum_k p(x + u_k) / q(u_k | x), [B, 1], in nats (Burda et al. 2016): with K = 1 the evidence
 * lower bound, and never less on average for a larger K.
 *
 * @param scaled takes points in units of the integers to those of the layer; `logUnit` is the log of its volume change
 */
export function importanceWeightedBound(
  layer: Pick<Layer, 'forward'>,
  base: Base,
  dequantizer: Dequantizer,
  x: tf.Tensor2D,
  samples: number,
  { scaled, logUnit }: { scaled: (x: tf.Tensor2D) => tf.Tensor2D; logUnit: number },
): tf.Tensor2D {
  const points = x.shape[0];
  const { u, logDensity: noise } = dequantizer(tf.tile(x, [samples, 1]));
  const dense = logDensity(layer, base, scaled(tf.add(tf.tile(x, [samples, 1]), u)));
  const ratios = tf.reshape<tf.Rank.R2>(tf.add(tf.sub(dense, noise), logUnit), [samples, points]);
  if (samples === 1) return tf.reshape(ratios, [points, 1]);
  return tf.reshape(tf.sub(tf.logSumExp(ratios, 0), Math.log(samples)), [points, 1]);
}

function uniforms(shape: [number, number], draws: Draws): tf.Tensor2D {
  return tf.tensor2d(
    Float32Array.from({ length: shape[0] * shape[1] }, () => draws.uniform()),
    shape,
  );
}
