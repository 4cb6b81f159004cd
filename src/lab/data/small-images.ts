/** Sets of images of 32 x 32 pixels: those that a user has, and those that the project makes. */

import { join } from 'node:path';
import type { Image } from '../../../codec/image.js';
import type { Random } from '../../train/random.js';
import { imageFolder, cifar as readCifar } from './cifar.js';
import { drawn } from './draw.js';
import { installed, MNIST_SIDE, mnist } from './mnist.js';
import { part, photographs } from './photographs.js';
import { digit, flatGraphic, noise, SIDE } from './simple-images.js';

export interface ImageSet {
  readonly name: string;
  readonly kind: 'photographs' | 'simple' | 'noise';
  readonly images: readonly Image[];
}

const SAMPLES = 3 * SIDE ** 2;

const SVHN_FOLDER = 'svhn/test';

export const CROPS = 'crops of photographs';
export const CIFAR = 'CIFAR-10 test';

/**
 * What there is: crops of photographs, flat graphics and noise always; CIFAR-10's and MNIST's test images and SVHN where the folder of data has
 * them, and digits drawn in MNIST's place where it has not.
 *
 * @param count images of each set, or all where it has fewer
 * @returns and what is missing: a line each that tells how to have it
 * @throws {CnfzipError} `file` if what the folder holds is no such set
 */
export async function imageSets(
  data: string,
  count: number,
  random: Random,
): Promise<{ sets: ImageSet[]; missing: string[] }> {
  const whole = await photographs(data, 1024, 8);
  const many = (make: (random: Random) => Image) => Array.from({ length: count }, () => make(random));
  const sets: ImageSet[] = [
    {
      name: CROPS,
      kind: 'photographs',
      images: many(() => crop(whole[random.below(whole.length)].image, random)),
    },
    { name: 'flat graphics', kind: 'simple', images: many(flatGraphic) },
    { name: 'noise', kind: 'noise', images: many(noise) },
  ];
  const missing: string[] = [];
  const install = installed(data);
  const [cifar, mnist, svhn] = [
    await readCifar(data, 'test', count, random),
    await readMnist(data, count, random),
    await imageFolder(join(data, SVHN_FOLDER), count, random),
  ];
  if (cifar) sets.unshift({ name: CIFAR, kind: 'photographs', images: cifar });
  else missing.push(`CIFAR-10 is not at hand, the set that the model cifar10 is trained on: ${install}`);
  if (mnist) sets.push({ name: 'MNIST test', kind: 'simple', images: mnist });
  else {
    sets.push({ name: 'drawn digits', kind: 'simple', images: many(digit) });
    missing.push(`MNIST is not at hand; digits are drawn in its place: ${install}`);
  }
  if (svhn) sets.push({ name: 'SVHN test', kind: 'simple', images: svhn });
  else
    missing.push(
      `SVHN is not at hand: http://ufldl.stanford.edu/housenumbers/ (test_32x32.mat), as PNG files of ${SIDE} x ${SIDE} pixels in ${join(data, SVHN_FOLDER)}`,
    );
  return { sets, missing };
}

/** Gray digits in the middle of black. */
async function readMnist(data: string, count: number, random: Random): Promise<Image[] | undefined> {
  const digits = await mnist(data, 't10k');
  if (!digits) return undefined;
  const border = (SIDE - MNIST_SIDE) / 2;
  return drawn(digits.length, count, random).map((number) =>
    image((i) => {
      const [x, y] = [(Math.floor(i / 3) % SIDE) - border, Math.floor(i / (3 * SIDE)) - border];
      const inside = x >= 0 && y >= 0 && x < MNIST_SIDE && y < MNIST_SIDE;
      return inside ? digits[number][y * MNIST_SIDE + x] : 0;
    }),
  );
}

function crop(from: Image, random: Random): Image {
  return part(from, random.below(from.width - SIDE + 1), random.below(from.height - SIDE + 1), SIDE, SIDE);
}

function image(sample: (i: number) => number): Image {
  return { width: SIDE, height: SIDE, channels: 3, samples: Uint8Array.from({ length: SAMPLES }, (_, i) => sample(i)) };
}
