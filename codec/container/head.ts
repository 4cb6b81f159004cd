/**
 * The head of a `.cnfz` file: what its parts are and where they lie. `docs/format.md` has it byte by byte. All multi-byte numbers are
 * little-endian; a varint (v) holds 7 bits a byte, lowest first, the top bit set on all bytes but the last, in its shortest form.
 *
 *     4  magic CF 5A 0D 0A
 *     1  format version (`version.ts`)
 *     v  width in pixels
 *     v  height in pixels
 *     1  channels less 1; + 4 if the samples are indexes of a palette; + 8 if there are attachments; + 16 if colour and alpha are
 *        layers of their own: else one layer has all channels; + 32 if the largest value of a sample is 255
 *     v  largest value of a sample, if it is not 255
 *     of each layer
 *       1  its method: 0 plain, 1 WebP, 2 tiles of a flow, 3 tiles of which some are WebP; + 4 if it has an alphabet; + 8 times
 *          what of the flow goes on learning while it codes a tile (`LEARNING`, in its order); + 32 times how often the payloads of
 *          a flow's tiles are cut
 *       n  of method 3, a bit for each tile: 1 if it is WebP; lowest first, the last byte filled up with 0
 *       1  if a tile is coded by a flow: version of the kernel arithmetic that decided the bits, and
 *       8  first bytes of the model's hash
 *     v  length of each part, in the order of the parts
 *     4  only if the parts are more than 2^15 bytes: checksum of the image's samples,
 *     4  and of each part
 *     4  checksum of all that; of smaller files it stands behind the parts and is the one checksum, of all before it
 *
 * The parts follow in the order of `partsOf`, and nothing follows them.
 *
 * Checksums are CRC-32. That of the head binds everything: as it is that of the others, too, no part can come from another file.
 *
 * The magic is chosen to break under the usual accidents: its first byte loses its top bit on 7-bit channels and makes no
 * valid UTF-8 with the second; CR LF changes when line ends are translated in either direction.
 */

import { CnfzipError } from '../error.js';
import { LEARNING, type Learning } from '../flow/learning.js';
import { type Channels, isSize, MAX_VALUE } from '../image.js';
import { tileCount } from '../tiles.js';
import { ByteReader, varint } from './bytes.js';
import { type ContentsOf, type FlowId, type LayerOf, type Method, partsOf, splitsOf, type TileOf } from './contents.js';
import { crc32 } from './crc32.js';
import { bytesToHex, hexToBytes } from './hex.js';
import { FORMAT_VERSION } from './version.js';

export { FORMAT_VERSION };

const MAGIC = Uint8Array.of(0xcf, 0x5a, 0x0d, 0x0a);
const HASH_BYTES = 8;
const CRC_BYTES = 4;

const CHANNELS = 3;
const PALETTE_FLAG = 4;
const ATTACHMENTS_FLAG = 8;
const SPLIT_FLAG = 16;
const BYTES_FLAG = 32;
const KIND_BITS = 6;

/** Of the lowest two bits of a layer's first byte. */
const CODES = { plain: 0, webp: 1, flows: 2, mixed: 3 };
const ALPHABET_FLAG = 4;
const LEARNING_SHIFT = 3;
const SPLITS_SHIFT = 5;
export const MAX_SPLITS = 7;

/** Files whose parts are no more bytes than this are read at once, and have one checksum. */
export const SMALL_BYTES = 1 << 15;

/** Where a part lies in its file. */
export interface Part {
  /** For people: `tile 3 of 6`. */
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  /** Of a small file's parts none. */
  readonly checksum?: number;
}

/** All that is known of a file before its parts are read. */
export interface Head extends ContentsOf<Part> {
  /** Bytes of the whole file. */
  readonly bytes: number;
  /** Of its samples, where it is not small. */
  readonly samplesChecksum?: number;
}

/**
 * The bytes of a head, but for its checksum.
 *
 * @param samplesChecksum of the samples that the layers decode to
 * @param checksum of a part
 */
