/** Crops of photographs for training and for validation. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { forwardColour } from '../../codec/colour.js';
import { CnfzipError } from '../../codec/error.js';
import type { Image } from '../../codec/image.js';
import type { Random } from './random.js';

/** A square piece of an image as the flow codes it: side * side * channels integers after the colour transform. */
export interface Crop {
  readonly side: number;
  readonly samples: Int16Array;
}

const EXTENSIONS = /\.(png|webp|tiff?)$/i;

/** Share of the images that are scaled down before crops are taken, by a uniform factor from this on. */
const SCALED_SHARE = 0.3;
const LEAST_SCALE = 0.5;

/** Share of the crops that get noise, and the mean of its exponentially distributed standard deviation. */
const NOISE_SHARE = 0.6;
const NOISE_MEAN = 1.5;

/** Every lossless-format image below the folders, in alphabetical order. */
export async function listImages(folders: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const folder of folders) {
    const found = await stat(folder).catch(() => undefined);
    if (!found?.isDirectory()) throw new CnfzipError('file', `${folder}: not a folder`);
    const entries = await readdir(folder, { recursive: true });
    files.push(...entries.filter((file) => EXTENSIONS.test(file)).map((file) => join(folder, file)));
  }
  if (files.length === 0) throw new CnfzipError('file', `${folders.join(', ')}: no PNG, WebP or TIFF images in there`);
  return files.sort();
}

/** Reads an image for training: 8 bits, alpha dropped, converted to gray if the model is, scaled down by `scale`. */
export async function readTrainingImage(path: string, channels: 1 | 3, scale = 1): Promise<Image> {
  const source = sharp(path);
  if (scale < 1) source.resize({ width: Math.max(1, Math.round((await source.metadata()).width * scale)) });
  const pipeline = source.removeAlpha().toColourspace(channels === 1 ? 'b-w' : 'srgb');
  const { data, info } = await pipeline.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  if (info.channels !== channels) throw new CnfzipError('bad-input', `${path}: ${info.channels} channels`);
  return { width: info.width, height: info.height, channels, samples: data };
}

/** A changing selection of a large set of images, held in memory; crops are drawn from it. */
export class ImagePool {
  readonly #images: Image[] = [];

  private constructor(
    readonly paths: string[],
    readonly channels: 1 | 3,
    readonly side: number,
    readonly random: Random,
    readonly warn: (line: string) => void,
  ) {}

  /**
   * @param size images held at a time
   * @param side of the crops to be drawn; smaller images are left out with a warning
   */
  static async open(
    paths: readonly string[],
    channels: 1 | 3,
    size: number,
    side: number,
    random: Random,
    warn: (line: string) => void,
  ): Promise<ImagePool> {
    const pool = new ImagePool([...paths], channels, side, random, warn);
    while (pool.#images.length < Math.min(size, pool.paths.length)) pool.#images.push(await pool.#read());
    return pool;
  }

  /** Exchanges one image for another. */
  async refresh(): Promise<void> {
    const slot = this.random.below(this.#images.length);
    this.#images[slot] = await this.#read();
  }

  /** A random crop, flipped, transposed and made noisy at random. */
  crop(): Crop {
    const { random, side, channels } = this;
    const image = this.#images[random.below(this.#images.length)];
    const left = random.below(image.width - side + 1);
    const top = random.below(image.height - side + 1);
    const flips = random.below(8);
    const samples = new Uint8Array(side * side * channels);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const [a, b] = flips & 4 ? [x, y] : [y, x];
        const row = top + (flips & 1 ? side - 1 - a : a);
        const column = left + (flips & 2 ? side - 1 - b : b);
        const from = (row * image.width + column) * channels;
        for (let c = 0; c < channels; c++) samples[(y * side + x) * channels + c] = image.samples[from + c];
      }
    }
    if (random.uniform() < NOISE_SHARE) addNoise(samples, channels, random);
    return { side, samples: forwardColour(samples, channels) };
  }

  /** A random image of the set; what cannot be used is warned about once and dropped. */
  async #read(): Promise<Image> {
    while (this.paths.length > 0) {
      const index = this.random.below(this.paths.length);
      const path = this.paths[index];
      const scaled = this.random.uniform() < SCALED_SHARE;
      const scale = scaled ? LEAST_SCALE + (1 - LEAST_SCALE) * this.random.uniform() : 1;
      try {
        const fits = ({ width, height }: Image) => width >= this.side && height >= this.side;
        let image = await readTrainingImage(path, this.channels, scale);
        if (!fits(image) && scaled) image = await readTrainingImage(path, this.channels);
        if (fits(image)) return image;
        this.warn(`${path}: ${image.width} x ${image.height}, smaller than a crop; left out`);
      } catch (error) {
        this.warn(leftOut(path, error));
      }
      this.paths.splice(index, 1);
    }
    throw new CnfzipError('file', 'no usable training image is left');
  }
}

/** Gaussian noise of random strength and random correlation between the channels, in place. */
function addNoise(samples: Uint8Array, channels: number, random: Random): void {
  const strength = -NOISE_MEAN * Math.log(random.uniform());
  const shared = random.uniform();
  const [common, own] = [strength * Math.sqrt(shared), strength * Math.sqrt(1 - shared)];
  for (let i = 0; i < samples.length; i += channels) {
    const noise = common * random.normal();
    for (let c = 0; c < channels; c++) {
      const value = Math.round(samples[i + c] + noise + own * random.normal());
      samples[i + c] = Math.max(0, Math.min(255, value));
    }
  }
}

/** The central crop of each image, side 128 or what the image has, for held-out measurement. */
export async function validationCrops(
  paths: readonly string[],
  channels: 1 | 3,
  warn: (line: string) => void,
): Promise<Crop[]> {
  const crops: Crop[] = [];
  for (const path of paths) {
    try {
      crops.push(centralCrop(await readTrainingImage(path, channels)));
    } catch (error) {
      warn(leftOut(path, error));
    }
  }
  return crops;
}

function centralCrop({ width, height, channels, samples: image }: Image): Crop {
  const side = Math.min(128, width, height);
  const [left, top] = [(width - side) >> 1, (height - side) >> 1];
  const samples = new Uint8Array(side * side * channels);
  for (let y = 0; y < side; y++) {
    const from = ((top + y) * width + left) * channels;
    samples.set(image.subarray(from, from + side * channels), y * side * channels);
  }
  return { side, samples: forwardColour(samples, channels) };
}

function leftOut(path: string, error: unknown): string {
  return `${path}: ${(error as Error).message.split('\n')[0]}; left out`;
}
