/** Patches of photographs: what densities in more than two dimensions are fitted to. */

import type { Image } from '../../../codec/image.js';
import type { Random } from '../../train/random.js';
import { whitening } from '../whitening.js';
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
  const { whiten } = whitening(seen, side ** 2);
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
