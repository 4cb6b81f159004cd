/** PNG files to exact samples and back. Samples are never colour-managed: gAMA, iCCP and their like change nothing. */
import { concatenate } from '../../codec/container/bytes.js';
import { MAX_INFLATION } from '../../codec/container/deflate.js';
import { CnfzipError } from '../../codec/error.js';
import {
  allocSamples,
  type Channels,
  checkHeld,
  checkImage,
  type Image,
  type ImageHeader,
  maxvalOf,
  metadataBytes,
} from '../../codec/image.js';
import { filterRows, unfilterRows } from '../../codec/layers/filters.js';
import { checkLimits, type Limits } from '../session/memory.js';
import { type Decoded, damaged } from './decoded.js';
import { type ColourType, ImageDataChunks, type PngHeader, readPngStructure, writePngFrame } from './png-chunks.js';
import { scaleSamples } from './scale.js';
import { deflateZlib, inflateZlib } from './zlib.js';

const CHANNELS: Record<ColourType, Channels> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const COLOUR_TYPES: Record<Channels, ColourType> = { 1: 0, 2: 4, 3: 2, 4: 6 };

/** Upper starts and strides of the seven passes of an interlaced PNG: x, y, dx, dy. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const AT_ONCE = [[0, 0, 1, 1]] as const;

/** A part of the image whose rows follow each other: every dx-th sample of every dy-th row, from (x, y) on. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly dx: number;
  readonly dy: number;
  readonly columns: number;
  readonly rows: number;
  readonly rowBytes: number;
}

/**
 * Decodes a PNG file of any kind; of an animated one the default image, and its animation as metadata.
 *
 * @throws CnfzipError `bad-input` if it is no PNG, is damaged or cut short; `unsupported` if it is too large, or has a chunk
 *   that must be understood and is not
 */
export function decodePng(bytes: Uint8Array): Image {
  return readPng(bytes, {}).image;
}

/**
 * As `decodePng`, and tells what of the file is not in the image.
 *
 * @throws CnfzipError as `decodePng`; `unsupported` if the image is beyond the limits, before anything is decoded
 */
export function readPng(bytes: Uint8Array, limits: Limits): Decoded {
  const { width, height, depth, colourType, interlaced, palette, metadata, imageData, trailing } =
    readPngStructure(bytes);
  const channels = CHANNELS[colourType];
  const maxval = 2 ** depth - 1;
  checkHeld(width, height);
  checkLimits({ width, height, channels, maxval, metadataBytes: metadataBytes({ palette, metadata }) }, limits);
  const bits = depth * channels;
  const passes = passesOf(width, height, bits, interlaced);
  const size = passes.reduce((sum, { rows, rowBytes }) => sum + rows * (1 + rowBytes), 0);
  const { inflated, behind } = inflate(imageData, size);
  let filtered = inflated;
  // Rows of whole bytes are the samples, without a copy of them.
  const inPlace = depth === 8 && !interlaced;
  let samples = inPlace ? filtered : allocSamples(width * height * channels, maxval);
  for (const pass of passes) {
    const { rows, rowBytes } = pass;
    const rowsOfPass = unfilter(filtered, rows, rowBytes, Math.max(1, bits >> 3));
    if (inPlace) samples = rowsOfPass;
    else placeSamples(rowsOfPass, pass, depth, samples, width, channels);
    filtered = filtered.subarray(rows * (1 + rowBytes));
  }
  const image = { width, height, channels, maxval, samples };
  const lost: string[] = [];
  if (behind > 0) lost.push(`${behind} bytes of image data behind the last row are not kept`);
  if (trailing > 0) lost.push(`${trailing} bytes behind the end of the PNG are not kept`);
  return { image: { ...image, ...(palette && { palette }), ...(metadata.length > 0 && { metadata }) }, lost };
}

/** Rows of a PNG that is not interlaced on their way to samples, from the top. */
export class PngUnfilter {
  /** Bytes of a filtered row. */
  readonly rowBytes: number;
  readonly channels: Channels;
  readonly maxval: number;
  #above: Uint8Array | undefined;

  constructor(readonly header: PngHeader) {
    this.channels = CHANNELS[header.colourType];
    this.maxval = 2 ** header.depth - 1;
    this.rowBytes = 1 + Math.ceil((header.width * header.depth * this.channels) / 8);
  }

  /** @param filtered the next rows, which are overwritten and may become the samples */
  samples(filtered: Uint8Array): Image['samples'] {
    const { rowBytes, channels, maxval } = this;
    const { width, depth } = this.header;
    const rows = filtered.length / rowBytes;
    const bytes = unfilter(filtered, rows, rowBytes - 1, Math.max(1, (depth * channels) >> 3), this.#above);
    this.#above = bytes.slice((rows - 1) * (rowBytes - 1));
    if (depth === 8) return bytes;
    const samples = allocSamples(width * rows * channels, maxval);
    const pass = { x: 0, y: 0, dx: 1, dy: 1, columns: width, rows, rowBytes: rowBytes - 1 };
    placeSamples(bytes, pass, depth, samples, width, channels);
    return samples;
  }
}

/**
 * Encodes an image as a PNG file: with the samples, palette and metadata as they are. Samples of a range that no PNG has are
 * scaled to the next depth, from which they can be scaled back.
 *
 * @throws CnfzipError `bad-input` or `unsupported` if the image is malformed
 */
export function encodePng(image: Image): Uint8Array<ArrayBuffer> {
  checkImage(image);
  const rows = new PngRows({ ...image, maxval: maxvalOf(image) });
  const { before, behind } = writePngFrame(rows.header, image.palette, image.metadata ?? []);
  const chunks = new ImageDataChunks();
  const imageData = chunks.add(deflateZlib(rows.filter(image.samples)));
  return concatenate([before, ...imageData, ...chunks.end(), behind]);
}

/** Rows of samples on their way to a PNG file, from the top. */
export class PngRows {
  readonly header: PngHeader;
  #above: Uint8Array | undefined;

