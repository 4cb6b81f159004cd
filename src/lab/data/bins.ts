/** Coordinates of sites, each in the frame of what a shipped model says of it: where a density's shape can be learned anew, and only that. */

import * as tf from '@tensorflow/tfjs-core';
import { headLayout } from '../../../models/definition.js';
import { type Conditional, solved } from '../codec-density.js';
import type { Bins } from '../shapes.js';
import type { Sites } from './sites.js';

/** Earlier coordinates are seen within this, in units of their frames. */
export const CLAMP = 8;

export interface FramedBins {
  readonly count: number;
  /** What a bin's density may depend on: the head's outputs, the coordinates before, and which channel it is. */
  readonly features: number;
  /** Those at some indices, as tensors. */
  take(indices: ArrayLike<number>): Bins;
}

/** Means and inverse deviations of what is seen, such as the heads' outputs, to see others by. */
export interface Moments {
  readonly mean: Float64Array;
  readonly inverse: Float64Array;
}

export function headMoments({ model, heads }: Sites): Moments {
  return momentsOf(heads, headLayout(model.definition).size);
}

/** @param rows of `size` numbers each */
export function momentsOf(rows: Float32Array, size: number): Moments {
  const count = rows.length / size;
  const [mean, inverse] = [new Float64Array(size), new Float64Array(size)];
  for (const [i, value] of rows.entries()) mean[i % size] += value / count;
  for (const [i, value] of rows.entries()) inverse[i % size] += (value - mean[i % size]) ** 2 / count;
  // Outputs that are always the same, those that pad a row, say nothing.
  return { mean, inverse: inverse.map((square) => (square > 1e-12 ? 1 / Math.sqrt(square) : 0)) };
}

/**
 * @param of the sites' own conditional density: its location and scale are the frame, in which a logistic has its deviation where it has scale 1
 */
export function framed(sites: Sites, of: Conditional, moments: Moments): FramedBins {
  const { count } = of;
  const [lower, width] = [new Float32Array(count), new Float32Array(count)];
  for (let i = 0; i < count; i++) {
    const { location, scale } = frame(of, i);
    lower[i] = (solved(of, i, of.lower[i]) - location) / scale;
    width[i] = (of.width[i] * Math.exp(of.rate[i])) / scale;
  }
  return binsOf(sites, { count, lower, width }, moments);
}

/** Bins by their lower edges and widths in any frame, three a site. */
export function binsOf(
  sites: Sites,
  { count, lower, width }: { count: number; lower: ArrayLike<number>; width: ArrayLike<number> },
  { mean, inverse }: Moments,
): FramedBins {
  const { size } = headLayout(sites.model.definition);
  const features = size + 2 + 3;
  const row = (i: number, to: Float32Array, at: number) => {
    const [site, k] = [Math.floor(i / 3), i % 3];
    for (let j = 0; j < size; j++) to[at + j] = (sites.heads[site * size + j] - mean[j]) * inverse[j];
    for (let o = 0; o < k; o++) {
      const before = 3 * site + o;
      to[at + size + o] = Math.min(CLAMP, Math.max(-CLAMP, lower[before] + width[before] / 2));
    }
    to[at + size + 2 + k] = 1;
  };
  return binsBy({ count, lower, width }, features, row);
}

/**
 * Bins by their lower edges and widths, with features of any kind.
 *
 * @param row writes the features of bin i to an array, from `at` on
 */
export function binsBy(
  { count, lower, width }: { count: number; lower: ArrayLike<number>; width: ArrayLike<number> },
  features: number,
  row: (i: number, to: Float32Array, at: number) => void,
): FramedBins {
  const column = (values: ArrayLike<number>, indices: ArrayLike<number>) =>
    tf.tensor2d(
      Float32Array.from(indices, (i) => values[i]),
      [indices.length, 1],
    );
  return {
    count,
    features,
    take(indices) {
      const rows = new Float32Array(indices.length * features);
      for (let i = 0; i < indices.length; i++) row(indices[i], rows, i * features);
      return {
        features: tf.tensor2d(rows, [indices.length, features]),
        lower: column(lower, indices),
        width: column(width, indices),
      };
    },
  };
}

/** Location and scale of a coordinate's base. */
function frame({ mixtures, weight, mean, inverse }: Conditional, i: number): { location: number; scale: number } {
  let [location, square] = [0, 0];
  for (let n = i * mixtures; n < (i + 1) * mixtures; n++) {
    location += weight[n] * mean[n];
    // The variance of a logistic is a third of pi squared of its scale's square.
    square += weight[n] * ((3 * mean[n] ** 2) / Math.PI ** 2 + 1 / inverse[n] ** 2);
  }
  return { location, scale: Math.sqrt(square - (3 * location ** 2) / Math.PI ** 2) };
}
