/**
 * cnfzip as a library for Node: images, image files, `.cnfz` files. For browsers there is `cnfzip/codec`.
 *
 * @module cnfzip
 */
import { availableParallelism } from 'node:os';
import { decodeImage, encodeImage } from '../codec/codec.js';
import type { CodingOptions } from '../codec/coding.js';
import { CnfzipError } from '../codec/error.js';
import type { Model } from '../codec/flow/model.js';
import { type Image, maxvalOf } from '../codec/image.js';
import { info } from '../codec/info.js';
import { tileCount } from '../codec/tiles.js';
import { readInput, reason, writeFileAtomic } from './io/files.js';
import {
  formatOfExtension,
  naturalFormat,
  type OutputFormat,
  readImage as parseImage,
  writeImage as serializeImage,
} from './io/formats.js';
import { checkLimits, type ImageSize, type Limits, threadsWithin } from './memory.js';
import { modelForDecoding, modelsForEncoding } from './models.js';
import { checkOptions, MAX_THREADS, type Options } from './options.js';
import { WorkerPool } from './pool.js';
import './webp.js';

export { CnfzipError, type CnfzipErrorCode } from '../codec/error.js';
export type { Model } from '../codec/flow/model.js';
export type { Channels, Image, Metadata } from '../codec/image.js';
export type { FileInfo, LayerInfo } from '../codec/info.js';
export type { Tile } from '../codec/tiles.js';
export type { ModelDefinition } from '../models/definition.js';
export type { OutputFormat } from './io/formats.js';
export { decodePng, encodePng } from './io/png.js';
export type { Limits } from './memory.js';
export { loadModel } from './models.js';
export type { Options } from './options.js';
export { info };

/**
 * Compresses an image without loss.
 *
 * @returns the bytes of a `.cnfz` file
 * @throws CnfzipError `bad-input`, `unsupported` (the image); `usage` (an option); `unknown-model`, `bad-model`, `file`
 * @example
 * ```js
 * import { writeFile } from 'node:fs/promises';
 * import { encode, readImage } from 'cnfzip';
 *
 * const image = await readImage('photo.png');
 * const bytes = await encode(image, { model: 'fast', threads: 2, onProgress: (part) => console.log(part) });
 * await writeFile('small.cnfz', bytes);
 * ```
 * @example Samples from a program of one's own, and from a pipeline of sharp
 * ```js
 * import { encode } from 'cnfzip';
 * import sharp from 'sharp';
 *
 * const depth = await encode({ width: 2, height: 1, channels: 1, maxval: 1023, samples: Uint16Array.of(7, 1000) });
 *
 * const { data, info } = await sharp('photo.png').resize(64).raw().toBuffer({ resolveWithObject: true });
 * const { width, height, channels } = info;
 * const thumbnail = await encode({ width, height, channels, samples: data });
 * console.log(depth.length, thumbnail.length);
 * ```
 * @example Stopping
 * ```js
 * import { encode, readImage } from 'cnfzip';
 *
 * const image = await readImage('photo.png');
 * try {
 *   await encode(image, { signal: AbortSignal.timeout(1) });
 * } catch (error) {
 *   console.log(error.name); // TimeoutError
 * }
 * ```
 */
export async function encode(image: Image, options: Options = {}): Promise<Uint8Array> {
  checkOptions(options, 'encode');
  const size = { ...image, maxval: maxvalOf(image) };
  checkLimits(size, options);
  const models = await modelsForEncoding(image.channels, options.model);
  return withThreads(size, options, (coding) => encodeImage(image, models, coding));
}

/**
 * Decodes a `.cnfz` file: the exact samples, palette and metadata that were encoded, or an error.
 *
 * @throws CnfzipError `bad-input` (no `.cnfz` file), `corrupt`, `unsupported` (written by a newer cnfzip, or beyond the
 *   limits), `unknown-model`, `bad-model`, `usage` (an option), `file`
 * @example
 * ```js
 * import { readFile } from 'node:fs/promises';
 * import { CnfzipError, decode } from 'cnfzip';
 *
 * const bytes = await readFile('photo.cnfz');
 * const { width, height, channels, samples } = await decode(bytes, { maxPixels: 50e6 });
 * console.log(samples.length === width * height * channels);
 *
 * try {
 *   await decode(bytes.subarray(0, 99));
 * } catch (error) {
 *   if (!(error instanceof CnfzipError)) throw error;
 *   console.log(error.code, error.message); // corrupt, cut short: ...
 * }
 * ```
 */
