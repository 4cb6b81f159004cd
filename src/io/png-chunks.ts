/** The structure of a PNG file: header and chunks, checked before anything is decoded (PNG, third edition, 5). */
import { concatenate } from '../../codec/container/bytes.js';
import { crc32 } from '../../codec/container/crc32.js';
import { CnfzipError } from '../../codec/error.js';
import { checkSize, type Metadata } from '../../codec/image.js';
import { MAX_PIECES } from '../../codec/metadata.js';
import { damaged as damagedFile } from './decoded.js';

/** What a PNG file says of itself. */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits per sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  readonly colourType: ColourType;
  readonly interlaced: boolean;
}

/** 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGB with alpha. */
export type ColourType = 0 | 2 | 3 | 4 | 6;

export interface PngStructure extends PngHeader {
  /** Of palette images: red, green, blue. */
  readonly palette?: Uint8Array;
  /** All other chunks but header, samples and end, in the order of the file. */
  readonly metadata: Metadata[];
  /** The compressed samples, in pieces: views of the file. */
  readonly imageData: Uint8Array[];
  /** Bytes behind the last chunk, or in it, which are no part of the PNG. */
  readonly trailing: number;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

const DEPTHS: Record<ColourType, number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

const INDEXED = 3;

/** Apple's note of where in the compressed samples the second half of the rows begins: true of no other compression of them. */
const COMPRESSION_NOTE = 'iDOT';

/**
 * Reads a PNG's header and chunks.
 *
 * @throws CnfzipError `bad-input` if it is no PNG, is cut short or damaged; `unsupported` if it is too large, or has a
 *   chunk that must be understood and is not, or too many chunks
 */
export function readPngStructure(bytes: Uint8Array): PngStructure {
  checkSignature(bytes);
  const chunks = new PngChunks();
  const imageData: Uint8Array[] = [];
  for (let at = SIGNATURE.length; ; ) {
    if (bytes.length - at < CHUNK_FRAME) throw pngCutShort();
    const { type, length } = readChunkHead(bytes.subarray(at), at);
    if (length > bytes.length - at - CHUNK_FRAME) throw pngCutShort();
    const data = bytes.subarray(at + CHUNK_HEAD, at + CHUNK_HEAD + length);
    checkChunk(type, crc32(data, checksumOf(type)), bytes.subarray(at + CHUNK_HEAD + length));
    chunks.add(type, type === 'IDAT' ? undefined : data);
    if (type === 'IDAT') imageData.push(data);
    at += CHUNK_FRAME + length;
    if (type === 'IEND') return { ...chunks.found(), imageData, trailing: bytes.length - at + length };
  }
}

/** Bytes of a chunk before its data, and all that are not its data. */
export const CHUNK_HEAD = 8;
export const CHUNK_FRAME = 12;

/** Of the data of a header chunk. */
export const HEADER_BYTES = 13;

/** @throws CnfzipError `bad-input` */
export function checkSignature(bytes: Uint8Array): void {
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) throw new CnfzipError('bad-input', 'not a PNG file');
}

/**
 * @param bytes at least `CHUNK_HEAD`
 * @param at where they stand in the file
 */
export function readChunkHead(bytes: Uint8Array, at: number): { type: string; length: number } {
  const type = String.fromCharCode(...bytes.subarray(4, 8));
  if (!/^[A-Za-z]{4}$/.test(type)) throw damaged(`at byte ${at}: no chunk begins there`);
  return { type, length: uint32(bytes) };
}

/** A chunk's checksum before its data are added to it. */
export function checksumOf(type: string): number {
  return crc32(Uint8Array.from(type, (letter) => letter.charCodeAt(0)));
}

/** @param end what follows the data */
export function checkChunk(type: string, found: number, end: Uint8Array): void {
  if (uint32(end) !== found) throw damaged(`the checksum of its ${type} chunk does not match`);
}

/** What the chunks of a PNG say, one after the other, and whether they may follow each other so. */
export class PngChunks {
  #header: PngHeader | undefined;
  #palette: Uint8Array | undefined;
  #hasPalette = false;
  readonly #metadata: Metadata[] = [];
  #hasImageData = false;
  #previous = '';

  get header(): PngHeader | undefined {
    return this.#header;
  }

