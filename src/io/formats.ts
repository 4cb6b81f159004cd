/** The image formats that cnfzip reads and writes: which one a file is in, and who knows it. */

import { CnfzipError } from '../../codec/error.js';
import { type Image, type ImageHeader, maxvalOf } from '../../codec/image.js';
import type { FileInfo } from '../../codec/info.js';
import type { Limits } from '../session/memory.js';
import { decodeBmp } from './bmp.js';
import type { Decoded } from './decoded.js';
import { transparencyOf } from './expand.js';
import { decodeNetpbm, encodeNetpbm } from './netpbm.js';
import { type Kind, netpbmExtension } from './netpbm-extension.js';
import { encodePng, fitsPng, pngRange, readPng } from './png.js';
import { encodeTiff, encodeWebp, rasterRange, readGif, readJpeg, readTiff, readWebp } from './raster.js';

/** `ppm` is Netpbm: PGM, PPM or PAM, as the channels need. */
export const OUTPUT_FORMATS: readonly OutputFormat[] = ['png', 'ppm', 'tiff', 'webp'];
export type OutputFormat = 'png' | 'ppm' | 'tiff' | 'webp';

/** Extensions of images, in lower case with their dots. */
export const INPUT_EXTENSIONS: readonly string[] = [
  '.png',
  '.apng',
  '.ppm',
  '.pgm',
  '.pbm',
  '.pnm',
  '.pam',
  '.tif',
  '.tiff',
  '.webp',
  '.bmp',
  '.gif',
  '.jpg',
  '.jpeg',
];

const OUTPUT_EXTENSIONS: Record<string, OutputFormat | undefined> = {
  '.png': 'png',
  '.apng': 'png',
  '.pgm': 'ppm',
  '.ppm': 'ppm',
  '.pnm': 'ppm',
  '.pam': 'ppm',
  '.tif': 'tiff',
  '.tiff': 'tiff',
  '.webp': 'webp',
};

interface Format {
  readonly name: string;
  /** What a file begins with: bytes as hexadecimal digits, `.` for any digit. */
  readonly start: RegExp;
  decode?(bytes: Uint8Array, limits: Limits): Decoded | Promise<Decoded>;
}

const FORMATS: readonly Format[] = [
  { name: 'PNG', start: /^89504e470d0a1a0a/, decode: readPng },
  { name: 'Netpbm', start: /^503[1-7](0[9-d]|20|23)/, decode: decodeNetpbm },
  { name: 'TIFF', start: /^(49492a00|4d4d002a|49492b00|4d4d002b)/, decode: readTiff },
  { name: 'WebP', start: /^52494646.{8}57454250/, decode: readWebp },
  { name: 'GIF', start: /^474946383[79]61/, decode: readGif },
  { name: 'BMP', start: /^424d/, decode: decodeBmp },
  { name: 'JPEG', start: /^ffd8ff/, decode: readJpeg },
  { name: 'JPEG XL', start: /^(ff0a|0000000c4a584c20)/ },
  { name: 'JPEG 2000', start: /^(ff4fff51|0000000c6a502020)/ },
  { name: 'JPEG XR', start: /^4949bc/ },
  { name: 'AVIF', start: /^.{8}66747970617669(66|73)/ },
  { name: 'HEIF', start: /^.{8}66747970(6865|6d6966|6d736631)/ },
  { name: 'ISO media', start: /^.{8}66747970/ },
  { name: 'QOI', start: /^716f6966/ },
  { name: 'Photoshop', start: /^38425053/ },
  { name: 'OpenEXR', start: /^762f3101/ },
  { name: 'PDF', start: /^25504446/ },
  { name: 'SVG or XML', start: /^(efbbbf)?3c(3f786d6c|737667)/ },
];

/**
 * Reads an image of any format that is known, whatever its name.
 *
 * @returns also what of the file is not in the image, a line each, and whether that is nothing: `complete`
 * @throws CnfzipError `bad-input` if it is no image, or damaged; `unsupported`, also if it is beyond the limits, before its
 *   samples are decoded
 */
