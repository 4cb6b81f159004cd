/**
 * Integers by their marginal distributions: how often each coordinate has each value, and the layer that makes every coordinate by itself standard normal
 * (Chen, Gopinath 2000, Gaussianization). Under a standard normal base that layer alone is the model of independent coordinates; a flow behind it adds what
 * coordinates know of each other, and has nothing else to learn.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Layer } from '../../models/layers/layer.js';

/** All values of a coordinate share this many units; every value has one at least. */
export const MARGINAL_BITS = 20;
const UNITS = 2 ** MARGINAL_BITS;

export interface Marginals {
  /** Coordinates of a point. */
  readonly dimension: number;
  /** Values: 0 to one less. */
  readonly values: number;
  /** First unit of a value of a coordinate; of the value behind the last one, `2^MARGINAL_BITS`. */
  start(coordinate: number, value: number): number;
}

export interface MarginalOptions {
  readonly dimension: number;
  /** 2 to 4096. */
  readonly values: number;
  /** Coordinates of the same number share one distribution; each has its own without. */
  readonly groupOf?: (coordinate: number) => number;
}

/** How many points the distribution over all coordinates counts as, in each coordinate's own. */
const PRIOR = 8;

/** Counts the values of points, each an array of `dimension` integers; what one coordinate never had is as likely as in all together. */
export function marginalsOf(points: readonly ArrayLike<number>[], options: MarginalOptions): Marginals {
  const { dimension, values, groupOf = (i: number) => i } = options;
  const groups = Array.from({ length: dimension }, (_, i) => groupOf(i));
  const count = groups.reduce((a, b) => Math.max(a, b)) + 1;
  const counts = new Float64Array(count * values);
  const all = new Float64Array(values).fill(1);
  for (const point of points) {
    for (let i = 0; i < dimension; i++) {
      counts[groups[i] * values + point[i]]++;
      all[point[i]]++;
    }
  }
  const total = all.reduce((a, b) => a + b);
  const starts = new Int32Array(count * (values + 1));
  for (let group = 0; group < count; group++) {
    const own = counts.subarray(group * values, (group + 1) * values);
    const seen = own.reduce((a, b) => a + b) + PRIOR;
    // Each value has a unit; the others are shared by what was seen.
    let below = 0;
    for (let value = 0; value < values; value++) {
      starts[group * (values + 1) + value] = value + Math.floor((UNITS - values) * Math.min(1, below));
      below += (own[value] + (PRIOR * all[value]) / total) / seen;
    }
    starts[group * (values + 1) + values] = UNITS;
  }
  return { dimension, values, start: (i, value) => starts[groups[i] * (values + 1) + value] };
}

/** Bits of a point's integers by their own distributions alone. */
export function marginalBits(marginals: Marginals, point: ArrayLike<number>): number {
  let bits = 0;
  for (let i = 0; i < marginals.dimension; i++) bits -= Math.log2(massOf(marginals, i, point[i]));
  return bits;
}

/** The last value of a coordinate whose first unit meets a condition that the first value's does, and no more from some unit on. */
export function lastValue(marginals: Marginals, i: number, meets: (first: number) => boolean): number {
  let [low, high] = [0, marginals.values];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (meets(marginals.start(i, middle))) low = middle;
    else high = middle;
  }
  return low;
}

function massOf(marginals: Marginals, i: number, value: number): number {
  return (marginals.start(i, value + 1) - marginals.start(i, value)) / UNITS;
}

/** Keeps shares off 0 and 1. */
const TINY = 1e-9;

/**
 * y_i = Phi^-1(F_i(x_i)), where F_i is linear between integers: takes integers with noise in (0, 1) to coordinates that are standard normal each. What it takes
 * beyond 0 .. `values` it takes as if it were at the end.
 */
