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
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) throw new CnfzipError('bad-input', 'not a PNG file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const metadata: Metadata[] = [];
  const imageData: Uint8Array[] = [];
  let header: PngHeader | undefined;
  let palette: Uint8Array | undefined;
  let hasPalette = false;
  let previous = '';
  for (let at = SIGNATURE.length; ; ) {
    if (bytes.length - at < 12) throw cutShort();
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) throw damaged(`at byte ${at}: no chunk begins there`);
    if (length > bytes.length - at - 12) throw cutShort();
    const end = at + 8 + length;
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      throw damaged(`the checksum of its ${type} chunk does not match`);
    }
    const data = bytes.subarray(at + 8, end);
    if (!header) {
      if (type !== 'IHDR' || length !== 13) throw damaged('it does not begin with a header chunk');
      header = readHeader(data);
    } else if (type === 'IDAT') {
      if (imageData.length > 0 && previous !== 'IDAT') throw damaged('its image data is not in one piece');
      if (header.colourType === INDEXED && !palette) throw damaged('it has no palette');
      imageData.push(data);
    } else if (type === 'IEND') {
      if (imageData.length === 0) throw damaged('it holds no image data');
      return { ...header, palette, metadata, imageData, trailing: bytes.length - at - 12 };
    } else if (type === 'PLTE') {
      const { colourType, depth } = header;
      if (hasPalette || imageData.length > 0) throw damaged('its palette is not where it belongs');
      if (colourType === 0 || colourType === 4) throw damaged('it is gray and has a palette');
      const fits = length > 0 && length % 3 === 0 && length <= 3 * 2 ** Math.min(depth, 8);
      if (!fits) throw damaged(`a palette of ${length} bytes`);
      hasPalette = true;
      // Of RGB images it suggests colours for screens that show few.
      if (colourType === INDEXED) palette = new Uint8Array(data);
      else metadata.push({ type, place: 'start', data: new Uint8Array(data) });
    } else if (type !== COMPRESSION_NOTE) {
      if (type === 'IHDR') throw damaged('it has two headers');
      if (type[0] <= 'Z') throw new CnfzipError('unsupported', `a PNG with a ${type} chunk, which is not known`);
      if (type === 'fdAT' && header.interlaced) {
        throw new CnfzipError('unsupported', 'an animated PNG with interlaced frames: save it without interlace');
      }
      if (metadata.length === MAX_PIECES) {
        throw new CnfzipError('unsupported', `a PNG with more than ${MAX_PIECES} chunks of metadata`);
      }
      const place = imageData.length > 0 ? 'end' : palette ? 'after palette' : 'start';
      metadata.push({ type, place, data: new Uint8Array(data) });
    }
    previous = type;
    at = end + 4;
  }
}

/** The bytes of a PNG file; `imageData` is the compressed samples. */
export function writePngStructure(
  { width, height, depth, colourType }: PngHeader,
  palette: Uint8Array | undefined,
  metadata: readonly Metadata[],
  imageData: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const header = Uint8Array.of(...bytesOf(width), ...bytesOf(height), depth, colourType, 0, 0, 0);
  const at = (wanted: Metadata['place']) =>
    metadata.filter(({ place }) => place === wanted).flatMap(({ type, data }) => chunk(type, data));
  return concatenate([
    Uint8Array.from(SIGNATURE),
    ...chunk('IHDR', header),
    ...at('start'),
    ...(palette ? chunk('PLTE', palette) : []),
    ...at('after palette'),
    ...chunk('IDAT', imageData),
    ...at('end'),
    ...chunk('IEND', new Uint8Array(0)),
  ]);
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

function cutShort(): CnfzipError {
  return new CnfzipError('bad-input', 'PNG cut short: the file ends before its data does');
}
