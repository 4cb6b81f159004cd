/** Mixtures of Gaussians in the plane, fitted by expectation maximization (Dempster, Laird, Rubin 1977). */

import type { Random } from '../train/random.js';

interface Component {
  weight: number;
  mean: [number, number];
  /** Covariance: xx, xy, yy. */
  covariance: [number, number, number];
}

export interface Mixture {
  readonly components: number;
  /** Free numbers: 6 a component, less one. */
  readonly parameters: number;
  logDensity(x: number, y: number): number;
}

/** Added to variances, so that no component shrinks to a point. */
const RIDGE = 1e-4;

/** @param points [points * 2] */
export function fitMixture(points: ArrayLike<number>, components: number, iterations: number, random: Random): Mixture {
  const count = points.length / 2;
  const parts = seeds(points, components, random);
  const shares = new Float64Array(components);
  for (let round = 0; round < iterations; round++) {
    const sums = parts.map(() => [0, 0, 0, 0, 0, 0]);
    for (let i = 0; i < count; i++) {
      const [x, y] = [points[2 * i], points[2 * i + 1]];
      const total = logSum(parts, x, y, shares);
      for (let k = 0; k < components; k++) {
        const share = Math.exp(shares[k] - total);
        const moments = [1, x, y, x * x, x * y, y * y];
        for (let m = 0; m < 6; m++) sums[k][m] += share * moments[m];
      }
    }
    for (const [k, [n, x, y, xx, xy, yy]] of sums.entries()) {
      // A component that has lost its points stays where it is, with next to no weight.
      if (n < 1e-6) continue;
      const [mx, my] = [x / n, y / n];
      parts[k] = {
        weight: n / count,
        mean: [mx, my],
        covariance: [xx / n - mx * mx + RIDGE, xy / n - mx * my, yy / n - my * my + RIDGE],
      };
    }
  }
  const terms = new Float64Array(components);
  return { components, parameters: 6 * components - 1, logDensity: (x, y) => logSum(parts, x, y, terms) };
}

/** Centres far from each other (k-means++, Arthur, Vassilvitskii 2007), round, of equal weight. */
function seeds(points: ArrayLike<number>, components: number, random: Random): Component[] {
  const count = points.length / 2;
  const at = (i: number): [number, number] => [points[2 * i], points[2 * i + 1]];
  const chosen = [at(random.below(count))];
  const nearest = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  while (chosen.length < components) {
    const [cx, cy] = chosen.at(-1)!;
    let total = 0;
    for (let i = 0; i < count; i++) {
      nearest[i] = Math.min(nearest[i], (points[2 * i] - cx) ** 2 + (points[2 * i + 1] - cy) ** 2);
      total += nearest[i];
    }
    let left = random.uniform() * total;
    let next = 0;
    while (next < count - 1 && left > nearest[next]) left -= nearest[next++];
    chosen.push(at(next));
  }
  const spread = 1 / components;
  return chosen.map((mean) => ({ weight: 1 / components, mean, covariance: [spread, 0, spread] }));
}

/** log sum_k w_k N_k at a point; the terms go to `terms`. */
function logSum(parts: readonly Component[], x: number, y: number, terms: Float64Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const [k, { weight, mean, covariance }] of parts.entries()) {
    const [xx, xy, yy] = covariance;
    const [dx, dy] = [x - mean[0], y - mean[1]];
    const determinant = xx * yy - xy * xy;
    const distance = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / determinant;
    terms[k] = Math.log(weight) - Math.log(2 * Math.PI) - 0.5 * Math.log(determinant) - 0.5 * distance;
    largest = Math.max(largest, terms[k]);
  }
  let sum = 0;
  for (const term of terms) sum += Math.exp(term - largest);
  return largest + Math.log(sum);
}
