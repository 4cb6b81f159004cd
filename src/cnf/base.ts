/** Base distributions, and the log-density of a flow over one. */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../../models/fields/draws.js';
import type { Layer } from '../../models/layers/layer.js';
import { scoped } from './scope.js';

/** The distribution that a flow maps data on. */
export interface Base {
  /** log p(z) [B, 1] of points z [B, D], in nats. */
  logDensity(z: tf.Tensor2D): tf.Tensor2D;
  /** Points drawn from it, [points, D]. */
  sample(points: number, draws: Draws): tf.Tensor2D;
}

/** The standard normal distribution on R^D, or on the D-dimensional subspace that `project` maps R^E on. */
export function standardNormal(dimension: number, project?: tf.Tensor2D): Base {
  const coordinates = project?.shape[0] ?? dimension;
  return {
    logDensity(z) {
      const squares = tf.sum<tf.Tensor2D>(tf.mul(z, z), 1, true);
      return tf.sub(tf.mul(squares, -0.5), (dimension / 2) * Math.log(2 * Math.PI));
    },
    sample(points, draws) {
      const numbers = Float32Array.from({ length: points * coordinates }, () => draws.normal());
      const values = tf.tensor2d(numbers, [points, coordinates]);
      return project ? tf.matMul(values, project) : values;
    },
  };
}

/** Independent standard logistic coordinates: those whose logistic function is uniform. */
export function standardLogistic(dimension: number): Base {
  return {
    logDensity: (z) => tf.neg(tf.sum<tf.Tensor2D>(tf.add(tf.softplus(z), tf.softplus(tf.neg(z))), 1, true)),
    sample(points, draws) {
      const logistic = () => {
        const u = draws.uniform();
        return Math.log(u / (1 - u));
      };
      const values = Float32Array.from({ length: points * dimension }, logistic);
      return tf.tensor2d(values, [points, dimension]);
    },
  };
}

/**
 * Independent Student t coordinates: heavy tails, which no flow of a Lipschitz field draws over a normal base (Jaini et al. 2020).
 *
 * @param freedom degrees of freedom, an integer from 1 on
 * @throws {RangeError} if it is not
 */
export function studentT(dimension: number, freedom: number): Base {
  if (!(Number.isInteger(freedom) && freedom > 0))
    throw new RangeError(`degrees of freedom are an integer from 1 on, not ${freedom}`);
  const constant = logGammaHalf(freedom + 1) - logGammaHalf(freedom) - 0.5 * Math.log(freedom * Math.PI);
  return {
    logDensity(z) {
      const logs = tf.log(tf.add(1, tf.div(tf.mul(z, z), freedom)));
      return tf.add(tf.mul(tf.sum<tf.Tensor2D>(logs, 1, true), -(freedom + 1) / 2), dimension * constant);
    },
    sample(points, draws) {
      const coordinate = () => {
        let chi = 0;
        for (let i = 0; i < freedom; i++) chi += draws.normal() ** 2;
        return draws.normal() / Math.sqrt(chi / freedom);
      };
      return tf.tensor2d(Float32Array.from({ length: points * dimension }, coordinate), [points, dimension]);
    },
  };
}

/** log Gamma(n / 2) of a positive integer n. */
function logGammaHalf(n: number): number {
  let log = n % 2 === 0 ? 0 : 0.5 * Math.log(Math.PI);
  for (let at = n % 2 === 0 ? 1 : 0.5; at < n / 2; at++) log += Math.log(at);
  return log;
}

/** log p(x) [B, 1] by the change of variables, in nats. */
export function logDensity(layer: Layer, base: Base, x: tf.Tensor2D, context?: tf.Tensor2D): tf.Tensor2D {
  const { y, logDet } = layer.forward(x, context);
  return tf.add(base.logDensity(y), logDet);
}

/** The log-densities of many points, a batch at a time. */
export function logDensities(
  layer: Layer,
  base: Base,
  x: tf.Tensor2D,
  batch = 1000,
  context?: tf.Tensor2D,
): Float32Array {
  const found = new Float32Array(x.shape[0]);
  for (let from = 0; from < found.length; from += batch) {
    const count = Math.min(batch, found.length - from);
    const rows = (t: tf.Tensor2D) => tf.slice(t, [from, 0], [count, -1]);
    found.set(
      scoped(() => logDensity(layer, base, rows(x), context && rows(context)).dataSync<'float32'>()),
      from,
    );
  }
  return found;
}
