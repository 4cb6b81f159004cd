/**
 * How much memory an image takes from its file to its file, by measurements of whole processes (`npm run bench:memory`): never
 * less than what was measured, and for photographs at most half as much again.
 */
import { CnfzipError } from '../../codec/error.js';
import type { Model } from '../../codec/flow/model.js';
import { maxTilePixels } from '../../codec/tiles.js';

/** What an image may take. */
export interface Limits {
  /** Images of more pixels are refused before memory is taken for them. Without it 2^32 is the most, and 2^28 of what is in memory at once. */
  maxPixels?: number;
  /**
   * Bytes of memory to stay within, by estimate: for it threads are left out, and graphics are coded in tiles where they might
   * be smaller as a whole; what needs more is refused.
   */
  maxMemory?: number;
}

/** What is known of an image before its samples are decoded. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Largest value of a sample. */
  readonly maxval: number;
  /** Bytes of palette and metadata; 0 without it. */
  readonly metadataBytes?: number;
}

/** What is to be done with an image; without more being known, the least that it can be. */
export interface Work {
  readonly operation: 'encode' | 'decode';
  /** That code its layers. */
  readonly models: readonly Model[];
  /** When decoding: pixels of the one WebP that the file may have for all of the image. */
  readonly webpPixels?: number;
  /** Of the largest tile; without it that of an image of this size. */
  readonly tilePixels?: number;
}

/** Pixels of the one WebP that a file may have for all of its image. */
export function webpPixelsOf({
  width,
  height,
  layers,
}: {
  readonly width: number;
  readonly height: number;
  readonly layers: readonly { readonly method: string }[];
}): number {
  return layers.some(({ method }) => method === 'webp') ? width * height : 0;
}

/** Bytes of a process that has coded a small image, but for what follows; encoding, with libwebp and what verifying leaves. */
const PROCESS = { encode: 130e6, decode: 85e6 };
/** Bytes of a thread, and for each weight of its model: those it was given, and those that learn, with their moments. */
const THREAD = 20e6;
const WEIGHT = 24;
/** Bytes that a coder of tiles has for each pixel of the largest, and for each pixel and channel of its network. */
const CODER_PIXEL = { encode: 88, decode: 66 };
const CODER_CHANNEL = 1.05;
/** Copies of the samples beside each other, compressed ones counted in part: in coding, and in reading or writing a PNG. */
const CODING_COPIES = { encode: 4.3, decode: 2.5 };
const FILE_COPIES = 4;
/** Further copies while alpha is coded apart, and of samples of two bytes, which are turned to PNG's order and deflated. */
const ALPHA_COPIES = 1.5;
const DEEP_COPIES = 3;
/** Copies of palette and metadata beside each other: in the files, inflated, and read again to compare them. */
const METADATA_COPIES = { encode: 5.5, decode: 4 };
/** Bytes that libwebp has for each pixel of a whole image: encoding and then decoding it, or decoding alone. */
const WEBP_PIXEL = { encode: 60, decode: 16 };

/** @throws CnfzipError `unsupported` if the image is beyond the limits, on one thread even */
export function checkLimits(
  size: ImageSize,
  { maxPixels, maxMemory }: Limits,
  work: Work = { operation: 'encode', models: [] },
): void {
  const { width, height } = size;
  if (maxPixels !== undefined && width * height > maxPixels) {
    throw new CnfzipError('unsupported', `${width} x ${height} pixels are more than the limit of ${maxPixels}`);
  }
  const needed = memoryFor(size, work, 1);
  if (maxMemory === undefined || !(needed > maxMemory)) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  const { metadataBytes = 0 } = size;
  const metadata = metadataBytes > 0 ? ` and ${megabytes(metadataBytes)} of metadata` : '';
  throw new CnfzipError(
    'unsupported',
    `${width} x ${height} pixels${metadata} take about ${megabytes(needed)} of memory, more than the limit of ${megabytes(maxMemory)}`,
  );
}

/**
 * What stays within a limit of memory, so far as there is a choice.
 *
 * @param limit in bytes; without it there is none
 * @param wanted threads, at least 1
 * @returns as many of the threads as fit, but one at least; whether WebP may encode all of the image at once, which goes before
 *   threads so that the result does not depend on their number
 */
export function planWithin(
  limit: number | undefined,
  size: ImageSize,
  work: Work,
  wanted: number,
): { threads: number; wholeWebp: boolean } {
  if (limit === undefined) return { threads: wanted, wholeWebp: true };
  const webp = work.operation === 'encode' ? WEBP_PIXEL.encode * size.width * size.height : 0;
  const wholeWebp = memoryFor(size, work, 1) + webp <= limit;
  const left = wholeWebp ? limit - webp : limit;
  let threads = wanted;
  while (threads > 1 && memoryFor(size, work, threads) > left) threads--;
  return { threads, wholeWebp };
}

/** Bytes of memory that a process takes at most, from file to file, but for what WebP may take to encode a whole image. */
export function memoryFor(size: ImageSize, work: Work, threads: number): number {
  const { width, height, channels, maxval, metadataBytes = 0 } = size;
  const { operation, models, webpPixels = 0, tilePixels = maxTilePixels(width, height) } = work;
  const deep = maxval > 255;
  const samples = width * height * channels * (deep ? 2 : 1);
  const coders = models.map(
    ({ definition, weights }) =>
      THREAD + WEIGHT * weights.length + tilePixels * (CODER_PIXEL[operation] + CODER_CHANNEL * definition.width),
  );
  const copies = CODING_COPIES[operation] + (channels % 2 === 0 ? ALPHA_COPIES : 0);
  const coding = threads * Math.max(0, ...coders) + copies * samples + WEBP_PIXEL.decode * webpPixels;
  const file = FILE_COPIES * samples;
  const more = deep ? DEEP_COPIES * samples : 0;
  return PROCESS[operation] + METADATA_COPIES[operation] * metadataBytes + more + Math.max(coding, file);
}
