/** Mixtures of Gaussians with full covariances, fitted by expectation maximization (Dempster, Laird, Rubin 1977). */

import type { Random } from '../train/random.js';

/** A Gaussian: its share, its mean, and of its covariance the Cholesky factor L, row by row, and what is constant of log share * density. */
interface Component {
  readonly mean: Float64Array;
  readonly factor: Float64Array;
  readonly constant: number;
}

export interface MixtureOptions {
  /** D. */
  readonly dimension: number;
  readonly components: number;
  readonly iterations: number;
}

export interface Mixture {
  readonly components: number;
  /** Free numbers. */
  readonly parameters: number;
  /** log p of a point of D coordinates, in nats. */
  logDensity(point: ArrayLike<number>): number;
}

/** Added to variances, so that no component shrinks to a point. */
const RIDGE = 1e-4;

/** Free numbers of a mixture: a share, a mean and a covariance each, and the shares make 1. */
export function mixtureParameters(dimension: number, components: number): number {
  return components * (1 + dimension + (dimension * (dimension + 1)) / 2) - 1;
}

/** @param points [points * D] */
export function fitMixture(points: ArrayLike<number>, options: MixtureOptions, random: Random): Mixture {
  const { dimension: d, components, iterations } = options;
  const count = points.length / d;
  let parts = seeds(points, options, random);
  const shares = new Float64Array(components);
  const row = new Float64Array(d);
  const scratch = new Float64Array(d);
  for (let round = 0; round < iterations; round++) {
    const sums = parts.map(() => ({ n: 0, first: new Float64Array(d), second: new Float64Array(d * d) }));
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < d; k++) row[k] = points[i * d + k];
      const total = logSum(parts, row, shares, scratch);
      for (const [k, sum] of sums.entries()) {
        const share = Math.exp(shares[k] - total);
        if (share < 1e-9) continue;
        sum.n += share;
        for (let a = 0; a < d; a++) {
          const weighted = share * row[a];
          sum.first[a] += weighted;
          for (let b = 0; b <= a; b++) sum.second[a * d + b] += weighted * row[b];
        }
      }
    }
    parts = parts.map((part, k) => {
      const { n, first, second } = sums[k];
      // A component that has lost its points stays where it is.
      if (n < 1e-3) return part;
      const mean = first.map((value) => value / n);
      const covariance = second.map((value, at) => value / n - mean[Math.floor(at / d)] * mean[at % d]);
      for (let a = 0; a < d; a++) covariance[a * d + a] += RIDGE;
      return component(n / count, mean, covariance, d);
    });
  }
  return {
    components,
    parameters: mixtureParameters(d, components),
    logDensity: (point) => logSum(parts, point, shares, scratch),
  };
}

/** @param covariance its lower triangle, row by row */
function component(share: number, mean: Float64Array, covariance: Float64Array, d: number): Component {
  const factor = new Float64Array(d * d);
  let constant = Math.log(share) - (d / 2) * Math.log(2 * Math.PI);
  for (let a = 0; a < d; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = covariance[a * d + b];
      for (let c = 0; c < b; c++) sum -= factor[a * d + c] * factor[b * d + c];
      // A covariance of few points is singular but for rounding; the ridge is what it has then.
      factor[a * d + b] = a === b ? Math.sqrt(Math.max(sum, RIDGE / 10)) : sum / factor[b * d + b];
    }
    constant -= Math.log(factor[a * d + a]);
  }
  return { mean, factor, constant };
}

/** Centres far from each other (k-means++, Arthur, Vassilvitskii 2007), round, of equal share. */
function seeds(points: ArrayLike<number>, { dimension: d, components }: MixtureOptions, random: Random): Component[] {
  const count = points.length / d;
  const at = (i: number) => Float64Array.from({ length: d }, (_, k) => points[i * d + k]);
  const chosen = [at(random.below(count))];
  const nearest = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  while (chosen.length < components) {
    const centre = chosen.at(-1)!;
    let total = 0;
    for (let i = 0; i < count; i++) {
      let distance = 0;
      for (let k = 0; k < d; k++) distance += (points[i * d + k] - centre[k]) ** 2;
      nearest[i] = Math.min(nearest[i], distance);
      total += nearest[i];
    }
    let left = random.uniform() * total;
    let next = 0;
    while (next < count - 1 && left > nearest[next]) left -= nearest[next++];
    chosen.push(at(next));
  }
  const round = Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? components ** (-2 / d) : 0));
  return chosen.map((mean) => component(1 / components, mean, round, d));
}

/** log sum_k w_k N_k at a point; the terms go to `terms`. */
function logSum(
  parts: readonly Component[],
  point: ArrayLike<number>,
  terms: Float64Array,
  scratch: Float64Array,
): number {
  const d = scratch.length;
  let largest = Number.NEGATIVE_INFINITY;
  for (const [k, { mean, factor, constant }] of parts.entries()) {
    let distance = 0;
    for (let a = 0; a < d; a++) {
      let value = point[a] - mean[a];
      for (let b = 0; b < a; b++) value -= factor[a * d + b] * scratch[b];
      scratch[a] = value / factor[a * d + a];
      distance += scratch[a] ** 2;
    }
    terms[k] = constant - 0.5 * distance;
    largest = Math.max(largest, terms[k]);
  }
  let sum = 0;
  for (const term of terms) sum += Math.exp(term - largest);
  return largest + Math.log(sum);
}
