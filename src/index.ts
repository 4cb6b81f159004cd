/**
 * cnfzip as a library for Node: images, image files, `.cnfz` files. For browsers there is `cnfzip/codec`.
 *
 * @module cnfzip
 */
import { attachedBytes, readAttachments } from '../codec/container/attachments.js';
import { checkBytes, readParts } from '../codec/container/container.js';
import { readHead } from '../codec/container/head.js';
import { CnfzipError } from '../codec/error.js';
import { checkImage, type Image, maxvalOf } from '../codec/image.js';
import { describe, type FileInfo } from '../codec/info.js';
import { fileError } from './io/files/errors.js';
import { readInput } from './io/files/read.js';
import { writeFileAtomic } from './io/files/write.js';
import {
  formatOfExtension,
  naturalFormat,
  type OutputFormat,
  readImage as parseImage,
  writeImage as serializeImage,
} from './io/formats.js';
import { Codec, openWith, withCodec } from './session/codec.js';
import { checkLimits, type Limits } from './session/memory.js';
import type { Openable, OpenFile } from './session/open.js';
import { type CodecOptions, checkOptions, type EncodeOptions, type Options } from './session/options.js';

export type { Effort } from '../codec/coding.js';
export type { Method, TileMethod } from '../codec/container/contents.js';
export { CnfzipError, type CnfzipErrorCode } from '../codec/error.js';
export type { Learning } from '../codec/flow/learning.js';
export type { AdaptationRates, Model } from '../codec/flow/model.js';
export type { Channels, Image, Metadata } from '../codec/image.js';
export type { FileInfo, LayerInfo, ScaleInfo } from '../codec/info.js';
export type { ScaledImage } from '../codec/open.js';
export { httpSource, type Source, streamSource } from '../codec/source.js';
export type { Tile } from '../codec/tiles.js';
export type { Region, ViewOptions } from '../codec/view.js';
export type { ModelDefinition } from '../models/definition.js';
export type { NamedImage } from './archive/create.js';
export {
  type ArchivedImage,
  type ArchiveOptions,
  createArchive,
  type OpenArchive,
  openArchive,
} from './archive/library.js';
export type { OutputFormat } from './io/formats.js';
export { decodePng, encodePng } from './io/png.js';
export { Codec } from './session/codec.js';
export type { Limits } from './session/memory.js';
export { loadModel } from './session/models.js';
export type { Openable, OpenFile } from './session/open.js';
export type {
  CallOptions,
  CodecOptions,
  EncodeCallOptions,
  EncodeOptions,
  Options,
  ViewingOptions,
} from './session/options.js';

/**
 * Compresses an image without loss.
 *
 * @returns the bytes of a `.cnfz` file
 * @throws CnfzipError `bad-input`, `unsupported` (the image, or limits); `usage` (an option); `unknown-model`, `bad-model`,
 *   `file`; `corrupt` if the result does not decode to the image
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
export async function encode(image: Image, options: EncodeOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  checkOptions(options, 'encode');
  const { model, threads, maxPixels, maxMemory, ...call } = options;
  return withCodec({ model, threads, maxPixels, maxMemory }, (codec) => codec.encode(image, call));
}

/**
 * Decodes a `.cnfz` file: the exact samples, palette and metadata that were encoded, or an error.
 *
 * @throws CnfzipError `bad-input` (no `.cnfz` file), `corrupt`, `unsupported` (written by a newer cnfzip, or beyond the
 *   limits), `unknown-model`, `bad-model`, `usage` (an option, or no bytes), `file`
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
  const { model, threads, maxPixels, maxMemory, ...call } = options;
  return withCodec({ model, threads, maxPixels, maxMemory }, (codec) => codec.decode(bytes, call));
}

/**
 * Opens a `.cnfz` file: reads its head and metadata, and later what each image needs.
 *
 * @param from its path, its address (a `URL` of http or https, from which ranges are fetched, or of a file), its bytes, a Blob, a stream,
 *   or a source of one's own
 * @param options for all images of the file
 * @throws CnfzipError as `info`; `file`
 * @example
 * ```js
 * import { open } from 'cnfzip';
 *
 * const file = await open('photo.cnfz');
 * const thumbnail = await file.decode({ scale: 1 / 4 });
 * const part = await file.decode({ region: { x: 10, y: 20, width: 64, height: 48 } });
 * for await (const { scale, image } of file.finer()) console.log(scale, image.width, image.height);
 * await file.close();
 * console.log(thumbnail.width, part.samples.length, file.info.scales);
 * ```
 */
export async function open(from: Openable, options: CodecOptions = {}): Promise<OpenFile> {
  checkOptions(options, 'codec');
  return openWith(from, options, () => new Codec(options).viewer());
}

/**
 * Describes a `.cnfz` file without decoding its samples; the checksums of all its bytes are checked.
 *
 * @param limits files that `decode` would refuse for them are refused
 * @throws CnfzipError `bad-input` (no `.cnfz` file), `corrupt`, `unsupported` (written by a newer cnfzip, or beyond the
 *   limits), `usage` (an option, or no bytes)
 * @example
 * ```js
 * import { readFile } from 'node:fs/promises';
 * import { info } from 'cnfzip';
 *
 * const { width, height, bitsPerSample, layers } = info(await readFile('photo.cnfz'));
 * console.log(width, height, bitsPerSample, layers[0].method);
 * ```
 */
export function info(bytes: Uint8Array, limits: Limits = {}): FileInfo {
  checkOptions(limits, 'info');
  checkBytes(bytes);
  const head = readHead(bytes);
  const container = readParts(head, bytes);
  const size = { ...container, metadataBytes: attachedBytes(container) };
  checkLimits(size, limits, { operation: 'decode', models: [] });
  return describe(head, readAttachments(container));
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
 * @throws CnfzipError `bad-input`, `unsupported` (the image, or a format that cannot hold its samples); `file`; `usage` (an
 *   option, or no path)
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
  checkOptions(options, 'writeImage');
  if (typeof path !== 'string') throw new CnfzipError('usage', 'the path of an image must be a string');
  checkImage(image);
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
    throw fileError(error);
  }
  return Buffer.concat(pieces);
}
