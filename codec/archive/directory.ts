/**
 * The directory of an archive, a `.cnfa` file: which images are in which shard, and where the shards' parts lie. `docs/format.md` has
 * it byte by byte.
 */

import { ByteReader, concatenate, varint } from '../container/bytes.js';
import type { FlowId } from '../container/contents.js';
import { crc32 } from '../container/crc32.js';
import { deflate, inflate } from '../container/deflate.js';
import { uint32 } from '../container/head.js';
import { bytesToHex, hexToBytes } from '../container/hex.js';
import { CnfzipError } from '../error.js';
import { LEARNING } from '../flow/learning.js';
import { type Channels, isSize, MAX_VALUE } from '../image.js';
import type { Source } from '../source.js';
import { MAX_TILE_SIDE } from '../tiles.js';
import { MAX_NAMES, readNames, writeNames } from './names.js';

const ARCHIVE_VERSION = 3;

/** Magic and version. */
const HEAD = Uint8Array.of(0xcf, 0x41, 0x0d, 0x0a, ARCHIVE_VERSION);
/** The directory's length, and the checksum that binds it to the head. */
const FOOT_BYTES = 8;
const HASH_BYTES = 8;

/** Most pixels of all images of a sequence. */
export const MAX_SEQUENCE_PIXELS = 1 << 24;

const CHANNELS = 3;
const SEQUENCE_FLAG = 4;
const BYTES_FLAG = 8;
const LEARNING_SHIFT = 4;
const KIND_BITS = 6;

/** Images of one size and kind. */
export interface ShardShape {
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  /** Largest value of a sample; in a sequence 255. */
  readonly maxval: number;
}

/** A part of an archive: images that a flow codes one after the other, or one image. */
export interface Shard extends ShardShape {
  /** Of a sequence; without it the part is the one image's `.cnfz` file. */
  readonly flow?: FlowId;
  /** Of its images, in their order; paths with `/` between their parts. */
  readonly names: readonly string[];
  /** Where its part lies in the archive. */
  readonly offset: number;
  readonly length: number;
  readonly checksum: number;
}

/** A shard whose part is at hand. */
export interface CodedShard extends Omit<Shard, 'offset' | 'length' | 'checksum'> {
  readonly part: Uint8Array;
}

/** What may be in a sequence, as far as shape and number tell: gray or RGB of 8 bits, no larger than a tile. */
export function fitsSequence({ width, height, channels, maxval }: ShardShape, count: number): boolean {
  const fits = (channels === 1 || channels === 3) && maxval === 255;
  return fits && Math.max(width, height) <= MAX_TILE_SIDE && count * width * height <= MAX_SEQUENCE_PIXELS;
}

/** The bytes of an archive. */
export function writeArchive(shards: readonly CodedShard[]): Uint8Array<ArrayBuffer> {
  const names = writeNames(shards.flatMap(({ names }) => names));
  const directory = concatenate([
    varint(shards.length),
    ...shards.map(entryOf),
    varint(names.length),
    ...(names.length > 0 ? [deflate(names)] : []),
  ]);
  const length = uint32(directory.length);
  return concatenate([HEAD, ...shards.map(({ part }) => part), directory, length, uint32(checksumOf(directory))]);
}

function entryOf({ width, height, channels, maxval, flow, names, part }: CodedShard): number[] {
  const bits = maxval === 255 ? BYTES_FLAG : 0;
  const sequence = flow ? SEQUENCE_FLAG | (LEARNING.indexOf(flow.learning) << LEARNING_SHIFT) : 0;
  return [
    (channels - 1) | bits | sequence,
    ...varint(width),
    ...varint(height),
    ...(bits ? [] : varint(maxval)),
    ...(flow ? [...varint(names.length), flow.kernelVersion, ...hexToBytes(flow.modelHash)] : []),
    ...varint(part.length),
    ...uint32(crc32(part)),
  ];
}

/** Of head, directory and its length. */
function checksumOf(directory: Uint8Array): number {
  return crc32(Uint8Array.from(uint32(directory.length)), crc32(directory, crc32(HEAD)));
}

/** Whether a file begins as an archive does. */
export function isArchive(bytes: Uint8Array): boolean {
  return HEAD.subarray(0, -1).every((byte, i) => bytes[i] === byte);
}