  found(): Omit<PngStructure, 'imageData' | 'trailing'> {
    return { ...this.#header!, palette: this.#palette, metadata: this.#metadata };
  }

  /**
   * @param data of all chunks but image data; what is kept of it is copied
   * @throws CnfzipError as `readPngStructure`
   */
  add(type: string, data: Uint8Array = new Uint8Array()): void {
    const { length } = data;
    if (!this.#header) {
      if (type !== 'IHDR' || length !== HEADER_BYTES) throw damaged('it does not begin with a header chunk');
      this.#header = readHeader(data);
    } else if (type === 'IDAT') {
      if (this.#hasImageData && this.#previous !== 'IDAT') throw damaged('its image data is not in one piece');
      if (this.#header.colourType === INDEXED && !this.#palette) throw damaged('it has no palette');
      this.#hasImageData = true;
    } else if (type === 'IEND') {
      if (!this.#hasImageData) throw damaged('it holds no image data');
    } else if (type === 'PLTE') {
      const { colourType, depth } = this.#header;
      if (this.#hasPalette || this.#hasImageData) throw damaged('its palette is not where it belongs');
      if (colourType === 0 || colourType === 4) throw damaged('it is gray and has a palette');
      const fits = length > 0 && length % 3 === 0 && length <= 3 * 2 ** Math.min(depth, 8);
      if (!fits) throw damaged(`a palette of ${length} bytes`);
      this.#hasPalette = true;
      // Of RGB images it suggests colours for screens that show few.
      if (colourType === INDEXED) this.#palette = new Uint8Array(data);
      else this.#metadata.push({ type, place: 'start', data: new Uint8Array(data) });
    } else if (type !== COMPRESSION_NOTE) {
      if (type === 'IHDR') throw damaged('it has two headers');
      if (type[0] <= 'Z') throw new CnfzipError('unsupported', `a PNG with a ${type} chunk, which is not known`);
      if (type === 'fdAT' && this.#header.interlaced) {
        throw new CnfzipError('unsupported', 'an animated PNG with interlaced frames: save it without interlace');
      }
      if (this.#metadata.length === MAX_PIECES) {
        throw new CnfzipError('unsupported', `a PNG with more than ${MAX_PIECES} chunks of metadata`);
      }
      const place = this.#hasImageData ? 'end' : this.#palette ? 'after palette' : 'start';
      this.#metadata.push({ type, place, data: new Uint8Array(data) });
    }
    this.#previous = type;
  }
}

/** A number of 32 bits at the beginning of bytes, highest first. */
function uint32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
}

/** Bytes of compressed samples in a chunk, at most. */
const IMAGE_DATA_BYTES = 1 << 20;

/** The chunks of a PNG file before and behind its compressed samples. */
export function writePngFrame(
  { width, height, depth, colourType }: PngHeader,
  palette: Uint8Array | undefined,
  metadata: readonly Metadata[],
): { before: Uint8Array; behind: Uint8Array } {
  const header = Uint8Array.of(...bytesOf(width), ...bytesOf(height), depth, colourType, 0, 0, 0);
  const at = (wanted: Metadata['place']) =>
    metadata.filter(({ place }) => place === wanted).flatMap(({ type, data }) => chunk(type, data));
  return {
    before: concatenate([
      Uint8Array.from(SIGNATURE),
      ...chunk('IHDR', header),
      ...at('start'),
      ...(palette ? chunk('PLTE', palette) : []),
      ...at('after palette'),
    ]),
    behind: concatenate([...at('end'), ...chunk('IEND', new Uint8Array(0))]),
  };
}

/** Compressed samples as chunks. */
export class ImageDataChunks {
  #waiting: Uint8Array[] = [];
  #size = 0;

  /** @returns the chunks that are full */
  add(compressed: Uint8Array): Uint8Array[] {
    const full: Uint8Array[] = [];
    for (let at = 0; at < compressed.length; ) {
      const piece = compressed.subarray(at, at + IMAGE_DATA_BYTES - this.#size);
      this.#waiting.push(piece);
      this.#size += piece.length;
      at += piece.length;
      if (this.#size === IMAGE_DATA_BYTES) full.push(...this.end());
    }
    return full;
  }

  /** @returns the last chunk, if there is anything for it */
  end(): Uint8Array[] {
    if (this.#size === 0) return [];
    const data = concatenate(this.#waiting);
    this.#waiting = [];
    this.#size = 0;
    return chunk('IDAT', data);
  }
}

/** A chunk's parts, in their order. */
function chunk(type: string, data: Uint8Array): Uint8Array[] {
  const letters = [...type].map((letter) => letter.charCodeAt(0));
  const head = Uint8Array.of(...bytesOf(data.length), ...letters);
  const crc = Uint8Array.from(bytesOf(crc32(data, crc32(head.subarray(4)))));
  return [head, data, crc];
}

/** A number of 32 bits, highest first. */
function bytesOf(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function readHeader(data: Uint8Array): PngHeader {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth, colourType, compression, filter, interlace] = data.subarray(8);
  if (!DEPTHS[colourType as ColourType]?.includes(depth)) {
    throw damaged(`its header names colour type ${colourType} with ${depth} bits, which no PNG has`);
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw damaged('its header names an unknown compression, filter or interlace method');
  }
  if (width === 0 || height === 0) throw damaged(`its header says ${width} x ${height} pixels`);
  checkSize(width, height);
  return { width, height, depth, colourType: colourType as ColourType, interlaced: interlace === 1 };
}

function damaged(what: string): CnfzipError {
  return damagedFile('PNG', what);
}

export function pngCutShort(): CnfzipError {
  return new CnfzipError('bad-input', 'PNG cut short: the file ends before its data does');
}