  constructor(readonly image: ImageHeader) {
    const { width, height, channels, maxval, palette } = image;
    const depth = pngDepth(channels, maxval);
    this.header = { width, height, depth, colourType: palette ? 3 : COLOUR_TYPES[channels], interlaced: false };
  }

  /** The next rows, filtered: ready to be deflated. */
  filter(given: Image['samples']): Uint8Array {
    const { width, channels, palette, maxval } = this.image;
    const { depth } = this.header;
    const samples = palette ? given : scaleSamples(given, maxval, 2 ** depth - 1);
    const rows = samples.length / (width * channels);
    const bits = depth * channels;
    const rowBytes = Math.ceil((width * bits) / 8);
    const packed = pack(samples, width * channels, rows, depth, rowBytes);
    // Differences of indexes and of packed samples mean little: PNG's advice is to leave those alone (12.7).
    if (palette || depth < 8) return unfilteredRows(packed, rows, rowBytes);
    const above = this.#above;
    this.#above = packed.slice((rows - 1) * rowBytes);
    return filterRows(packed, rows, rowBytes, bits >> 3, above);
  }
}

/** Whether a PNG holds samples of this range as they are. */
export function fitsPng({ channels, maxval }: { channels: Channels; maxval: number }): boolean {
  return maxval === pngRange({ channels, maxval });
}

/** The largest value of a PNG's samples that samples of a range are scaled to. */
export function pngRange({ channels, maxval }: { channels: Channels; maxval: number }): number {
  return 2 ** pngDepth(channels, maxval) - 1;
}

/** The least depth of a PNG whose samples reach `maxval`. */
function pngDepth(channels: Channels, maxval: number): number {
  const depths = channels === 1 ? [1, 2, 4, 8, 16] : [8, 16];
  return depths.find((depth) => maxval < 2 ** depth)!;
}

function passesOf(width: number, height: number, bits: number, interlaced: boolean): Pass[] {
  return (interlaced ? ADAM7 : AT_ONCE)
    .map(([x, y, dx, dy]) => {
      const columns = Math.max(0, Math.ceil((width - x) / dx));
      const rows = columns > 0 ? Math.max(0, Math.ceil((height - y) / dy)) : 0;
      return { x, y, dx, dy, columns, rows, rowBytes: Math.ceil((columns * bits) / 8) };
    })
    .filter(({ rows }) => rows > 0);
}

/**
 * Inflates image data, and refuses what is not as large as the header says before memory is taken for it.
 *
 * @returns also how many compressed bytes are behind its end
 */
function inflate(imageData: readonly Uint8Array[], size: number): { inflated: Uint8Array; behind: number } {
  const compressed = concatenate(imageData);
  if (compressed.length * MAX_INFLATION < size) throw damaged('PNG', 'it holds too little image data for its size');
  try {
    const { inflated, behind } = inflateZlib(compressed, size);
    if (inflated.length < size) throw damaged('PNG', 'its image data ends too early');
    return { inflated, behind };
  } catch (error) {
    throw error instanceof CnfzipError ? error : damaged('PNG', 'its image data cannot be decoded', error);
  }
}

function unfilter(
  filtered: Uint8Array,
  rows: number,
  rowBytes: number,
  distance: number,
  above?: Uint8Array,
): Uint8Array {
  try {
    return unfilterRows(filtered, rows, rowBytes, distance, above);
  } catch (error) {
    throw damaged('PNG', (error as Error).message, error);
  }
}

/** Takes the samples of a pass out of its rows, in which those of less than 8 bits are packed, highest bits first. */
function placeSamples(
  bytes: Uint8Array,
  { x, y, dx, dy, columns, rows, rowBytes }: Pass,
  depth: number,
  samples: Uint8Array | Uint16Array,
  width: number,
  channels: number,
): void {
  const mask = 2 ** depth - 1;
  for (let row = 0; row < rows; row++) {
    const line = row * rowBytes;
    for (let column = 0; column < columns; column++) {
      const to = ((y + row * dy) * width + x + column * dx) * channels;
      for (let c = 0; c < channels; c++) {
        const i = column * channels + c;
        if (depth === 16) samples[to + c] = bytes[line + 2 * i] * 256 + bytes[line + 2 * i + 1];
        else samples[to + c] = (bytes[line + ((i * depth) >> 3)] >> (8 - depth - ((i * depth) & 7))) & mask;
      }
    }
  }
}

function pack(
  samples: Uint8Array | Uint16Array,
  perRow: number,
  rows: number,
  depth: number,
  rowBytes: number,
): Uint8Array {
  if (samples instanceof Uint8Array && depth === 8) return samples;
  const out = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < perRow; i++) {
      const sample = samples[row * perRow + i];
      const bit = i * depth;
      const at = row * rowBytes + (bit >> 3);
      if (depth === 16) {
        out[at] = sample >> 8;
        out[at + 1] = sample;
      } else {
        out[at] |= sample << (8 - depth - (bit & 7));
      }
    }
  }
  return out;
}

function unfilteredRows(bytes: Uint8Array, rows: number, rowBytes: number): Uint8Array {
  const out = new Uint8Array(rows * (1 + rowBytes));
  for (let row = 0; row < rows; row++) {
    out.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), row * (1 + rowBytes) + 1);
  }
  return out;
}