/**
 * Reads and checks an archive's directory.
 *
 * @param source tells its size
 * @throws CnfzipError `bad-input` if it is no archive; `unsupported` if a newer cnfzip wrote it; `corrupt` if it is damaged, cut short,
 *   or something follows its end; what the source throws
 */
export async function readArchive(source: Source & { readonly size: number }): Promise<Shard[]> {
  const head = await source.read(0, HEAD.length);
  if (!isArchive(head)) throw new CnfzipError('bad-input', 'not a cnfzip archive');
  const damaged = (what: string) => new CnfzipError('corrupt', `damaged or cut short: ${what}`);
  const version = head[HEAD.length - 1];
  if (version === undefined || version === 0 || source.size < HEAD.length + FOOT_BYTES)
    throw damaged('it is no whole archive');
  if (version > ARCHIVE_VERSION) {
    const own = `this cnfzip reads version ${ARCHIVE_VERSION}`;
    throw new CnfzipError('unsupported', `an archive of version ${version}; ${own}`);
  }
  const foot = new ByteReader(await source.read(source.size - FOOT_BYTES, FOOT_BYTES));
  const length = foot.uint32();
  const checksum = foot.uint32();
  const end = source.size - FOOT_BYTES - length;
  if (length === 0 || end < HEAD.length) throw damaged('its end is not that of an archive');
  const directory = await source.read(end, length);
  if (checksumOf(directory) !== checksum) throw damaged('the checksum of its directory does not match');
  return readDirectory(directory, end);
}

/** @param end of the parts */
function readDirectory(directory: Uint8Array, end: number): Shard[] {
  const reader = new ByteReader(directory);
  const shards: (Omit<Shard, 'names'> & { readonly count: number })[] = [];
  let offset = HEAD.length;
  for (let left = reader.varint(); left > 0; left--) {
    const shard = readEntry(reader, offset);
    shards.push(shard);
    offset += shard.length;
  }
  const length = reader.varint();
  if (length > MAX_NAMES) throw contradiction();
  const rest = reader.take(reader.left);
  const names = readNames(length > 0 ? inflate(rest, length) : rest);
  const images = shards.reduce((sum, { count }) => sum + count, 0);
  if (offset !== end || images !== names.length) throw contradiction();
  let at = 0;
  return shards.map(({ count, ...shard }) => {
    at += count;
    return { ...shard, names: names.slice(at - count, at) };
  });
}

function readEntry(reader: ByteReader, offset: number): Omit<Shard, 'names'> & { readonly count: number } {
  const kind = reader.byte();
  const width = reader.varint();
  const height = reader.varint();
  const maxval = kind & BYTES_FLAG ? 255 : reader.varint();
  const shape: ShardShape = { width, height, channels: ((kind & CHANNELS) + 1) as Channels, maxval };
  const sequence = (kind & SEQUENCE_FLAG) !== 0;
  const learning = LEARNING.at(kind >> LEARNING_SHIFT);
  const values = maxval >= 1 && maxval <= MAX_VALUE && (maxval !== 255 || (kind & BYTES_FLAG) !== 0);
  if (kind >> KIND_BITS || !learning || !isSize(width, height) || !values) throw contradiction();
  if (learning !== 'none' && !sequence) throw contradiction();
  const count = sequence ? reader.varint() : 1;
  if (count === 0 || (sequence && !fitsSequence(shape, count))) throw contradiction();
  const flow = sequence
    ? { kernelVersion: reader.byte(), modelHash: bytesToHex(reader.take(HASH_BYTES)), learning }
    : undefined;
  return { ...shape, ...(flow && { flow }), count, offset, length: reader.varint(), checksum: reader.uint32() };
}

/**
 * Reads and checks a shard's part.
 *
 * @throws CnfzipError `corrupt`; what the source throws
 */
export async function readPart(source: Source, { offset, length, checksum }: Shard): Promise<Uint8Array> {
  const part = length > 0 ? await source.read(offset, length) : new Uint8Array();
  if (part.length === length && crc32(part) === checksum) return part;
  throw new CnfzipError('corrupt', 'damaged: its checksum does not match');
}

function contradiction(): CnfzipError {
  return new CnfzipError('corrupt', 'damaged: the parts of its directory contradict each other');
}