export async function readImage(
  bytes: Uint8Array,
  limits: Limits = {},
): Promise<{ image: Image; warnings: readonly string[]; complete: boolean }> {
  if (bytes.length === 0) throw new CnfzipError('bad-input', 'not an image: it is empty');
  const start = startOf(bytes);
  if (isCnfz(bytes)) throw new CnfzipError('bad-input', 'a cnfz file: it is compressed already');
  const format = formatOf(start);
  if (format?.decode) {
    const { image, lost } = await format.decode(bytes, limits);
    return { image, warnings: lost, complete: lost.length === 0 };
  }
  // What text transfers do to a PNG: other line ends, the top bit lost.
  if (/504e47/.test(start)) throw new CnfzipError('bad-input', 'damaged PNG: its signature is not whole');
  const known = FORMATS.filter(({ decode }) => decode).map(({ name }) => name);
  if (format) {
    const article = /^([AIO]|SVG)/.test(format.name) ? 'an' : 'a';
    const why = `is ${article} ${format.name} file, which is not read; formats are: ${known.join(', ')}`;
    throw new CnfzipError('unsupported', why);
  }
  throw new CnfzipError('bad-input', `not an image of a known format: ${known.join(', ')}`);
}

function formatOf(start: string): Format | undefined {
  return FORMATS.find(({ start: pattern }) => pattern.test(start));
}

/**
 * The format that a file begins as, by its name: `PNG`, `Netpbm`, ...
 *
 * @param bytes of the beginning, 16 at least unless it is shorter
 */
export function nameOfFormat(bytes: Uint8Array): string | undefined {
  return formatOf(startOf(bytes))?.name;
}

/** Whether a file begins as a `.cnfz` file does. */
export function isCnfz(bytes: Uint8Array): boolean {
  return startOf(bytes).startsWith('cf5a0d0a');
}

/** What a file begins with, as hexadecimal digits. */
function startOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 16)).toString('hex');
}

/**
 * The bytes of an image file.
 *
 * @returns also a line for each thing that the format cannot hold, and whether that is nothing: `complete`
 * @throws CnfzipError `unsupported` if the format cannot hold the samples
 */
export async function writeImage(
  image: Image,
  format: OutputFormat,
): Promise<{ bytes: Uint8Array; warnings: string[]; complete: boolean }> {
  const warnings = lossesOf({ ...image, maxval: maxvalOf(image) }, format);
  const encoders = { png: encodePng, ppm: encodeNetpbm, tiff: encodeTiff, webp: encodeWebp };
  return { bytes: await encoders[format](image), warnings, complete: warnings.length === 0 };
}

/** What of an image a format cannot hold, a line each. */
export function lossesOf(image: ImageHeader, format: OutputFormat): string[] {
  const { maxval } = image;
  const warnings: string[] = [];
  const kept = transparencyOf(image);
  const lost = (image.metadata ?? []).filter(({ data }) => data !== kept).map(({ type }) => type);
  if (format !== 'png' && lost.length > 0) warnings.push(`metadata is not written to ${format}: ${lost.join(', ')}`);
  if (format !== 'png' && image.palette)
    warnings.push(`its palette is not written to ${format}, but the colours of its pixels`);
  const range = rangeOf(image, format);
  if (!image.palette && range !== maxval) warnings.push(`samples of 0 .. ${maxval} are scaled to 0 .. ${range}`);
  return warnings;
}

/** The largest value of a sample in a file of a format. */
function rangeOf(image: Pick<FileInfo, 'channels' | 'maxval'>, format: OutputFormat): number {
  if (format === 'ppm') return image.maxval;
  return format === 'png' ? pngRange(image) : rasterRange(image.maxval);
}

/** PNG, but for samples that no PNG holds as they are. */
export function naturalFormat(image: Pick<FileInfo, 'channels' | 'maxval'>): 'png' | 'ppm' {
  return fitsPng(image) ? 'png' : 'ppm';
}

/** The extension of an image that is written in a format, with its dot. */
export function extensionOf(image: Kind, format: OutputFormat): string {
  return format === 'ppm' ? netpbmExtension(image) : `.${format}`;
}

/**
 * The format that a file's name asks for, if it does.
 *
 * @throws CnfzipError `unsupported` if it asks for one that is read but not written
 */
export function formatOfExtension(name: string): OutputFormat | undefined {
  const extension = /\.[^./\\]+$/.exec(name.toLowerCase())?.[0] ?? '';
  const format = OUTPUT_EXTENSIONS[extension];
  if (format || !INPUT_EXTENSIONS.includes(extension)) return format;
  throw new CnfzipError('unsupported', `${extension} files are not written; formats are: ${OUTPUT_FORMATS.join(', ')}`);
}
