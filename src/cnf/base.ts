/** Base distributions, and the log-density of a flow over one. */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../../models/fields/draws.js';
import type { Weights } from '../../models/fields/weights.js';
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
      const values = normals(points, coordinates, draws);
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

/**
 * Independent normal coordinates with a mean and a scale that are learned, 0 and 1 at the start: what a flow of bounded speed need not spend its field on
 * (Papamakarios et al. 2021, section 2.1). Maximum likelihood trains them; flow matching draws from them as they are.
 *
 * @param weights takes 2 D numbers more
 */
export function learnedNormal(weights: Weights, dimension: number): Base {
  const mean = weights.row(dimension);
  const logScale = weights.row(dimension);
  return {
    logDensity(z) {
      const standard = tf.mul(tf.sub(z, mean), tf.exp(tf.neg(logScale)));
      const squares = tf.sum<tf.Tensor2D>(tf.mul(standard, standard), 1, true);
      const constant = (dimension / 2) * Math.log(2 * Math.PI);
      return tf.sub(tf.sub(tf.mul(squares, -0.5), tf.sum<tf.Tensor2D>(logScale, 1, true)), constant);
    },
    sample: (points, draws) =>
      tf.tidy(() => tf.add(tf.mul(normals(points, dimension, draws), tf.exp(logScale)), mean) as tf.Tensor2D),
  };
}

export interface MixtureOptions {
  /** D. */
  readonly dimension: number;
  /** Normal distributions, each with a mean and a scale of every coordinate. */
  readonly components: number;
  /** Standard deviation of the means at the start; 1 without. */
  readonly spread?: number;
}

/**
 * A mixture of normal distributions with independent coordinates, whose shares, means and scales are learned (Izmailov et al. 2020, FlowGMM): a base of several
 * pieces, which a flow need not tear one apart for. Scales begin at 1, shares equal, means at random.
 *
 * @param weights takes `components` (2 D + 1) numbers more
 * @throws {RangeError} if there is not at least one component
 */
export function mixtureOfNormals(weights: Weights, { dimension, components, spread = 1 }: MixtureOptions): Base {
  if (!(Number.isInteger(components) && components > 0))
    throw new RangeError(`a mixture has 1 or more components, not ${components}`);
  const shares = weights.row(components);
  const means = weights.matrix(components, dimension, components * spread ** 2);
  const logScales = weights.matrix(components, dimension, 0);
  return {
    logDensity(z) {
      const away = tf.sub(tf.reshape(z, [-1, 1, dimension]), means);
      const standard = tf.mul(away, tf.exp(tf.neg(logScales)));
      const each = tf.sub(tf.mul(tf.sum(tf.mul(standard, standard), 2), -0.5), tf.sum(logScales, 1));
      const logs = tf.sub<tf.Tensor2D>(logSumOfRows(tf.add(each, shares)), logSumOfRows(shares));
      return tf.sub(logs, (dimension / 2) * Math.log(2 * Math.PI));
    },
    sample(points, draws) {
      const exponentials = Array.from(shares.dataSync<'float32'>(), Math.exp);
      const total = exponentials.reduce((a, b) => a + b);
      const chosen = Int32Array.from({ length: points }, () => {
        let left = draws.uniform() * total;
        return Math.max(
          0,
          exponentials.findIndex((share) => {
            left -= share;
            return left < 0;
          }),
        );
      });
      return tf.tidy(() => {
        const rows = tf.tensor1d(chosen, 'int32');
        const scale = tf.exp(tf.gather(logScales, rows));
        return tf.add(tf.mul(normals(points, dimension, draws), scale), tf.gather(means, rows)) as tf.Tensor2D;
      });
    },
  };
}

/** log of the sum of exp of each row, [B, 1]. */
const logSumOfRows = tf.customGrad((x, save) => {
  const y = tf.logSumExp(x as tf.Tensor, 1, true);
  (save as tf.GradSaveFunc)([x as tf.Tensor, y]);
  return { value: y, gradFunc: (dy: tf.Tensor, [rows, logs]: tf.Tensor[]) => tf.mul(dy, tf.exp(tf.sub(rows, logs))) };
}) as (x: tf.Tensor) => tf.Tensor2D;

function normals(points: number, coordinates: number, draws: Draws): tf.Tensor2D {
  const numbers = Float32Array.from({ length: points * coordinates }, () => draws.normal());
  return tf.tensor2d(numbers, [points, coordinates]);
}

/** log Gamma(n / 2) of a positive integer n. */
function logGammaHalf(n: number): number {
  let log = n % 2 === 0 ? 0 : 0.5 * Math.log(Math.PI);
  for (let at = n % 2 === 0 ? 1 : 0.5; at < n / 2; at++) log += Math.log(at);
  return log;
}

/** log p(x) [B, 1] by the change of variables, in nats. */
export function logDensity(
  layer: Pick<Layer, 'forward'>,
  base: Base,
  x: tf.Tensor2D,
  context?: tf.Tensor2D,
): tf.Tensor2D {
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
