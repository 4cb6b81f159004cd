/** Whole photographs: the project's own, and those that a user has. */

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Image, maxvalOf } from '../../../codec/image.js';
import { decodePng } from '../../io/png.js';
import { fixture, PHOTOGRAPHS } from './fixtures.js';

export interface Photograph {
  readonly name: string;
  /** Red, green, blue, 8 bits each; no more than the samples. */
  readonly image: Image;
}

/** Where a user's own photographs are looked for in the folder of data. */
export const OWN_PHOTOGRAPHS = 'photographs';

/**
 * The fixtures and then the PNG files in `photographs` in the folder of data, those of them that have three channels of 8 bits; of
 * each the middle.
 *
 * @param side of the middle, at most, in pixels
 * @param most so many of the user's, the first by their names
 */
export async function photographs(data: string, side: number, most: number): Promise<Photograph[]> {
  const folder = join(data, OWN_PHOTOGRAPHS);
  const files = existsSync(folder) ? (await readdir(folder)).filter((name) => name.endsWith('.png')).sort() : [];
  const own: Photograph[] = [];
  for (const name of files) {
    if (own.length === most) break;
    const image = decodePng(await readFile(join(folder, name)));
    if (image.channels === 3 && maxvalOf(image) === 255) own.push({ name, image });
  }
  const held = await Promise.all(PHOTOGRAPHS.map(async (name) => ({ name, image: await fixture(name) })));
  return [...held, ...own].map(({ name, image }) => ({ name, image: middle(image, side) }));
}

/** For the configuration of a report. */
export function toldPhotographs(list: readonly Photograph[]): string {
  return list.map(({ name, image }) => `${name} (${image.width} x ${image.height})`).join(', ');
}

function middle({ width, height, channels, samples }: Image, side: number): Image {
  const [columns, rows] = [Math.min(width, side), Math.min(height, side)];
  return part({ width, height, channels, samples }, (width - columns) >> 1, (height - rows) >> 1, columns, rows);
}

/** A rectangle of an image of 8 bits. */
export function part({ width, channels, samples }: Image, x: number, y: number, columns: number, rows: number): Image {
  const cut = new Uint8Array(channels * columns * rows);
  for (let row = 0; row < rows; row++) {
    const from = channels * ((y + row) * width + x);
    cut.set(samples.subarray(from, from + channels * columns), channels * columns * row);
  }
  return { width: columns, height: rows, channels, samples: cut };
}