export async function decode(bytes: Uint8Array, options: Options = {}): Promise<Image> {
  checkOptions(options, 'decode');
  const facts = info(bytes);
  checkLimits(facts, options);
  const hashes = facts.layers.flatMap(({ modelHash }) => modelHash ?? []);
  const models = await Promise.all(hashes.map((hash) => modelForDecoding(hash, options.model)));
  return withThreads(facts, options, (coding) => decodeImage(bytes, models, coding));
}

/**
 * Reads an image of any format that cnfzip knows: PNG, Netpbm, TIFF, WebP, BMP, GIF (its first frame), JPEG.
 *
 * @param source path of a file, its bytes, or a stream of them
 * @param limits images beyond them are refused before their samples are decoded
 * @throws CnfzipError `file`, `bad-input`, `unsupported`; `usage` (an option, or a source that is none of these)
 * @example
 * ```js
 * import { createReadStream } from 'node:fs';
 * import { readImage } from 'cnfzip';
 *
 * const image = await readImage('photo.png');
 * const same = await readImage(createReadStream('photo.png'));
 * console.log(image.width === same.width, image.metadata);
 * ```
 */
export async function readImage(
  source: string | Uint8Array | AsyncIterable<Uint8Array>,
  limits: Limits = {},
): Promise<Image> {
  checkOptions(limits, 'readImage');
  return (await parseImage(await readBytes(source), limits)).image;
}

/**
 * Writes an image file: whole or not at all.
 *
 * @param options.format what to write; without it what the path's extension says, or PNG, or Netpbm if no PNG can hold the
 *   samples as they are
 * @param options.force replace an existing file
 * @throws CnfzipError `file`; `unsupported` if the format cannot hold the samples
 * @example
 * ```js
 * import { readFile } from 'node:fs/promises';
 * import { decode, writeImage } from 'cnfzip';
 *
 * await writeImage('photo.tiff', await decode(await readFile('photo.cnfz')));
 * ```
 */
export async function writeImage(
  path: string,
  image: Image,
  options: { format?: OutputFormat; force?: boolean } = {},
): Promise<void> {
  const { bytes } = await serializeImage(
    image,
    options.format ?? formatOfExtension(path) ?? naturalFormat({ ...image, maxval: maxvalOf(image) }),
  );
  await writeFileAtomic(path, bytes, { force: options.force });
}

async function readBytes(source: string | Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (typeof source === 'string') return readInput(source);
  const noSource = () => new CnfzipError('usage', 'an image is read from a path, a Uint8Array or a stream of these');
  if (typeof (source as typeof source | undefined)?.[Symbol.asyncIterator] !== 'function') throw noSource();
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of source) {
      if (!(piece instanceof Uint8Array)) throw noSource();
      pieces.push(piece);
    }
  } catch (error) {
    throw error instanceof CnfzipError ? error : new CnfzipError('file', reason(error), { cause: error });
  }
  return Buffer.concat(pieces);
}

/** Runs `work` with as many threads as are asked for, worth while, and within the limit of memory. */
async function withThreads<T>(
  size: ImageSize,
  options: Options,
  work: (coding: CodingOptions) => Promise<T>,
): Promise<T> {
  const { onProgress, signal } = options;
  signal?.throwIfAborted();
  const wanted = Math.min(options.threads ?? availableParallelism(), tileCount(size.width, size.height), MAX_THREADS);
  const threads = threadsWithin(options.maxMemory, size, wanted);
  // A malformed image has no tiles to count: `work` says what is wrong with it.
  if (!(threads > 1)) return work({ onProgress, signal });
  const pools: WorkerPool[] = [];
  const coderOf = async (model: Model) => {
    const pool = new WorkerPool(model, threads);
    pools.push(pool);
    return pool;
  };
  try {
    return await work({ onProgress, signal, coderOf });
  } finally {
    await Promise.all(pools.map((pool) => pool.close()));
  }
}
