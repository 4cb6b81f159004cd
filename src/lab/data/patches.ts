/** Patches of photographs: what densities in more than two dimensions are fitted to. */

import { CnfzipError } from '../../../codec/error.js';
import type { Image } from '../../../codec/image.js';
import type { Random } from '../../train/random.js';
import { fixture } from './fixtures.js';

/** Photographs that patches are taken of, and others to test on. */
const [SEEN, HELD] = [['house-253x191', 'hair-127x163', 'dark-247x165'], ['kodim23']];

export interface Patches {
  /** [points * side^2], whitened by the moments of what is seen. */
  readonly seen: Float64Array;
  readonly held: Float64Array;
}

/**
 * Luma of square patches, uniformly dequantized, and whitened by mean and covariance of the patches seen: what is left is what a Gaussian
 * does not know.
 */
export async function whitenedPatches(
  side: number,
  counts: { seen: number; held: number },
  random: Random,
): Promise<Patches> {
  const draw = async (names: readonly string[], count: number) => {
    const images = await Promise.all(names.map(fixture));
    return Float64Array.from(
      Array.from({ length: count }, () => patch(images[random.below(images.length)], side, random)).flat(),
    );
  };
  const [seen, held] = [await draw(SEEN, counts.seen), await draw(HELD, counts.held)];
  const whiten = whitening(seen, side ** 2);
  return { seen: whiten(seen), held: whiten(held) };
}

function patch({ width, height, channels, samples }: Image, side: number, random: Random): number[] {
  const [left, top] = [random.below(width - side + 1), random.below(height - side + 1)];
  return Array.from({ length: side ** 2 }, (_, i) => {
    const at = channels * ((top + Math.floor(i / side)) * width + left + (i % side));
    const luma = channels < 3 ? samples[at] : Math.round((samples[at] + 2 * samples[at + 1] + samples[at + 2]) / 4);
    return luma + random.uniform();
  });
}

/** x to L^-1 (x - mean), where L L^T is the covariance. */
function whitening(points: Float64Array, d: number): (points: Float64Array) => Float64Array {
  const count = points.length / d;
  const mean = new Float64Array(d);
  for (const [i, value] of points.entries()) mean[i % d] += value / count;
  const lower = new Float64Array(d * d);
  for (let a = 0; a < d; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += (points[i * d + a] - mean[a]) * (points[i * d + b] - mean[b]);
      sum /= count;
      for (let c = 0; c < b; c++) sum -= lower[a * d + c] * lower[b * d + c];
      if (a === b && !(sum > 0)) throw new CnfzipError('bad-input', 'patches without variance cannot be whitened');
      lower[a * d + b] = a === b ? Math.sqrt(sum) : sum / lower[b * d + b];
    }
  }
  return (all) => {
    const white = new Float64Array(all.length);
    for (let at = 0; at < all.length; at += d) {
      for (let a = 0; a < d; a++) {
        let value = all[at + a] - mean[a];
        for (let b = 0; b < a; b++) value -= lower[a * d + b] * white[at + b];
        white[at + a] = value / lower[a * d + a];
      }
    }
    return white;
  };
}
