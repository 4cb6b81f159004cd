/** cnfzip as a library for Node: images, PNG files, `.cnfz` files. For browsers there is `cnfzip/codec`. */
import { availableParallelism } from 'node:os';
import { type CodingOptions, checkKernel, decodeImage, encodeImage, info } from '../codec/codec.js';
import { CnfzipError } from '../codec/error.js';
import type { Image } from '../codec/image.js';
import type { Model } from '../codec/model.js';
import { tileCount } from '../codec/tiles.js';
import { readInput, writeFileAtomic } from './io/files.js';
import { decodePng, encodePng } from './io/png.js';
import { modelForDecoding, modelForEncoding } from './models.js';
import { WorkerPool } from './pool.js';

export type { FileInfo } from '../codec/codec.js';
export { CnfzipError, type CnfzipErrorCode } from '../codec/error.js';
export type { Image } from '../codec/image.js';
export type { Model } from '../codec/model.js';
export type { Tile } from '../codec/tiles.js';
export { loadModel } from './models.js';
export { decodePng, encodePng, info };

/** Options that `encode` and `decode` share. */
export interface Options {
  /**
   * When encoding: a model from `loadModel`, the path of a model's file, or the name of a shipped one: `fast`, `default`, `best`.
   * When decoding: a model or its path, beside the shipped ones; the file itself names the one it needs.
   */
  model?: Model | string;
  /**
   * Threads that code tiles, 1 .. 256; 1 stays in the calling thread. Without it: as many as the machine runs at
   * once, but no more than tiles. The result does not depend on it.
   */
  threads?: number;
  /** Called after each tile with the part that is done, above 0 and up to 1. */
  onProgress?: (fraction: number) => void;
}

const MAX_THREADS = 256;
const OPTION_NAMES = ['model', 'threads', 'onProgress'];

/**
 * Compresses an image without loss.
 *
 * @returns the bytes of a `.cnfz` file
 * @throws CnfzipError `bad-input`, `unsupported` (the image); `usage` (an option); `unknown-model`, `bad-model`, `file`
 */
export async function encode(image: Image, options: Options = {}): Promise<Uint8Array> {
  checkOptions(options);
  const model = await modelForEncoding(image.channels, options.model);
  return withCoder(model, image, options, (coding) => encodeImage(image, model, coding));
}

/**
 * Decodes a `.cnfz` file: the exact samples that were encoded, or an error.
 *
 * @throws CnfzipError `bad-input` (no `.cnfz` file), `corrupt`, `unsupported` (written by a newer cnfzip),
 *   `unknown-model`, `bad-model`, `usage` (an option), `file`
 */
export async function decode(bytes: Uint8Array, options: Options = {}): Promise<Image> {
  checkOptions(options);
  const { width, height, kernelVersion, modelHash } = info(bytes);
  checkKernel(kernelVersion);
  const model = await modelForDecoding(modelHash, options.model);
  return withCoder(model, { width, height }, options, (coding) => decodeImage(bytes, [model], coding));
}

/**
 * Reads a PNG file (see `decodePng`).
 *
 * @throws CnfzipError `file`, `bad-input`, `unsupported`
 */
export async function readPng(path: string): Promise<Image> {
  return decodePng(await readInput(path));
}

/**
 * Writes a PNG file: whole or not at all.
 *
 * @param options.force replace an existing file
 * @throws CnfzipError `file`
 */
export async function writePng(path: string, image: Image, options: { force?: boolean } = {}): Promise<void> {
  await writeFileAtomic(path, encodePng(image), options);
}

async function withCoder<T>(
  model: Model,
  size: { width: number; height: number },
  { threads, onProgress }: Options,
  work: (options: CodingOptions) => Promise<T>,
): Promise<T> {
  const count = Math.min(threads ?? availableParallelism(), tileCount(size.width, size.height), MAX_THREADS);
  // A malformed image has no tiles to count: `work` says what is wrong with it.
  if (!(count > 1)) return work({ onProgress });
  const pool = new WorkerPool(model, count);
  try {
    return await work({ onProgress, coder: pool });
  } finally {
    await pool.close();
  }
}

function checkOptions(options: Options): void {
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (unknown) throw new CnfzipError('usage', `there is no option ${unknown}; there are: ${OPTION_NAMES.join(', ')}`);
  const { model, threads, onProgress } = options;
  if (model !== undefined && typeof model !== 'string' && !(model?.weights instanceof Float32Array)) {
    throw new CnfzipError('usage', 'option model must be a model from loadModel, a path or a name');
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS)) {
    throw new CnfzipError('usage', `option threads must be an integer from 1 to ${MAX_THREADS}: ${threads}`);
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new CnfzipError('usage', 'option onProgress must be a function');
  }
}
