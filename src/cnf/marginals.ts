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
  /** What is below each coordinate's value, what is above it, and what it has itself. Read here: gathering on the device takes longer. */
  const binsOf = (x: tf.Tensor2D) => {
    const at = x.dataSync<'float32'>();
    const [whole, below, above, own] = Array.from({ length: 4 }, () => new Float32Array(at.length));
    for (let k = 0; k < at.length; k++) {
      const [i, value] = [k % dimension, Math.min(values - 1, Math.max(0, Math.floor(at[k])))];
      const [first, end] = [marginals.start(i, value), marginals.start(i, value + 1)];
      whole[k] = value;
      below[k] = first / UNITS;
      above[k] = 1 - end / UNITS;
      own[k] = (end - first) / UNITS;
    }
    return [whole, below, above, own].map((numbers) => tf.tensor2d(numbers, x.shape));
  };
  const moved = (x: tf.Tensor2D) => {
    const [whole, below, above, own] = binsOf(x);
    const u = tf.clipByValue(tf.sub(x, whole), 0, 1);
    const y = probit(tf.add<tf.Tensor2D>(below, tf.mul(own, u)), tf.add<tf.Tensor2D>(above, tf.mul(own, tf.sub(1, u))));
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

/** A polynomial, its highest power first. */
function horner(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (let i = 0; i < coefficients.length; i++) sum = sum * x + coefficients[i];
  return sum;
}

/** Phi^-1 of a share, of which what is left to 1 is told, too: a small one of either is as exact as the other. */
export function probitOf(share: number, rest: number): number {
  const least = Math.min(share, rest);
  if (least < EDGE) {
    const q = Math.sqrt(-2 * Math.log(least));
    const size = horner(TAIL.above, q) / horner(TAIL.below, q);
    return share < rest ? size : -size;
  }
  const q = share - 0.5;
  return (q * horner(MIDDLE.above, q * q)) / horner(MIDDLE.below, q * q);
}

/** The same of tensors, value by value; its derivative is 1 / phi. */
function probit(share: tf.Tensor2D, rest: tf.Tensor2D): tf.Tensor2D {
  const known = tf.customGrad((p, r, save) => {
    const [shares, rests] = [p, r].map((each) => (each as tf.Tensor).dataSync<'float32'>());
    const values = shares.map((own, k) => probitOf(Math.max(own, TINY), Math.max(rests[k], TINY)));
    const y = tf.tensor2d(values, share.shape);
    (save as tf.GradSaveFunc)([y]);
    return {
      value: y,
      gradFunc: (dy: tf.Tensor, [kept]: tf.Tensor[]) => {
        // The share and the rest move against each other: half of the slope belongs to each.
        const slope = tf.exp(tf.add(tf.mul(tf.square(kept), 0.5), LOG_ROOT));
        const half = tf.mul(tf.mul(dy, slope), 0.5);
        return [half, tf.neg(half)];
      },
    };
  }) as (p: tf.Tensor, r: tf.Tensor) => tf.Tensor2D;
  return known(share, rest);
}
