/**
 * The `.cnfz` file. All multi-byte numbers are little-endian; a varint (v) holds 7 bits a byte, lowest first, the top bit
 * set on all bytes but the last, in its shortest form.
 *
 *     header   4  magic CF 5A 0D 0A
 *              1  format version: 2
 *              v  width in pixels
 *              v  height in pixels
 *              1  channels, 1 .. 4; + 8 if the samples are indexes of a palette; + 16 if there are attachments; + 32 if
 *                 colour and alpha are layers of their own: else one layer has all channels
 *              v  largest value of a sample
 *     a layer  1  its method: 0 plain, 1 WebP, 2 tiles; + 16 if it has an alphabet
 *     of tiles 1  version of the kernel arithmetic that decided the bits, and
 *              8  first bytes of the model's hash; both 0 if no tile is coded by a flow
 *              4  CRC-32 of the header so far
 *     chunk    v  payload length in bytes
 *              n  payload
 *              4  CRC-32 of the chunk so far (length and payload)
 *     trailer  4  CRC-32 of the image's samples, row by row, channels interleaved, those of more than 8 bits as two bytes
 *
 * The chunks: attachments, if any (see `attachments.ts`); then of each layer its alphabet, if any (`alphabet.ts`), and its
 * payload, or that of each of its tiles in the order of `tileLayout`, which width and height decide, so no count is
 * stored. A tile's payload begins with its method: 0 flow, 1 WebP. Nothing may follow the trailer. The magic is chosen to break under the usual accidents: its first byte loses
 * its top bit on 7-bit channels and makes no valid UTF-8 with the second; CR LF changes when line ends are translated in
 * either direction.
 */

import { CnfzipError } from '../error.js';
import { type Channels, MAX_PIXELS, MAX_SIDE, MAX_VALUE } from '../image.js';
import { tileCount } from '../tiles.js';
import { ByteReader, varint } from './bytes.js';
import { crc32 } from './crc32.js';
import { bytesToHex, hexToBytes } from './hex.js';

export const FORMAT_VERSION = 2;

const MAGIC = Uint8Array.of(0xcf, 0x5a, 0x0d, 0x0a);
const HASH_BYTES = 8;
const CRC_BYTES = 4;
/** Length, an empty payload and its checksum. */
const MIN_CHUNK = 1 + CRC_BYTES;

const PALETTE_FLAG = 8;
const ATTACHMENTS_FLAG = 16;
const SPLIT_FLAG = 32;
const ALPHABET_FLAG = 16;

/** How a layer is coded: PNG's filters and deflate, WebP, or each tile on its own by a flow or WebP. In the file their index. */
export const METHODS = ['plain', 'webp', 'tiles'] as const;
export type Method = (typeof METHODS)[number];

/** How a tile is coded: the first byte of its payload is the index here. */
export const TILE_METHODS = ['flow', 'webp'] as const;
export type TileMethod = (typeof TILE_METHODS)[number];

/** @throws CnfzipError `corrupt` if the tile is coded in no way that is known */
export function tileMethod(payload: Uint8Array): TileMethod {
  const method: TileMethod | undefined = TILE_METHODS[payload[0]];
  if (method) return method;
  throw new CnfzipError('corrupt', 'damaged: a tile is coded in no way that is known');
}

/** Some channels of the image, coded together. */
export interface CodedLayer {
  readonly method: Method;
  /** For tiles, of which at least one is coded by a flow. */
  readonly flow?: FlowId;
  /** The values that occur, where they are few: see `alphabet.ts`. */
  readonly alphabet?: Uint8Array;
  /** One, or one for each tile in the order of `tileLayout`. */
  readonly payloads: readonly Uint8Array[];
}

/** What decides the bits of a flow. */
export interface FlowId {
  /** Version of the kernel arithmetic, 1 .. 255. */
  readonly kernelVersion: number;
  /** 16 hexadecimal digits. */
  readonly modelHash: string;
}

/** What a `.cnfz` file says, before any of its samples is decoded. */
export interface Container {
  /** Pixels, 1 .. `MAX_SIDE`; at most `MAX_PIXELS` in all. */
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  /** Largest value of a sample. */
  readonly maxval: number;
  /** Whether the samples are indexes of a palette, which the attachments hold. */
  readonly indexed: boolean;
  readonly attachments?: Uint8Array;
  /** One with all channels, or colour and alpha. */
  readonly layers: readonly CodedLayer[];
  /** CRC-32 of the image's samples. */
  readonly samplesCrc: number;
}

/** Writes a whole file. */
export function writeContainer(container: Container): Uint8Array {
  const { width, height, channels, maxval, indexed, attachments, layers, samplesCrc } = container;
  const flags =
    (indexed ? PALETTE_FLAG : 0) + (attachments ? ATTACHMENTS_FLAG : 0) + (layers.length > 1 ? SPLIT_FLAG : 0);
  const header = [...MAGIC, FORMAT_VERSION, ...varint(width), ...varint(height), channels + flags, ...varint(maxval)];
  for (const { method, alphabet, flow } of layers) {
    header.push(METHODS.indexOf(method) + (alphabet ? ALPHABET_FLAG : 0));
    if (method !== 'tiles') continue;
    header.push(flow?.kernelVersion ?? 0, ...(flow ? hexToBytes(flow.modelHash) : new Uint8Array(HASH_BYTES)));
  }
  const chunks = layers.flatMap(({ alphabet, payloads }) => [...(alphabet ? [alphabet] : []), ...payloads]);
  if (attachments) chunks.unshift(attachments);
  const size = chunks.reduce((sum, { length }) => sum + varint(length).length + length + CRC_BYTES, 0);
  const out = new Uint8Array(header.length + CRC_BYTES + size + CRC_BYTES);
  const view = new DataView(out.buffer);
  out.set(header);
  let at = header.length;
  const seal = (start: number) => {
    view.setUint32(at, crc32(out.subarray(start, at)), true);
    at += CRC_BYTES;
  };
  seal(0);
  for (const chunk of chunks) {
    const start = at;
    const length = varint(chunk.length);
    out.set(length, at);
    out.set(chunk, at + length.length);
    at += length.length + chunk.length;
    seal(start);
  }
  view.setUint32(at, samplesCrc, true);
  return out;
}

