/**
 * The `.cnfz` file. All multi-byte numbers are little-endian; a varint holds 7 bits a byte, lowest first, the top bit
 * set on all bytes but the last, in its shortest form.
 *
 *     header   4  magic CF 5A 0D 0A
 *              1  format version: 1
 *              1  version of the kernel arithmetic that decided the bits
 *              8  first bytes of the model's hash
 *              v  width in pixels, varint
 *              v  height in pixels, varint
 *              1  (bit depth - 1) * 16 + channels
 *              4  CRC-32 of the header so far
 *     chunk    v  payload length in bytes, varint
 *     a tile   n  payload
 *              4  CRC-32 of the chunk so far (length and payload)
 *     trailer  4  CRC-32 of the image's samples, row by row, channels interleaved
 *
 * The chunks follow the order of `tileLayout`, which width and height decide, so no count is stored. Nothing may follow
 * the trailer. The magic is chosen to break under the usual accidents: its first byte loses its top bit on 7-bit
 * channels and makes no valid UTF-8 with the second; CR LF changes when line ends are translated in either direction.
 */
import { crc32 } from './crc32.js';
import { CnfzipError } from './error.js';
import { bytesToHex, hexToBytes } from './hex.js';
import { tileCount } from './tiles.js';

export const FORMAT_VERSION = 1;

/** Largest image that is read or written, in pixels: 16,384 x 16,384. */
export const MAX_PIXELS = 2 ** 28;

/** Longest side of an image, in pixels. */
export const MAX_SIDE = 2 ** 24;

const MAGIC = Uint8Array.of(0xcf, 0x5a, 0x0d, 0x0a);
const FIXED_HEADER = MAGIC.length + 2 + 8;
const CRC_BYTES = 4;
/** Length, an empty payload and its checksum. */
const MIN_CHUNK = 1 + CRC_BYTES;

/** What a `.cnfz` file says, before any of its tiles is decoded. */
export interface Container {
  /** Version of the kernel arithmetic, 0 .. 255. */
  readonly kernelVersion: number;
  /** 16 hexadecimal digits. */
  readonly modelHash: string;
  /** Pixels, 1 .. `MAX_SIDE`; at most `MAX_PIXELS` in all. */
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Bits per sample. */
  readonly bitDepth: 8;
  /** One per tile, in the order of `tileLayout`. */
  readonly payloads: readonly Uint8Array[];
  /** CRC-32 of the image's samples. */
  readonly samplesCrc: number;
}

/** Writes a whole file. */
export function writeContainer(container: Container): Uint8Array {
  const header = [
    ...MAGIC,
    FORMAT_VERSION,
    container.kernelVersion,
    ...hexToBytes(container.modelHash),
    ...varint(container.width),
    ...varint(container.height),
    (container.bitDepth - 1) * 16 + container.channels,
  ];
  const lengths = container.payloads.map((payload) => varint(payload.length));
  const chunks = container.payloads.reduce(
    (sum, payload, i) => sum + lengths[i].length + payload.length + CRC_BYTES,
    0,
  );
  const out = new Uint8Array(header.length + CRC_BYTES + chunks + CRC_BYTES);
  const view = new DataView(out.buffer);
  out.set(header);
  let at = header.length;
  view.setUint32(at, crc32(out.subarray(0, at)), true);
  at += CRC_BYTES;
  for (const [i, payload] of container.payloads.entries()) {
    const start = at;
    out.set(lengths[i], at);
    at += lengths[i].length;
    out.set(payload, at);
    at += payload.length;
    view.setUint32(at, crc32(out.subarray(start, at)), true);
    at += CRC_BYTES;
  }
  view.setUint32(at, container.samplesCrc, true);
  return out;
}

/**
 * Reads a whole file and checks everything that can be checked without decoding. The payloads are views of `bytes`.
 *
 * @throws CnfzipError `bad-input` if it is no `.cnfz` file; `unsupported` if a newer cnfzip wrote it, or it holds a kind
 *   of image that this version does not know; `corrupt` if it is damaged, cut short, or something follows its end
 */
export function readContainer(bytes: Uint8Array): Container {
  if (bytes.length === 0) throw new CnfzipError('bad-input', 'not a cnfz file: it is empty');
  if (MAGIC.some((byte, i) => i < bytes.length && bytes[i] !== byte)) {
    throw new CnfzipError('bad-input', 'not a cnfz file');
  }
  const reader = new Reader(bytes);
  reader.take(MAGIC.length);
  const version = reader.byte();
  if (version > FORMAT_VERSION) {
    throw new CnfzipError(
      'unsupported',
      `written in format version ${version}; this cnfzip reads versions up to ${FORMAT_VERSION}`,
    );
  }
  if (version === 0) throw new CnfzipError('corrupt', 'damaged header: format version 0');
  const kernelVersion = reader.byte();
  const modelHash = bytesToHex(reader.take(FIXED_HEADER - reader.at));
  const width = reader.varint();
  const height = reader.varint();
  const kind = reader.byte();
  reader.checkCrc(0, 'header');

  const channels = kind & 15;
  const bitDepth = (kind >> 4) + 1;
  if ((channels !== 1 && channels !== 3) || bitDepth !== 8) {
    throw new CnfzipError('unsupported', `holds ${channels} channels of ${bitDepth} bits; 1 or 3 of 8 are supported`);
  }
  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new CnfzipError('corrupt', `impossible image size ${width} x ${height}`);
  }
  const tiles = tileCount(width, height);
  if (tiles * MIN_CHUNK + CRC_BYTES > reader.left) throw cutShort();

  const payloads: Uint8Array[] = [];
  for (let tile = 0; tile < tiles; tile++) {
    const start = reader.at;
    payloads.push(reader.take(reader.varint()));
    reader.checkCrc(start, `tile ${tile + 1} of ${tiles}`);
  }
  const samplesCrc = reader.uint32();
  if (reader.left > 0) throw new CnfzipError('corrupt', `${reader.left} bytes follow the end of the file's data`);
  return { kernelVersion, modelHash, width, height, channels, bitDepth, payloads, samplesCrc };
}

class Reader {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get left(): number {
    return this.bytes.length - this.at;
  }

  take(count: number): Uint8Array {
    if (count > this.left) throw cutShort();
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  byte(): number {
    return this.take(1)[0];
  }

  uint32(): number {
    const [a, b, c, d] = this.take(4);
    return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  }

  /** At most five bytes, so below 2^35. */
  varint(): number {
    let value = 0;
    for (let i = 0; i < 5; i++) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) {
        if (byte === 0 && i > 0) break;
        return value;
      }
    }
    throw new CnfzipError('corrupt', 'damaged: a malformed number');
  }

  checkCrc(start: number, what: string): void {
    const crc = crc32(this.bytes.subarray(start, this.at));
    if (this.uint32() !== crc) throw new CnfzipError('corrupt', `damaged: the checksum of the ${what} does not match`);
  }
}

function cutShort(): CnfzipError {
  return new CnfzipError('corrupt', 'cut short: the file ends before its data does');
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
  return bytes;
}
