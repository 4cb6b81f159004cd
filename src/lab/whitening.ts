/** Linear maps that take the mean and covariance from points, so that what is left is what a Gaussian does not know. */

import { CnfzipError } from '../../codec/error.js';

export interface Whitening {
  /** x to L^-1 (x - mean), where L L^T is the covariance; points [n * d], one after the other. */
  whiten(points: ArrayLike<number>): Float64Array;
  /** Back. */
  restore(points: ArrayLike<number>): Float64Array;
  /** log |det L|: what a density of whitened points is to be divided by. */
  readonly logScale: number;
}

/**
 * By the moments of points [n * d].
 *
 * @throws {CnfzipError} `bad-input` if they have no variance in some direction
 */
export function whitening(points: ArrayLike<number>, d: number): Whitening {
  const { mean, lower } = moments(points, d);
  const each = (all: ArrayLike<number>, map: (from: Float64Array, to: Float64Array) => void) => {
    const result = new Float64Array(all.length);
    const from = Float64Array.from(all);
    for (let at = 0; at < from.length; at += d) map(from.subarray(at, at + d), result.subarray(at, at + d));
    return result;
  };
  return {
    whiten: (all) =>
      each(all, (from, to) => {
        for (let a = 0; a < d; a++) {
          let value = from[a] - mean[a];
          for (let b = 0; b < a; b++) value -= lower[a * d + b] * to[b];
          to[a] = value / lower[a * d + a];
        }
      }),
    restore: (all) =>
      each(all, (from, to) => {
        for (let a = 0; a < d; a++) {
          to[a] = mean[a];
          for (let b = 0; b <= a; b++) to[a] += lower[a * d + b] * from[b];
        }
      }),
    logScale: Array.from({ length: d }, (_, a) => Math.log(lower[a * d + a])).reduce((a, b) => a + b),
  };
}

/** Mean, and the lower triangle L of the covariance L L^T. */
function moments(points: ArrayLike<number>, d: number): { mean: Float64Array; lower: Float64Array } {
  const count = points.length / d;
  const mean = new Float64Array(d);
  for (let i = 0; i < points.length; i++) mean[i % d] += points[i] / count;
  const lower = new Float64Array(d * d);
  for (let a = 0; a < d; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += (points[i * d + a] - mean[a]) * (points[i * d + b] - mean[b]);
      sum /= count;
      for (let c = 0; c < b; c++) sum -= lower[a * d + c] * lower[b * d + c];
      if (a === b && !(sum > 0)) throw new CnfzipError('bad-input', 'points without variance cannot be whitened');
      lower[a * d + b] = a === b ? Math.sqrt(sum) : sum / lower[b * d + b];
    }
  }
  return { mean, lower };
}
