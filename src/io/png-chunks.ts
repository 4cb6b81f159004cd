/** The structure of a PNG file: header and chunks, checked before anything is decoded. */
import { MAX_PIXELS, MAX_SIDE } from '../../codec/container.js';
import { crc32 } from '../../codec/crc32.js';
import { CnfzipError } from '../../codec/error.js';

/** What a PNG file says of itself. */
export interface PngStructure {
  width: number;
  height: number;
  /** Bits per sample: 1, 2, 4, 8 or 16. */
  depth: number;
  /** 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGB with alpha. */
  colourType: number;
  interlaced: boolean;
  /** Types of the ancillary chunks, each once, in the order of the file. */
  ancillary: string[];
  /** The compressed samples, in pieces: views of the file. */
  imageData: Uint8Array[];
  /** Length up to the end of the last chunk; what follows is no part of the PNG. */
  length: number;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Other formats by what they begin with: bytes as hexadecimal digits, `.` for any digit. */
const OTHER_FORMATS: [name: string, start: RegExp][] = [
  ['a JPEG', /^ffd8ff/],
  ['a WebP', /^52494646.{8}57454250/],
  ['a GIF', /^47494638/],
  ['a TIFF', /^(49492a00|4d4d002a)/],
  ['a BMP', /^424d/],
  ['a Netpbm', /^503[1-7](0a|20)/],
  ['a JPEG XL', /^(ff0a|0000000c4a584c20)/],
  ['an AVIF or HEIF', /^.{8}66747970/],
  ['a cnfz', /^cf5a0d0a/],
];

const DEPTHS: Record<number, number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };

/**
 * Reads a PNG's header and chunks.
 *
 * @throws CnfzipError `bad-input` if it is no PNG, is cut short or damaged; `unsupported` if it is too large
 */
export function readPngStructure(bytes: Uint8Array): PngStructure {
  checkSignature(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ancillary = new Set<string>();
  const imageData: Uint8Array[] = [];
  let header: ReturnType<typeof readHeader> | undefined;
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
      imageData.push(data);
    } else if (type === 'IEND') {
      if (imageData.length === 0) throw damaged('it holds no image data');
      return { ...header, ancillary: [...ancillary], imageData, length: end + 4 };
    } else if (type[0] > 'Z') {
      ancillary.add(type);
    }
    at = end + 4;
  }
}

function checkSignature(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new CnfzipError('bad-input', 'not a PNG file: it is empty');
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) {
    const start = Buffer.from(bytes.subarray(0, 16)).toString('hex');
    const other = OTHER_FORMATS.find(([, pattern]) => pattern.test(start));
    throw new CnfzipError('bad-input', `not a PNG file${other ? `: it is ${other[0]} file` : ''}`);
  }
}

function readHeader(data: Uint8Array) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth, colourType, compression, filter, interlace] = data.subarray(8);
  if (!DEPTHS[colourType]?.includes(depth)) {
    throw damaged(`its header names colour type ${colourType} with ${depth} bits, which no PNG has`);
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw damaged('its header names an unknown compression, filter or interlace method');
  }
  if (width === 0 || height === 0) throw damaged(`its header says ${width} x ${height} pixels`);
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new CnfzipError(
      'unsupported',
      `${width} x ${height} pixels are too many: at most 2^28 in all and 2^24 a side are supported`,
    );
  }
  return { width, height, depth, colourType, interlaced: interlace === 1 };
}

function damaged(what: string): CnfzipError {
  return new CnfzipError('bad-input', `damaged PNG: ${what}`);
}

function cutShort(): CnfzipError {
  return new CnfzipError('bad-input', 'PNG cut short: the file ends before its data does');
}
