/** TIFF, WebP, GIF and JPEG through libvips: exact samples, no colour management, metadata as the chunks PNG has for it. */
import { deflateSync } from 'node:zlib';
import type { Metadata as SharpMetadata } from 'sharp';
import { CnfzipError } from '../../codec/error.js';
import {
  type Channels,
  checkHeld,
  type Image,
  MAX_HELD_PIXELS,
  MAX_VALUE,
  type Metadata,
  maxvalOf,
} from '../../codec/image.js';
import { encodeWebpFile, fitsWebp } from '../../codec/layers/webp.js';
import { toSource } from '../../codec/source.js';
import { checkLimits, type Limits } from '../session/memory.js';
import { type Decoded, damaged, type Remarks } from './decoded.js';
import { expand } from './expand.js';
import { inspectGif } from './gif-blocks.js';
import { scaleSamples } from './scale.js';
import { loadSharp } from './sharp.js';
import { readTiffDirectory } from './tiff-directory.js';
import { inspectTiff } from './tiff-tags.js';
import { inspectWebp } from './webp-chunks.js';

/** libvips' names of the kinds of samples that are kept as they are, by depth and whether there is colour. */
const SPACES = { uchar: ['b-w', 'srgb'], ushort: ['grey16', 'rgb16'] } as const;

const LOSSY = 'itself is smaller than any lossless file of its samples: keep it';

/** The readers below throw CnfzipError `bad-input`; `unsupported`, also if an image is beyond the limits, before it is decoded. */
export async function readTiff(bytes: Uint8Array, limits: Limits): Promise<Decoded> {
  const source = toSource(bytes);
  return decodeRaster(bytes, 'TIFF', limits, await inspectTiff(await readTiffDirectory(source), source));
}

export async function readWebp(bytes: Uint8Array, limits: Limits): Promise<Decoded> {
  return decodeRaster(bytes, 'WebP', limits, inspectWebp(bytes, `the lossy WebP ${LOSSY}`));
}

export async function readGif(bytes: Uint8Array, limits: Limits): Promise<Decoded> {
  return decodeRaster(bytes, 'GIF', limits, inspectGif(bytes));
}

export async function readJpeg(bytes: Uint8Array, limits: Limits): Promise<Decoded> {
  return decodeRaster(bytes, 'JPEG', limits, { lost: [`the JPEG ${LOSSY}`] });
}

/** @param remarks on what of the file is not in its samples */
export async function decodeRaster(
  bytes: Uint8Array,
  kind: string,
  limits: Limits,
  { lost, metadata: told = [] }: Remarks,
): Promise<Decoded> {
  const sharp = await loadSharp(kind);
  // libtiff warns of tags that it does not know; libjpeg, of data that is missing.
  const failOn = kind === 'TIFF' ? 'error' : 'warning';
  const source = () => sharp(bytes, { limitInputPixels: MAX_HELD_PIXELS, failOn, ignoreIcc: true });
  const refuse = (error: unknown) => damaged(kind, (error as Error).message.split('\n')[0], error);
  const facts = await source()
    .metadata()
    .catch((error) => {
      throw refuse(error);
    });
  const { width, height, depth, space, channels: found, hasAlpha, pages = 1 } = facts;
  const colours = found - (hasAlpha ? 1 : 0);
  const known = (depth === 'uchar' || depth === 'ushort') && (colours === 1 || colours === 3);
  if (!known || !['srgb', 'b-w', 'rgb16', 'grey16', 'rgb'].includes(space)) {
    throw new CnfzipError(
      'unsupported',
      `a ${kind} of ${found} channels (${space}, ${depth}): gray and RGB of 8 or 16 bits are known`,
    );
  }
  const maxval = depth === 'ushort' ? MAX_VALUE : 255;
  checkHeld(width, height);
  checkLimits({ width, height, channels: found, maxval }, limits);
  const { data, info } = await source()
    .toColourspace(spaceOf(depth, found))
    .raw({ depth })
    .toBuffer({ resolveWithObject: true })
    .catch((error) => {
      throw refuse(error);
    });
  const planned = info.width === width && info.height === height && info.channels === (found === 2 ? 4 : found);
  if (!planned) throw new CnfzipError('unsupported', `a ${kind} of an unusual kind (${space}, ${depth})`);
  // A copy, as the buffer need not begin where 16-bit numbers may.
  const raw = depth === 'ushort' ? new Uint16Array(Uint8Array.from(data).buffer) : Uint8Array.from(data);
  const samples = found === 2 ? raw.filter((_, i) => i % 4 === 0 || i % 4 === 3) : raw;
  const metadata = [...metadataOf(facts), ...told];
  const further = `only the first of ${pages} ${kind === 'TIFF' ? 'pages' : 'frames'} is kept`;
  return {
    image: {
      width,
      height,
      channels: found as Channels,
      maxval,
      samples,
      ...(metadata.length > 0 && { metadata }),
    },
    lost: pages > 1 ? [further, ...lost] : lost,
  };
}