/**
 * Reads a whole file and checks everything that can be checked without decoding. The payloads are views of `bytes`.
 *
 * @throws CnfzipError `usage` if it is no Uint8Array; `bad-input` if it is no `.cnfz` file; `unsupported` if another version of
 *   cnfzip wrote it, or it holds what this version does not know; `corrupt` if it is damaged, cut short, or something follows
 *   its end
 */
export function readContainer(bytes: Uint8Array): Container {
  if (!(bytes instanceof Uint8Array)) throw new CnfzipError('usage', 'the bytes of a cnfz file must be a Uint8Array');
  if (bytes.length === 0) throw new CnfzipError('bad-input', 'not a cnfz file: it is empty');
  if (MAGIC.some((byte, i) => i < bytes.length && bytes[i] !== byte)) {
    throw new CnfzipError('bad-input', 'not a cnfz file');
  }
  const reader = new ByteReader(bytes);
  reader.take(MAGIC.length);
  checkVersion(reader.byte());
  const width = reader.varint();
  const height = reader.varint();
  const kind = reader.byte();
  const maxval = reader.varint();
  const channels = kind & 7;
  const split = (kind & SPLIT_FLAG) !== 0;
  const indexed = (kind & PALETTE_FLAG) !== 0;
  const known = kind < 2 * SPLIT_FLAG && channels >= 1 && channels <= 4;
  const headers = Array.from({ length: split ? 2 : 1 }, () => readLayerHeader(reader));
  checkCrc(reader, 0, 'header');
  if (!known || headers.some(({ method }) => !method)) {
    throw new CnfzipError('unsupported', 'holds a kind of image that this cnfzip does not know');
  }
  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new CnfzipError('corrupt', `impossible image size ${width} x ${height}`);
  }
  if ((split && channels % 2 === 1) || (indexed && !(channels === 1 && maxval <= 255 && kind & ATTACHMENTS_FLAG))) {
    throw new CnfzipError('corrupt', 'damaged header: its parts contradict each other');
  }
  if (maxval < 1 || maxval > MAX_VALUE) throw new CnfzipError('corrupt', `impossible largest value ${maxval}`);

  const attachments = kind & ATTACHMENTS_FLAG ? readChunk(reader, 'attachments') : undefined;
  const layers = headers.map(({ method, flow, hasAlphabet }): CodedLayer => {
    const alphabet = hasAlphabet ? readChunk(reader, 'alphabet') : undefined;
    const count = method === 'tiles' ? tileCount(width, height) : 1;
    if (count * MIN_CHUNK + CRC_BYTES > reader.left) throw reader.cutShort();
    const payloads: Uint8Array[] = [];
    for (let i = 1; i <= count; i++) payloads.push(readChunk(reader, count > 1 ? `tile ${i} of ${count}` : 'samples'));
    return { method: method!, flow, alphabet, payloads };
  });
  const samplesCrc = reader.uint32();
  if (reader.left > 0) throw new CnfzipError('corrupt', `${reader.left} bytes follow the end of the file's data`);
  return { width, height, channels: channels as Channels, maxval, indexed, attachments, layers, samplesCrc };
}

function checkVersion(version: number): void {
  if (version > FORMAT_VERSION) {
    throw new CnfzipError(
      'unsupported',
      `written in format version ${version}; this cnfzip reads version ${FORMAT_VERSION}`,
    );
  }
  if (version === 0) throw new CnfzipError('corrupt', 'damaged header: format version 0');
  if (version < FORMAT_VERSION) {
    throw new CnfzipError('unsupported', `written in format version ${version}, by a cnfzip before its first release`);
  }
}

function readLayerHeader(reader: ByteReader) {
  const byte = reader.byte();
  const method: Method | undefined = METHODS[byte & ~ALPHABET_FLAG];
  const hasAlphabet = (byte & ALPHABET_FLAG) !== 0;
  if (method !== 'tiles') return { method, hasAlphabet };
  const kernelVersion = reader.byte();
  const modelHash = bytesToHex(reader.take(HASH_BYTES));
  return { method, hasAlphabet, flow: kernelVersion === 0 ? undefined : { kernelVersion, modelHash } };
}

function readChunk(reader: ByteReader, what: string): Uint8Array {
  const start = reader.at;
  const payload = reader.take(reader.varint());
  checkCrc(reader, start, what);
  return payload;
}

function checkCrc(reader: ByteReader, start: number, what: string): void {
  const crc = crc32(reader.bytes.subarray(start, reader.at));
  if (reader.uint32() !== crc) {
    throw new CnfzipError('corrupt', `damaged: the checksum of the ${what} does not match`);
  }
}