export function gaussianized(marginals: Marginals): Layer {
  const { dimension, values } = marginals;
  const table = (of: (i: number, value: number) => number) =>
    tf.keep(
      tf.tensor1d(Float32Array.from({ length: dimension * values }, (_, k) => of(Math.floor(k / values), k % values))),
    );
  const below = table((i, value) => marginals.start(i, value) / UNITS);
  const above = table((i, value) => 1 - marginals.start(i, value + 1) / UNITS);
  const mass = table((i, value) => massOf(marginals, i, value));
  const offsets = tf.keep(
    tf.tensor2d(
      Float32Array.from({ length: dimension }, (_, i) => i * values),
      [1, dimension],
    ),
  );
  const wholes = (x: tf.Tensor2D) => tf.clipByValue<tf.Tensor2D>(tf.floor(x), 0, values - 1);
  /** What a table has for each coordinate's value, of which no gradient flows. */
  const looked = (of: tf.Tensor1D, x: tf.Tensor2D) =>
    (
      tf.customGrad((given) => ({
        value: tf.gather(of, tf.cast(tf.add(wholes(given as tf.Tensor2D), offsets), 'int32')),
        gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
      })) as (x: tf.Tensor) => tf.Tensor2D
    )(x);
  /** Where in its value's bin each coordinate is. */
  const fraction = (x: tf.Tensor2D) =>
    (
      tf.customGrad((given) => ({
        value: tf.clipByValue(tf.sub(given as tf.Tensor2D, wholes(given as tf.Tensor2D)), 0, 1),
        gradFunc: (dy: tf.Tensor) => dy,
      })) as (x: tf.Tensor) => tf.Tensor2D
    )(x);
  const moved = (x: tf.Tensor2D) => {
    const [u, own] = [fraction(x), looked(mass, x)];
    const share = tf.add<tf.Tensor2D>(looked(below, x), tf.mul(own, u));
    const rest = tf.add<tf.Tensor2D>(looked(above, x), tf.mul(own, tf.sub(1, u)));
    const y = probit(share, rest);
    const logSlope = tf.add<tf.Tensor2D>(tf.log(own), tf.add(tf.mul(tf.mul(y, y), 0.5), LOG_ROOT));
    return { y, logSlope };
  };
  return {
    forward(x) {
      const { y, logSlope } = moved(x);
      return { y, logDet: tf.sum(logSlope, 1, true) };
    },
    map({ value, tangents }) {
      const { y, logSlope } = moved(value);
      return { value: y, tangents: tangents && tf.mul(tangents, tf.exp(logSlope)) };
    },
    inverse(y) {
      const wanted = y.dataSync<'float32'>();
      return tf.tensor2d(
        Float32Array.from(wanted, (value, k) => valueAt(marginals, k % dimension, value)),
        y.shape,
      );
    },
  };
}

/** log sqrt(2 pi). */
const LOG_ROOT = 0.5 * Math.log(2 * Math.PI);

/** x with Phi^-1(F_i(x)) = y, by halving. */
function valueAt(marginals: Marginals, i: number, y: number): number {
  const at = (units: number) => probitOf(Math.max(TINY, units / UNITS), Math.max(TINY, 1 - units / UNITS));
  const low = lastValue(marginals, i, (first) => at(first) <= y);
  const [first, width] = [marginals.start(i, low), marginals.start(i, low + 1) - marginals.start(i, low)];
  let [from, to] = [0, 1];
  for (let step = 0; step < 24; step++) {
    const middle = (from + to) / 2;
    if (at(first + middle * width) <= y) from = middle;
    else to = middle;
  }
  return low + (from + to) / 2;
}

/** Of Acklam's rational approximations of Phi^-1 (2003), to a relative 1e-9: in the middle, and in the tails. */
const MIDDLE = {
  above: [
    -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
    2.506628277459239,
  ],
  below: [
    -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1, 1,
  ],
};
const TAIL = {
  above: [
    -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ],
  below: [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1],
};
const EDGE = 0.02425;

/** Phi^-1 of a share, of which what is left to 1 is told, too: a small one of either is as exact as the other. */
export function probitOf(share: number, rest: number): number {
  const horner = (coefficients: readonly number[], x: number) => coefficients.reduce((sum, c) => sum * x + c, 0);
  const least = Math.min(share, rest);
  if (least < EDGE) {
    const q = Math.sqrt(-2 * Math.log(least));
    const size = horner(TAIL.above, q) / horner(TAIL.below, q);
    return share < rest ? size : -size;
  }
  const q = share - 0.5;
  return (q * horner(MIDDLE.above, q * q)) / horner(MIDDLE.below, q * q);
}

/** The same of tensors; its derivative is 1 / phi. */
function probit(share: tf.Tensor2D, rest: tf.Tensor2D): tf.Tensor2D {
  const horner = (coefficients: readonly number[], x: tf.Tensor) =>
    coefficients.slice(1).reduce<tf.Tensor>((sum, c) => tf.add(tf.mul(sum, x), c), tf.fill(x.shape, coefficients[0]));
  const value = (p: tf.Tensor, r: tf.Tensor) => {
    const least = tf.maximum(tf.minimum(p, r), TINY);
    const q = tf.sub(p, 0.5);
    const square = tf.square(q);
    const middle = tf.div(tf.mul(q, horner(MIDDLE.above, square)), horner(MIDDLE.below, square));
    const far = tf.sqrt(tf.mul(tf.log(least), -2));
    const size = tf.div(horner(TAIL.above, far), horner(TAIL.below, far));
    const tail = tf.where(tf.less(p, r), size, tf.neg(size));
    return tf.where(tf.less(least, EDGE), tail, middle);
  };
  const known = tf.customGrad((p, r, save) => {
    const y = value(p as tf.Tensor, r as tf.Tensor);
    (save as tf.GradSaveFunc)([y]);
    const slope = (kept: tf.Tensor) => tf.exp(tf.add(tf.mul(tf.square(kept), 0.5), LOG_ROOT));
    return {
      value: y,
      gradFunc: (dy: tf.Tensor, [kept]: tf.Tensor[]) => {
        // The share and the rest move against each other: half of the slope belongs to each.
        const half = tf.mul(tf.mul(dy, slope(kept)), 0.5);
        return [half, tf.neg(half)];
      },
    };
  }) as (p: tf.Tensor, r: tf.Tensor) => tf.Tensor2D;
  return known(share, rest);
}
