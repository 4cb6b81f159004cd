/** PNG files to exact samples and back. Samples are never colour-managed: gAMA, iCCP and their like change nothing. */
import { constants, inflateSync } from 'node:zlib';
import { PNG } from 'pngjs';
import { CnfzipError } from '../../codec/error.js';
import type { Image } from '../../codec/image.js';
import { type PngStructure, readPngStructure } from './png-chunks.js';

const KINDS: Record<number, string> = { 0: 'gray', 2: 'RGB', 3: 'palette', 4: 'gray with alpha', 6: 'RGB with alpha' };

/** Upper starts and strides of the seven passes of an interlaced PNG: x, y, dx, dy. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** Deflate makes at most this many bytes of one. */
const MAX_INFLATION = 1032;

/**
 * Decodes a PNG file of 8-bit gray or RGB samples.
 *
 * @throws CnfzipError `bad-input` if it is no PNG, is damaged or cut short; `unsupported` for any other kind of PNG
 */
export function decodePng(bytes: Uint8Array): Image {
  const structure = readPngStructure(bytes);
  const channels = checkKind(structure);
  checkImageData(structure, channels);
  const { width, height, length } = structure;
  let rgba: Uint8Array;
  try {
    rgba = PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, length), { checkCRC: false }).data;
  } catch (error) {
    throw new CnfzipError('bad-input', 'damaged PNG: its image data cannot be decoded', { cause: error });
  }
  const pixels = width * height;
  const samples = new Uint8Array(pixels * channels);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < channels; c++) samples[i * channels + c] = rgba[4 * i + c];
  }
  return { width, height, channels, samples };
}

/** Encodes an image as a PNG file of 8-bit samples. */
export function encodePng({ width, height, channels, samples }: Image): Uint8Array {
  const png = new PNG();
  png.width = width;
  png.height = height;
  png.data = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  const colorType = channels === 1 ? 0 : 2;
  return PNG.sync.write(png, {
    colorType,
    inputColorType: colorType,
    inputHasAlpha: false,
    deflateLevel: 9,
    deflateStrategy: constants.Z_DEFAULT_STRATEGY,
  });
}

/** What a PNG file holds beside its samples, and what a `.cnfz` file does not keep yet: chunk types, for people. */
export function listPngMetadata(bytes: Uint8Array): string[] {
  const { ancillary, length } = readPngStructure(bytes);
  return length < bytes.length ? [...ancillary, 'data after the end of the PNG'] : ancillary;
}

function checkKind({ depth, colourType, ancillary }: PngStructure): 1 | 3 {
  let kind = `${depth}-bit ${KINDS[colourType]} PNG`;
  if (ancillary.includes('acTL')) kind = 'animated PNG';
  else if (colourType !== 3 && ancillary.includes('tRNS'))
    kind = `${depth}-bit ${KINDS[colourType]} PNG with transparency`;
  else if (depth === 8 && colourType === 0) return 1;
  else if (depth === 8 && colourType === 2) return 3;
  throw new CnfzipError('unsupported', `${kind}: only 8-bit gray and RGB without transparency are supported yet`);
}

/** Refuses image data that is not as large as the header says, before much memory is taken for it. */
function checkImageData({ width, height, interlaced, imageData }: PngStructure, channels: number): void {
  const passes = interlaced ? ADAM7 : [[0, 0, 1, 1]];
  let size = 0;
  for (const [x, y, dx, dy] of passes) {
    const columns = Math.ceil((width - x) / dx);
    if (columns > 0) size += Math.max(0, Math.ceil((height - y) / dy)) * (1 + columns * channels);
  }
  const compressed = imageData.reduce((sum, piece) => sum + piece.length, 0);
  if (compressed * MAX_INFLATION < size) {
    throw new CnfzipError('bad-input', 'damaged PNG: it holds too little image data for its size');
  }
  // pngjs returns uninitialised memory for image data that is damaged or ends too early, so that is found out here.
  let inflated: number;
  try {
    inflated = inflateSync(Buffer.concat(imageData), { maxOutputLength: size }).length;
  } catch (error) {
    throw new CnfzipError('bad-input', 'damaged PNG: its image data cannot be decoded', { cause: error });
  }
  if (inflated < size) throw new CnfzipError('bad-input', 'damaged PNG: its image data ends too early');
}
