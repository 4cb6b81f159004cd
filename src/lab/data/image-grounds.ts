/** Sets of whole images that flows learn and are measured on: digits, and small photographs. */

import type { Image } from '../../../codec/image.js';
import type { Random } from '../../train/random.js';
import { cifar } from './cifar.js';
import { installed, MNIST_SIDE, mnist } from './mnist.js';
import { part, photographs } from './photographs.js';
import { SIDE as DRAWN_SIDE, digit, SIDE } from './simple-images.js';

/** Square images of one size, 8 bits a sample, row by row, of 1 channel or red, green and blue. */
export interface ImageGround {
  readonly name: string;
  readonly side: number;
  readonly channels: 1 | 3;
  /** To learn from, and others to measure. */
  readonly seen: readonly Uint8Array[];
  readonly held: readonly Uint8Array[];
  /** What stands in for a set that is not at hand, and how to have it. */
  readonly missing: readonly string[];
}

/**
 * MNIST, or digits drawn in its place.
 *
 * @param most images to learn from; at most a sixth of it to measure
 * @throws {CnfzipError} `file` if what the folder holds is no such set
 */
export async function digitGround(data: string, most: number, random: Random): Promise<ImageGround> {
  const shape = { side: MNIST_SIDE, channels: 1 as const };
  const [seen, held] = [await mnist(data, 'train'), await mnist(data, 't10k')];
  const measured = Math.ceil(most / 6);
  if (seen && held) {
    return { ...shape, name: 'MNIST', seen: seen.slice(0, most), held: held.slice(0, measured), missing: [] };
  }
  const border = (DRAWN_SIDE - MNIST_SIDE) / 2;
  const drawn = () => {
    const { samples } = digit(random);
    return Uint8Array.from({ length: MNIST_SIDE ** 2 }, (_, i) => {
      const [x, y] = [(i % MNIST_SIDE) + border, Math.floor(i / MNIST_SIDE) + border];
      return samples[3 * (y * DRAWN_SIDE + x)];
    });
  };
  const make = (count: number) => Array.from({ length: count }, drawn);
  const missing = [`MNIST is not at hand; digits are drawn in its place: ${installed(data)}`];
  return { ...shape, name: 'drawn digits', seen: make(Math.min(most, 4000)), held: make(measured), missing };
}

/** Means of two by two pixels. */
export function halved(ground: ImageGround): ImageGround {
  const { side, channels, seen, held } = ground;
  const half = side / 2;
  const image = (samples: Uint8Array) =>
    Uint8Array.from({ length: half * half * channels }, (_, i) => {
      const [pixel, c] = [Math.floor(i / channels), i % channels];
      const at = 2 * channels * (Math.floor(pixel / half) * side + (pixel % half)) + c;
      const below = at + side * channels;
      return (samples[at] + samples[at + channels] + samples[below] + samples[below + channels] + 2) >> 2;
    });
  return { ...ground, side: half, seen: seen.map(image), held: held.map(image) };
}

/**
 * CIFAR-10, or crops of photographs in its place: of some to learn from, of others to measure.
 *
 * @param most images to learn from; at most a sixth of it to measure
 * @throws {CnfzipError} `file` if what the folder holds is no such set
 */
export async function photographGround(data: string, most: number, random: Random): Promise<ImageGround> {
  const shape = { side: SIDE, channels: 3 as const };
  const measured = Math.ceil(most / 6);
  const [seen, held] = [await cifar(data, 'train', most, random), await cifar(data, 'test', measured, random)];
  const samples = (images: readonly Image[]) => images.map((image) => image.samples as Uint8Array);
  if (seen && held) return { ...shape, name: 'CIFAR-10', seen: samples(seen), held: samples(held), missing: [] };
  const whole = (await photographs(data, 1024, 12)).map(({ image }) => image);
  const crops = (from: readonly Image[], count: number) =>
    Array.from({ length: count }, () => {
      const one = from[random.below(from.length)];
      return part(one, random.below(one.width - SIDE + 1), random.below(one.height - SIDE + 1), SIDE, SIDE);
    });
  const own = whole.filter((_, i) => i % 3 !== 1);
  const others = whole.filter((_, i) => i % 3 === 1);
  return {
    ...shape,
    name: 'crops of photographs',
    seen: samples(crops(own, most)),
    held: samples(crops(others, measured)),
    missing: [`CIFAR-10 is not at hand; crops of photographs stand for it: ${installed(data)}`],
  };
}
