/**
 * cnfzip in browsers: all work is done in workers, PNG and Netpbm are read and written without a canvas, and models are fetched when
 * they are needed first.
 *
 * @module cnfzip/browser
 */
import { CnfzipError } from '../../codec/error.js';
import type { Image } from '../../codec/image.js';
import type { FileInfo } from '../../codec/info.js';
import { type OpenedImage, openImage, type ScaledImage } from '../../codec/open.js';
import type { ViewOptions } from '../../codec/view.js';
import type { CompressSettings, ImageFile } from './calls.js';
import { inPool, threadsOf } from './workers.js';

export { CnfzipError, type CnfzipErrorCode } from '../../codec/error.js';
export type { Channels, Image, Metadata } from '../../codec/image.js';
export type { FileInfo, LayerInfo, ScaleInfo } from '../../codec/info.js';
export type { ScaledImage } from '../../codec/open.js';
export type { Region, ViewOptions } from '../../codec/view.js';
export type { CompressSettings, ImageFile } from './calls.js';
export type { ColourModel } from './models.js';

/** Options of all calls. */
export interface CallOptions {
  /** Ends the work at once; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Called after each tile with the part that is done, above 0 and up to 1. */
  onProgress?: (fraction: number) => void;
  /** Workers that code the tiles of an image at once, 1 .. 8; without it as many as the machine runs. The result is the same. */
  threads?: number;
}

export interface CompressOptions extends CallOptions, CompressSettings {}

/** An image, or the bytes of a PNG or Netpbm file. */
export type ImageSource = Blob | Uint8Array | ArrayBuffer | ImageData | Image;

/** The bytes of a `.cnfz` file. */
export type FileSource = Blob | Uint8Array | ArrayBuffer;

/**
 * Compresses an image without loss, in a worker.
 *
 * @returns the bytes of a `.cnfz` file: the same as `encode` of `cnfzip` gives, but without WebP where libwebp cannot be fetched
 * @throws CnfzipError as `encode` of `cnfzip`; `file` if a model cannot be fetched
 */
export async function compress(source: ImageSource, options: CompressOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const { signal, onProgress, threads: asked, ...settings } = options;
  const threads = threadsOf(asked);
  const input = isImage(source) ? imageOf(source) : toBlob(source);
  return inPool({ kind: 'compress', input, settings, threads }, { signal, onProgress });
}

/**
 * Decompresses a `.cnfz` file, in a worker.
 *
 * @returns a PNG file; a Netpbm file of samples that no PNG holds as they are
 * @throws CnfzipError as `decode` of `cnfzip`; `file` if a model cannot be fetched, or libwebp where parts of the file are WebP
 */
export async function decompress(source: FileSource, options: CallOptions = {}): Promise<ImageFile> {
  const { signal, onProgress, threads } = options;
  const call = { kind: 'decompress', input: toBlob(source), threads: threadsOf(threads) } as const;
  return inPool(call, { signal, onProgress });
}

/**
 * Reads the samples of a PNG or Netpbm file exactly, in a worker.
 *
 * @throws CnfzipError `bad-input`, `unsupported`
 */
export async function readImage(source: FileSource, { signal }: CallOptions = {}): Promise<Image> {
  return inPool({ kind: 'read', input: toBlob(source) }, { signal });
}

/**
 * Opens a `.cnfz` file: reads its head.
 *
 * @throws CnfzipError `bad-input`, `corrupt`, `unsupported`
 */
export async function open(source: FileSource): Promise<OpenFile> {
  const blob = toBlob(source);
  return new OpenFile(blob, await openImage(blob));
}

/** A `.cnfz` file that is open. */
export class OpenFile {
  readonly info: FileInfo;
  readonly #blob: Blob;
  readonly #file: OpenedImage;

  /** @internal */
  constructor(blob: Blob, file: OpenedImage) {
    this.info = file.info;
    this.#blob = blob;
    this.#file = file;
  }

  /** The image, a smaller one or a region, decoded in a worker, which reads no more of the file than that needs. */
  async decode(options: CallOptions & ViewOptions = {}): Promise<Image> {
    const { signal, onProgress, threads: asked, ...view } = options;
    const threads = threadsOf(asked);
    return inPool({ kind: 'decode', input: this.#blob, view, threads }, { signal, onProgress });
  }

  /** Ever finer images, to the scale that is wanted. */
  async *finer(options: CallOptions & ViewOptions = {}): AsyncGenerator<ScaledImage, void, undefined> {
    for (const scale of this.#file.scalesTo(options)) yield { scale, image: await this.decode({ ...options, scale }) };
  }
}

function isImage(source: ImageSource): source is ImageData | Image {
  return !(source instanceof Blob || source instanceof Uint8Array || source instanceof ArrayBuffer);
}

function imageOf(source: ImageData | Image): Image {
  if (!('data' in source)) return source;
  const { data, width, height } = source;
  return {
    width,
    height,
    channels: 4,
    samples: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.length),
  };
}

function toBlob(source: FileSource): Blob {
  if (source instanceof Blob) return source;
  if (source instanceof ArrayBuffer || source instanceof Uint8Array) return new Blob([source as BlobPart]);
  throw new CnfzipError('usage', 'a file is given as Blob, ArrayBuffer or Uint8Array');
}
