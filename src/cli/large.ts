/** Large images, which go through memory by bands: how they are encoded, and what their files are proven by. */
import { createHash } from 'node:crypto';
import { type Image, type ImageHeader, sameImage } from '../../codec/image.js';
import { MAX_WEBP_PIXELS } from '../../codec/layers/webp.js';
import { CnfzipError, type Codec, type EncodeCallOptions, type OpenFile, type Source } from '../index.js';
import { type Band, updateWithBand, WHOLE_PIXELS } from '../io/banded/image.js';
import { openBanded } from '../io/banded/open.js';
import { type BandedFormat, type ProvenPieces, provenPieces } from '../io/banded/prove.js';
import { openSpool } from '../io/files/spool.js';
import { imageToEncode } from '../io/strip.js';
import type { EncodedBands } from '../session/codec.js';
import { checkLimits, memoryFor } from '../session/memory.js';
import type { CommonOptions } from './options.js';
import type { FileProgress } from './progress.js';

/** An image's file, and how it is encoded. */
export interface Encoding {
  readonly source: Source;
  readonly codec: Codec;
  readonly options: CommonOptions & { strip?: boolean };
  readonly encoding: Pick<EncodeCallOptions, 'learning' | 'effort'>;
  readonly progress: FileProgress;
  /** That encoding is of all the work. */
  readonly share: number;
}

/** SHA-256 of samples, and what else there is of their image. */
export interface Digested {
  readonly image: ImageHeader;
  readonly digest: string;
}

/**
 * Encodes a large image in memory for one band of it; nothing if it is not large, cannot be read by bands, or is such that its file would
 * be another one than by all of it at once, for which there is memory.
 *
 * @param take is given what is there only until it is done
 */
export async function encodeLarge<T>(
  { source, codec, options, encoding, progress, share }: Encoding,
  take: (encoded: EncodedBands & Digested) => Promise<T>,
): Promise<T | undefined> {
  const openFile = () => openBanded(source, { maxPixels: options.maxPixels });
  const header = (await openFile())?.header;
  if (!header) return undefined;
  const asWhole = mayBeWhole(header, options);
  if (asWhole && header.width * header.height <= WHOLE_PIXELS) return undefined;
  progress.start(header);
  const spool = await openSpool();
  try {
    const digest = createHash('sha256');
    const encoded = await codec.encodeBands(async () => (await openFile())!, spool, {
      ...encoding,
      asWhole,
      keep: (whole) => imageToEncode(whole, options),
      onBand: (band) => updateWithBand(digest, band),
      onProgress: (part) => progress.update(share * part),
    });
    progress.clear();
    return encoded && (await take({ ...encoded, digest: digest.digest('hex') }));
  } finally {
    progress.clear();
    await spool.close();
  }
}

/** Decodes what was encoded, and compares. */
export async function proveFile(file: OpenFile, encoded: Digested, onProgress: (part: number) => void): Promise<void> {
  const found = createHash('sha256');
  for await (const band of file.bands({ onProgress })) updateWithBand(found, band.samples);
  if (sameDigested({ image: headerOf(file), digest: found.digest('hex') }, encoded)) return;
  throw new CnfzipError('corrupt', 'the result does not decode to the image that was encoded');
}

export function sameDigested(a: Digested, b: Digested): boolean {
  const [one, other] = [a, b].map(({ image }): Image => ({ ...image, samples: new Uint8Array() }));
  return a.digest === b.digest && sameImage(one, other);
}

/** What decompressing a file by bands writes, once; each band is told when it is decoded. */
export function piecesOf(
  file: OpenFile,
  format: BandedFormat,
  { maxPixels }: CommonOptions,
  onProgress: (fraction: number) => void,
  onBand: (band: Band) => void = () => {},
): ProvenPieces {
  const image = headerOf(file);
  checkLimits(image, { maxPixels });
  async function* bands() {
    for await (const { samples } of file.bands({ onProgress })) {
      onBand(samples);
      yield samples;
    }
  }
  return provenPieces({ ...image, bands: bands() }, format);
}

/** Of an open file, as its image has it. */
export function headerOf({ info, palette, metadata }: OpenFile): ImageHeader {
  const { width, height, channels, maxval } = info;
  return { width, height, channels, maxval, palette, metadata };
}

/** Whether an image may be compressed as a whole: where WebP codes it not only in tiles, and there is memory for all of it. */
function mayBeWhole(image: ImageHeader, { maxMemory = Number.POSITIVE_INFINITY }: CommonOptions): boolean {
  const whole = memoryFor(image, { operation: 'encode', models: [] }, 1);
  return image.width * image.height <= MAX_WEBP_PIXELS && whole <= maxMemory;
}
