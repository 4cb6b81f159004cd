/**
 * The `.cnfz` file. All multi-byte numbers are little-endian; a varint (v) holds 7 bits a byte, lowest first, the top bit
 * set on all bytes but the last, in its shortest form.
 *
 *     header   4  magic CF 5A 0D 0A
 *              1  format version: 4
 *              v  width in pixels
 *              v  height in pixels
 *              1  channels, 1 .. 4; + 8 if the samples are indexes of a palette; + 16 if there are attachments; + 32 if
 *                 colour and alpha are layers of their own: else one layer has all channels
 *              v  largest value of a sample
 *     a layer  1  its method: 0 plain, 1 WebP, 2 tiles; + 16 if it has an alphabet; + 32 if the flow goes on learning while
 *                 it codes a tile
 *     of tiles 1  version of the kernel arithmetic that decided the bits, and
 *              8  first bytes of the model's hash; all 0 if no tile is coded by a flow
 *              4  checksum
 *     chunk    v  payload length in bytes
 *              n  payload
 *              4  checksum
 *     trailer  4  checksum
 *
 * The chunks: attachments, if any (see `attachments.ts`); then of each layer its alphabet, if any (`alphabet.ts`), and its
 * payload, or that of each of its tiles in the order of `tileLayout`, which width and height decide, so no count is
 * stored. A tile's payload begins with its method: 0 flow, 1 WebP. Nothing may follow the trailer.
 *
 * There is one checksum, a CRC-32 that runs on from part to part, over all but the checksums themselves: the header, each
 * chunk's length and payload, at last the image's samples, row by row, channels interleaved, those of more than 8 bits as two
 * bytes. Each part ends with its value there, so it is bound to all before it: none can come from another file. (With a
 * CRC-32 of each part alone, even one more over the whole file would let a part be exchanged for another of its length: any
 * bytes with their own CRC-32 behind them leave the same behind in the one that runs over both.)
 *
 * The magic is chosen to break under the usual accidents: its first byte loses its top bit on 7-bit channels and makes no
 * valid UTF-8 with the second; CR LF changes when line ends are translated in either direction.
 */

import { CnfzipError } from '../error.js';
import { type Channels, type Image, MAX_PIXELS, MAX_SIDE, MAX_VALUE } from '../image.js';
import { tileCount } from '../tiles.js';
import { ByteReader, varint } from './bytes.js';
import { crc32 } from './crc32.js';
import { bytesToHex, hexToBytes } from './hex.js';

export const FORMAT_VERSION = 4;

const MAGIC = Uint8Array.of(0xcf, 0x5a, 0x0d, 0x0a);
const HASH_BYTES = 8;
const CRC_BYTES = 4;
/** Length, an empty payload and its checksum. */
const MIN_CHUNK = 1 + CRC_BYTES;

const PALETTE_FLAG = 8;
const ATTACHMENTS_FLAG = 16;
const SPLIT_FLAG = 32;
const ALPHABET_FLAG = 16;
const ADAPTS_FLAG = 32;

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
  /** Whether it goes on learning while it codes a tile. */
  readonly adapts: boolean;
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
}

/** A file's container, whose samples are still to be checked. */
export interface SealedContainer extends Container {
  /** The checksum up to the samples. */
  readonly checksum: number;
  /** What it must come to behind them. */
  readonly trailer: number;
}

/**
 * Writes a whole file.
 *
 * @param samples those that the layers decode to
 */
export function writeContainer(container: Container, samples: Image['samples']): Uint8Array {
  const { attachments, layers } = container;
  const chunks = [...(attachments ? [attachments] : []), ...layers.flatMap(chunksOf)];
  const parts = [[headerOf(container)], ...chunks.map((chunk) => [varint(chunk.length), chunk])];
  const size = parts.flat().reduce((sum, { length }) => sum + length, CRC_BYTES * (parts.length + 1));
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = 0;
  let checksum = 0;
  const seal = (contents: Image['samples']) => {
    checksum = crc32(contents, checksum);
    view.setUint32(at, checksum, true);
    at += CRC_BYTES;
  };
  for (const part of parts) {
    const start = at;
    for (const piece of part) {
      out.set(piece, at);
      at += piece.length;
    }
    seal(out.subarray(start, at));
  }
  seal(samples);
  return out;
}

/** Bytes that a layer takes in its file. */
export function layerBytes(layer: CodedLayer): number {
  const chunkBytes = ({ length }: Uint8Array) => varint(length).length + length + CRC_BYTES;
  return chunksOf(layer).reduce((sum, chunk) => sum + chunkBytes(chunk), layerHeader(layer).length);
}

function headerOf({ width, height, channels, maxval, indexed, attachments, layers }: Container): number[] {
  const flags =
    (indexed ? PALETTE_FLAG : 0) + (attachments ? ATTACHMENTS_FLAG : 0) + (layers.length > 1 ? SPLIT_FLAG : 0);
  const image = [...varint(width), ...varint(height), channels + flags, ...varint(maxval)];
  return [...MAGIC, FORMAT_VERSION, ...image, ...layers.flatMap(layerHeader)];
}

