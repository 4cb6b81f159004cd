/** Crops of photographs for training and for validation. */

import { join } from 'node:path';
import sharp from 'sharp';
import { CnfzipError } from '../../codec/error.js';
import { forwardColour } from '../../codec/flow/colour.js';
import type { TileShape } from '../../codec/flow/walk.js';
import type { Image } from '../../codec/image.js';
import { filesBelow, isFolder } from '../io/files/folders.js';
import { augment, type Square } from './augmentation.js';
import type { Random } from './random.js';

/** A square piece of an image as the flow codes it: side * side * channels integers after the colour transform. */
export interface Crop {
  readonly side: number;
  readonly samples: Int32Array;
}

/** What a crop is to the codec: training images have 8 bits. */
export function cropShape({ side }: Crop): TileShape {
  return { width: side, height: side, depth: 8 };
}

const EXTENSIONS = ['.png', '.webp', '.tif', '.tiff'];

/** Share of the images that are scaled down before crops are taken, by a uniform factor from this on. */
const SCALED_SHARE = 0.3;
const LEAST_SCALE = 0.5;

/** Every lossless-format image below the folders, in alphabetical order. */
export async function listImages(folders: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const folder of folders) {
    if (!(await isFolder(folder).catch(() => false))) throw new CnfzipError('file', `${folder}: not a folder`);
    files.push(...(await filesBelow(folder, EXTENSIONS)).map((file) => join(folder, file)));
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

/** What is done to crops beside flips and transposition: all that photographs differ in, or nothing. */
export type Augmentation = 'full' | 'flips';

export interface PoolOptions {
  /** Of the images; others are converted. */
  readonly channels: 1 | 3;
  /** Samples held at a time. */
  readonly size: number;
  /** Of the crops to be drawn; smaller images are left out with a warning. */
  readonly side: number;
  readonly augmentation: Augmentation;
  readonly random: Random;
  readonly warn: (line: string) => void;
}

/** A changing selection of a large set of images, held in memory; crops are drawn from it. */
export class ImagePool {
  readonly #images: Image[] = [];

  private constructor(
    readonly paths: string[],
    readonly options: PoolOptions,
  ) {}

  static async open(paths: readonly string[], options: PoolOptions): Promise<ImagePool> {
    const pool = new ImagePool([...paths], options);
    for (let held = 0; held < options.size && pool.#images.length < pool.paths.length; ) {
      const image = await pool.#read();
      pool.#images.push(image);
      held += image.samples.length;
    }
    return pool;
  }

  /** Exchanges one image for another. */
  async refresh(): Promise<void> {
    const slot = this.options.random.below(this.#images.length);
    this.#images[slot] = await this.#read();
  }

  /** A random crop, in one of eight orientations. */
  crop(): Crop {
    const { random, side, augmentation } = this.options;
    const image = this.#images[random.below(this.#images.length)];
    const left = random.below(image.width - side + 1);
    const top = random.below(image.height - side + 1);
    const piece = oriented(square(image, left, top, side), random.below(8));
    if (augmentation === 'full') augment(piece, random);
    return asCrop(piece);
  }

  /** A random image of the set; what cannot be used is warned about once and dropped. */
  async #read(): Promise<Image> {
    const { channels, side, augmentation, random, warn } = this.options;
    while (this.paths.length > 0) {
      const index = random.below(this.paths.length);
      const path = this.paths[index];
      const scaled = augmentation === 'full' && random.uniform() < SCALED_SHARE;
      const scale = scaled ? LEAST_SCALE + (1 - LEAST_SCALE) * random.uniform() : 1;
      try {
        const fits = ({ width, height }: Image) => width >= side && height >= side;
        let image = await readTrainingImage(path, channels, scale);
        if (!fits(image) && scaled) image = await readTrainingImage(path, channels);
        if (fits(image)) return image;
        warn(`${path}: ${image.width} x ${image.height}, smaller than a crop; left out`);
      } catch (error) {
        warn(leftOut(path, error));
      }
      this.paths.splice(index, 1);
    }
    throw new CnfzipError('file', 'no usable training image is left');
  }
}

function square({ width, channels, samples }: Image, left: number, top: number, side: number): Square {
  const out = new Float32Array(side * side * channels);
  for (let y = 0; y < side; y++) {
    const from = ((top + y) * width + left) * channels;
    out.set(samples.subarray(from, from + side * channels), y * side * channels);
  }
  return { side, channels: channels as 1 | 3, samples: out };
}

/** One of a square's eight orientations: bits for a flip along each axis and for transposition. */
function oriented({ side, channels, samples }: Square, orientation: number): Square {
  const out = new Float32Array(samples.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [a, b] = orientation & 4 ? [x, y] : [y, x];
      const row = orientation & 1 ? side - 1 - a : a;
      const column = orientation & 2 ? side - 1 - b : b;
      const from = (row * side + column) * channels;
      for (let c = 0; c < channels; c++) out[(y * side + x) * channels + c] = samples[from + c];
    }
  }
  return { side, channels, samples: out };
}

function asCrop({ side, channels, samples }: Square): Crop {
  return { side, samples: forwardColour(Uint8Array.from(samples), channels) };
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

function centralCrop(image: Image): Crop {
  const { width, height } = image;
  const side = Math.min(128, width, height);
  return asCrop(square(image, (width - side) >> 1, (height - side) >> 1, side));
}

function leftOut(path: string, error: unknown): string {
  return `${path}: ${(error as Error).message.split('\n')[0]}; left out`;
}