export function writeHead<P extends { readonly length: number }>(
  contents: ContentsOf<P>,
  samplesChecksum: () => number,
  checksum: (part: P) => number,
): Uint8Array {
  const { width, height, channels, maxval, indexed, attachments, layers } = contents;
  const kind =
    (channels - 1) |
    (indexed ? PALETTE_FLAG : 0) |
    (attachments ? ATTACHMENTS_FLAG : 0) |
    (layers.length > 1 ? SPLIT_FLAG : 0) |
    (maxval === 255 ? BYTES_FLAG : 0);
  const parts = [...partsOf(contents)];
  const checksums = isSmall(parts) ? [] : [samplesChecksum(), ...parts.map(checksum)];
  return Uint8Array.from([
    ...MAGIC,
    FORMAT_VERSION,
    ...varint(width),
    ...varint(height),
    kind,
    ...(maxval === 255 ? [] : varint(maxval)),
    ...layers.flatMap(layerHead),
    ...parts.flatMap(({ length }) => varint(length)),
    ...checksums.flatMap(uint32),
  ]);
}

/** Whether a file of these parts has one checksum only. */
export function isSmall(parts: readonly { readonly length: number }[]): boolean {
  return parts.reduce((sum, { length }) => sum + length, 0) <= SMALL_BYTES;
}

/** Bytes of a number of 32 bits. */
export function uint32(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
}

/** Bytes that a layer takes in its file, if there is no other. */
export function layerBytes(layer: LayerOf<Uint8Array>): number {
  const parts = [...partsOf({ layers: [layer] })];
  const framing = isSmall(parts) ? 0 : CRC_BYTES;
  return parts.reduce((sum, { length }) => sum + varint(length).length + length + framing, layerHead(layer).length);
}

function layerHead(layer: LayerOf<unknown>): number[] {
  const { method, alphabet, flow, tiles } = layer;
  const isWebp = tiles.map((tile) => method === 'tiles' && tile.method === 'webp');
  const mixed = isWebp.includes(true);
  const code = method === 'tiles' ? (mixed ? CODES.mixed : CODES.flows) : CODES[method];
  const learning = flow ? LEARNING.indexOf(flow.learning) << LEARNING_SHIFT : 0;
  const flags = (alphabet ? ALPHABET_FLAG : 0) | learning | (splitsOf(layer) << SPLITS_SHIFT);
  const bits = new Uint8Array(mixed ? (tiles.length + 7) >> 3 : 0);
  for (let i = 0; i < tiles.length; i++) if (isWebp[i]) bits[i >> 3] |= 1 << (i & 7);
  return [code | flags, ...bits, ...(flow ? [flow.kernelVersion, ...hexToBytes(flow.modelHash)] : [])];
}

/**
 * Reads a head from the beginning of a file, of a small one all of it.
 *
 * @throws CnfzipError `bad-input` if it is no `.cnfz` file; `unsupported` if another version of cnfzip wrote it; `corrupt` if it is
 *   damaged; a `CutShortError`, which is also `corrupt`, if it goes on behind these bytes
 */
export function readHead(bytes: Uint8Array): Head {
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
  const maxval = kind & BYTES_FLAG ? 255 : reader.varint();
  if (!isSize(width, height)) {
    throw new CnfzipError('corrupt', `damaged: impossible image size ${width} x ${height}`);
  }
  if (maxval < 1 || maxval > MAX_VALUE || (maxval === 255 && !(kind & BYTES_FLAG))) {
    throw new CnfzipError('corrupt', `damaged: impossible largest value ${maxval}`);
  }
  const channels = ((kind & CHANNELS) + 1) as Channels;
  const indexed = (kind & PALETTE_FLAG) !== 0;
  const split = (kind & SPLIT_FLAG) !== 0;
  const attached = (kind & ATTACHMENTS_FLAG) !== 0;
  const fitsPalette = channels === 1 && maxval <= 255 && attached;
  if (kind >> KIND_BITS || (split && channels % 2 === 1) || (indexed && !fitsPalette)) throw contradiction();
  const layers = Array.from({ length: split ? 2 : 1 }, () => readLayer(reader, tileCount(width, height)));
  const attachments = attached ? blank('attachments') : undefined;
  return { width, height, channels, maxval, indexed, ...readIndex(reader, { attachments, layers }) };
}

