/** Images as tables: a row for each patch, a column for each of its samples. */

import { CnfzipError } from '../../codec/error.js';
import type { Channels, Image } from '../../codec/image.js';
import type { Table } from './table.js';

/** Samples of a patch: rows of pixels, pixels in a row, channels of a pixel. */
export interface PatchShape {
  readonly height: number;
  readonly width: number;
  readonly channels: Channels;
}

export interface NamedImage {
  /** For messages. */
  readonly name: string;
  readonly image: Image;
}

/** What a flow has columns for. */
const MOST_SAMPLES = 4096;

/** Columns are named by place and channel, which is how a flow knows the shape of its patches: `y0x0c0` to `y7x7c2`. */
const LAST_COLUMN = /^y(\d+)x(\d+)c([0-3])$/;

/** The shape of the patches that a flow's columns are of; nothing for columns of another kind. */
export function shapeOfColumns(names: readonly string[]): PatchShape | undefined {
  const found = LAST_COLUMN.exec(names.at(-1) ?? '');
  if (!found) return undefined;
  const [y, x, c] = found.slice(1).map(Number);
  const shape = { height: y + 1, width: x + 1, channels: (c + 1) as Channels };
  // Before memory is taken for its names.
  if (shape.height * shape.width * shape.channels !== names.length) return undefined;
  return namesOf(shape).every((name, i) => name === names[i]) ? shape : undefined;
}

/**
 * All images in patches side by side, row by row from the top left; what is left over at the right and below does not count.
 *
 * @param patch the patches' shape, or their side, or nothing for whole images
 * @throws {CnfzipError} `bad-input` for no images, an image with a palette, and images or a shape that do not fit together
 */
export function imageTable(images: readonly NamedImage[], patch?: PatchShape | number): Table {
  if (images.length === 0) throw new CnfzipError('bad-input', 'there is no PNG file in it');
  const { width, height, channels } = images[0].image;
  const shape: PatchShape =
    typeof patch === 'object' ? patch : { height: patch ?? height, width: patch ?? width, channels };
  const samples = shape.height * shape.width * shape.channels;
  if (samples > MOST_SAMPLES)
    throw new CnfzipError(
      'bad-input',
      `a row would have ${samples} samples where a flow has ${MOST_SAMPLES} columns at most: take patches (option --patch)`,
    );
  for (const { name, image } of images) checkFits(name, image, shape, patch === undefined);
  const rows = images.map(({ image }) => rowsOf(image, shape));
  return {
    names: namesOf(shape),
    decimals: new Array(samples).fill(0),
    rows: rows.reduce((sum, { length }) => sum + length / samples, 0),
    integers: concatenated(rows),
  };
}

function checkFits(name: string, { width, height, channels, palette }: Image, shape: PatchShape, whole: boolean): void {
  const bad = (what: string) => new CnfzipError('bad-input', `${name} ${what}`);
  if (palette) throw bad('has a palette: its samples are no brightness');
  if (channels !== shape.channels) throw bad(`has ${channels} channels where a row has ${shape.channels}`);
  if (whole && (width !== shape.width || height !== shape.height))
    throw bad(
      `is ${width} x ${height} where the first is ${shape.width} x ${shape.height}: take patches (option --patch)`,
    );
  if (width < shape.width || height < shape.height)
    throw bad(`is ${width} x ${height}, less than a patch of ${shape.width} x ${shape.height}`);
}

function rowsOf({ width, height, channels, samples }: Image, shape: PatchShape): Int32Array {
  const [across, down] = [Math.floor(width / shape.width), Math.floor(height / shape.height)];
  const row = shape.width * channels;
  const integers = new Int32Array(across * down * shape.height * row);
  let to = 0;
  for (let patch = 0; patch < across * down; patch++) {
    const [left, top] = [(patch % across) * shape.width, Math.floor(patch / across) * shape.height];
    for (let y = top; y < top + shape.height; y++, to += row) {
      const from = (y * width + left) * channels;
      integers.set(samples.subarray(from, from + row), to);
    }
  }
  return integers;
}

function namesOf({ height, width, channels }: PatchShape): string[] {
  return Array.from({ length: height * width * channels }, (_, i) => {
    const pixel = Math.floor(i / channels);
    return `y${Math.floor(pixel / width)}x${pixel % width}c${i % channels}`;
  });
}

function concatenated(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