function layerHeader({ method, alphabet, flow }: CodedLayer): number[] {
  const flags = (alphabet ? ALPHABET_FLAG : 0) + (flow?.adapts ? ADAPTS_FLAG : 0);
  const byte = METHODS.indexOf(method) + flags;
  if (method !== 'tiles') return [byte];
  return [byte, flow?.kernelVersion ?? 0, ...(flow ? hexToBytes(flow.modelHash) : new Uint8Array(HASH_BYTES))];
}

function chunksOf({ alphabet, payloads }: CodedLayer): Uint8Array[] {
  return [...(alphabet ? [alphabet] : []), ...payloads];
}

/**
 * Reads a whole file and checks everything that can be checked without decoding. The payloads are views of `bytes`.
 *
 * @throws CnfzipError `usage` if it is no Uint8Array; `bad-input` if it is no `.cnfz` file; `unsupported` if another version of
 *   cnfzip wrote it, or it holds what this version does not know; `corrupt` if it is damaged, cut short, or something follows
 *   its end
 */
export function readContainer(bytes: Uint8Array): SealedContainer {
  checkBytes(bytes);
  if (bytes.length === 0) throw new CnfzipError('bad-input', 'not a cnfz file: it is empty');
  if (MAGIC.some((byte, i) => i < bytes.length && bytes[i] !== byte)) {
    throw new CnfzipError('bad-input', 'not a cnfz file');
  }
  const reader = new PartReader(bytes);
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
  reader.endPart('header');
  if (!known || headers.some(({ method }) => !method)) {
    throw new CnfzipError('unsupported', 'holds a kind of image that this cnfzip does not know');
  }
  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new CnfzipError('corrupt', `impossible image size ${width} x ${height}`);
  }
  if ((split && channels % 2 === 1) || (indexed && !(channels === 1 && maxval <= 255 && kind & ATTACHMENTS_FLAG))) {
    throw contradiction();
  }
  if (maxval < 1 || maxval > MAX_VALUE) throw new CnfzipError('corrupt', `impossible largest value ${maxval}`);

  const attachments = kind & ATTACHMENTS_FLAG ? reader.chunk('attachments') : undefined;
  const layers = headers.map(({ method, flow, hasAlphabet }): CodedLayer => {
    const alphabet = hasAlphabet ? reader.chunk('alphabet') : undefined;
    const count = method === 'tiles' ? tileCount(width, height) : 1;
    if (count * MIN_CHUNK + CRC_BYTES > reader.left) throw reader.cutShort();
    const payloads: Uint8Array[] = [];
    for (let i = 1; i <= count; i++) payloads.push(reader.chunk(count > 1 ? `tile ${i} of ${count}` : 'samples'));
    const hasFlow = method === 'tiles' && payloads.some((payload) => tileMethod(payload) === 'flow');
    if (hasFlow !== (flow !== undefined)) throw contradiction();
    return { method: method!, flow, alphabet, payloads };
  });
  const { checksum } = reader;
  const trailer = reader.uint32();
  if (reader.left > 0) throw new CnfzipError('corrupt', `${reader.left} bytes follow the end of the file's data`);
  return { width, height, channels: channels as Channels, maxval, indexed, attachments, layers, checksum, trailer };
}

/**
 * Checks what a file's layers were decoded to.
 *
 * @throws CnfzipError `corrupt`
 */
export function checkSamples({ checksum, trailer }: SealedContainer, samples: Image['samples']): void {
  if (crc32(samples, checksum) === trailer) return;
  throw new CnfzipError('corrupt', 'damaged: the checksum of the decoded samples does not match');
}

/** @throws CnfzipError `usage` if it is no Uint8Array */
export function checkBytes(bytes: unknown): asserts bytes is Uint8Array {
  if (!(bytes instanceof Uint8Array)) throw new CnfzipError('usage', 'the bytes of a cnfz file must be a Uint8Array');
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
  const method: Method | undefined = METHODS[byte & ~(ALPHABET_FLAG | ADAPTS_FLAG)];
  const hasAlphabet = (byte & ALPHABET_FLAG) !== 0;
  const adapts = (byte & ADAPTS_FLAG) !== 0;
  if (method !== 'tiles') {
    if (method && adapts) throw contradiction();
    return { method, hasAlphabet };
  }
  const kernelVersion = reader.byte();
  const hash = reader.take(HASH_BYTES);
  if (kernelVersion > 0) return { method, hasAlphabet, flow: { kernelVersion, modelHash: bytesToHex(hash), adapts } };
  if (adapts || hash.some((part) => part !== 0)) throw contradiction();
  return { method, hasAlphabet };
}

function contradiction(): CnfzipError {
  return new CnfzipError('corrupt', 'damaged header: its parts contradict each other');
}

/** Reads a file's parts, each of which ends with the checksum of all up to there. */
class PartReader extends ByteReader {
  checksum = 0;
  #start = 0;

  /** @throws CnfzipError `corrupt` unless the checksum stands here */
  endPart(what: string): void {
    this.checksum = crc32(this.bytes.subarray(this.#start, this.at), this.checksum);
    if (this.uint32() !== this.checksum) {
      throw new CnfzipError('corrupt', `damaged: the checksum of the ${what} does not match`);
    }
    this.#start = this.at;
  }

  /** A chunk's payload. */
  chunk(what: string): Uint8Array {
    const payload = this.take(this.varint());
    this.endPart(what);
    return payload;
  }
}