/** A part whose place is still to be read. */
type Blank = { -readonly [K in keyof Part]: Part[K] };

function blank(name: string): Blank {
  return { name, offset: 0, length: 0 };
}

function readLayer(reader: ByteReader, count: number): LayerOf<Blank> {
  const byte = reader.byte();
  const code = byte & CODES.mixed;
  const splits = byte >> SPLITS_SHIFT;
  const learning = LEARNING[(byte >> LEARNING_SHIFT) & 3];
  const alphabet = byte & ALPHABET_FLAG ? blank('alphabet') : undefined;
  const method: Method = code === CODES.plain ? 'plain' : code === CODES.webp ? 'webp' : 'tiles';
  if (method !== 'tiles') {
    if (learning !== 'none' || splits > 0) throw contradiction();
    return { method, alphabet, tiles: [{ method, stages: [blank('samples')] }] };
  }
  const bits = code === CODES.mixed ? reader.take((count + 7) >> 3) : new Uint8Array((count + 7) >> 3);
  const isWebp = (i: number) => ((bits[i >> 3] >> (i & 7)) & 1) === 1;
  let webps = 0;
  for (let i = 0; i < 8 * bits.length; i++) if (isWebp(i)) webps++;
  const tiles = Array.from({ length: count }, (_, i): TileOf<Blank> => {
    const stage = () => blank(count > 1 ? `tile ${i + 1} of ${count}` : 'samples');
    if (isWebp(i)) return { method: 'webp', stages: [stage()] };
    return { method: 'flow', stages: Array.from({ length: 1 + splits }, stage) };
  });
  const own = tiles.filter((tile) => tile.method === 'webp').length;
  if (own !== webps || (code === CODES.mixed && webps === 0)) throw contradiction();
  if (webps < count) return { method, flow: readFlow(reader, learning), alphabet, tiles };
  if (learning !== 'none' || splits > 0) throw contradiction();
  return { method, alphabet, tiles };
}

function readFlow(reader: ByteReader, learning: Learning): FlowId {
  const kernelVersion = reader.byte();
  if (kernelVersion === 0) throw contradiction();
  return { kernelVersion, modelHash: bytesToHex(reader.take(HASH_BYTES)), learning };
}

function readIndex(
  reader: ByteReader,
  contents: Pick<ContentsOf<Blank>, 'attachments' | 'layers'>,
): Pick<Head, 'attachments' | 'layers' | 'bytes' | 'samplesChecksum'> {
  const parts = [...partsOf(contents)];
  if (parts.length + CRC_BYTES > reader.left) throw reader.cutShort();
  for (const part of parts) part.length = reader.varint();
  if (isSmall(parts)) {
    reader.take(place(parts, reader.at) - reader.at);
    checkBefore(reader, 'file');
    return { ...contents, bytes: reader.at };
  }
  const samplesChecksum = reader.uint32();
  for (const part of parts) part.checksum = reader.uint32();
  checkBefore(reader, 'header');
  return { ...contents, bytes: place(parts, reader.at), samplesChecksum };
}

/** Sets where the parts lie, one behind the other; returns where they end. */
function place(parts: readonly Blank[], from: number): number {
  let end = from;
  for (const part of parts) {
    part.offset = end;
    end += part.length;
  }
  return end;
}

/** Checks the checksum of all that was read so far, which stands here. */
function checkBefore(reader: ByteReader, what: string): void {
  const found = crc32(reader.bytes.subarray(0, reader.at));
  if (reader.uint32() !== found) {
    throw new CnfzipError('corrupt', `damaged: the checksum of the ${what} does not match`);
  }
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

function contradiction(): CnfzipError {
  return new CnfzipError('corrupt', 'damaged header: its parts contradict each other');
}