/**
 * A TIFF file of 8 or 16 bits; samples of other ranges are scaled to the next of these, gray with alpha becomes RGBA.
 * Metadata is left out.
 */
export async function encodeTiff(image: Image): Promise<Uint8Array> {
  const { width, height, channels, samples, maxval } = plain(image);
  const sharp = await loadSharp('TIFF');
  const range = rasterRange(maxval);
  const scaled = scaleSamples(samples, maxval, range);
  return sharp(scaled, { raw: { width, height, channels }, limitInputPixels: MAX_HELD_PIXELS })
    .toColourspace(spaceOf(range > 255 ? 'ushort' : 'uchar', channels))
    .tiff({ compression: 'deflate', predictor: 'horizontal' })
    .toBuffer();
}

/**
 * A lossless WebP file; samples of less than 8 bits are scaled. Metadata is left out.
 *
 * @throws CnfzipError `unsupported` if no WebP can hold the samples
 */
export async function encodeWebp(image: Image): Promise<Uint8Array> {
  const layer = plain(image);
  if (!fitsWebp(layer)) {
    throw new CnfzipError(
      'unsupported',
      'no WebP can hold it: WebP has 8 bits a sample and at most 16383 pixels a side',
    );
  }
  return encodeWebpFile({ ...layer, maxval: 255, samples: scaleSamples(layer.samples, layer.maxval, 255) }, 'good');
}

/** The largest value of a TIFF's or WebP's samples that samples of a range are scaled to. */
export function rasterRange(maxval: number): number {
  return maxval > 255 ? MAX_VALUE : 255;
}

/** Gray with alpha goes through as RGBA: libvips drops the alpha of 8-bit gray. */
function spaceOf(depth: 'uchar' | 'ushort', channels: number) {
  return SPACES[depth][channels === 1 ? 0 : 1];
}

function plain(image: Image) {
  const { width, height, channels, samples, maxval } = expand(image);
  return { width, height, channels, samples, maxval: maxvalOf({ samples, maxval }) };
}

/** Colour profile, EXIF and XMP as chunks of a PNG (11.3.2.3, 11.3.4.5, 11.3.3.4). */
function metadataOf({ icc, exif, xmp }: SharpMetadata): Metadata[] {
  const found: Metadata[] = [];
  const text = (string: string) => Buffer.from(string, 'latin1');
  const add = (type: string, parts: Uint8Array[]) =>
    found.push({ type, place: 'start', data: Uint8Array.from(Buffer.concat(parts)) });
  if (icc) add('iCCP', [text('ICC profile\0\0'), deflateSync(icc)]);
  if (exif) add('eXIf', [exif.subarray(exif.toString('latin1', 0, 6) === 'Exif\0\0' ? 6 : 0)]);
  if (xmp) add('iTXt', [text('XML:com.adobe.xmp\0\0\0\0\0'), xmp]);
  return found;
}
