/**
 * Sequences: images of one size that a flow codes one after the other on one stack, learning on from each to the next. A part of them
 * holds what they all have beside their samples, 24 bits of a checksum for each image and 32 for all of them, then the stack.
 */

import { type Attachments, readAttachments, writeAttachments } from '../container/attachments.js';
import { ByteReader, concatenate, varint } from '../container/bytes.js';
import { crc32 } from '../container/crc32.js';
import { uint32 } from '../container/head.js';
import { CnfzipError } from '../error.js';
import { forwardColour, inverseColour } from '../flow/colour.js';
import type { TileCodec } from '../flow/tile-codec.js';
import type { Image } from '../image.js';
import type { ShardShape } from './directory.js';

const DEPTH = 8;
const MAXVAL = 255;
const CHECK_BYTES = 3;

/**
 * @param images of one shape, as `fitsSequence` tells, with the same metadata and no palettes
 * @param codec of a flow for their channels
 */
export function encodeSequence(images: readonly Image[], codec: TileCodec): Uint8Array {
  const [first] = images;
  const { width, height } = first;
  const channels = first.channels as 1 | 3;
  const attachments = writeAttachments(first) ?? new Uint8Array();
  const tiles = images.map(({ samples }) => forwardColour(samples, channels));
  const { payload } = codec.encodeSequence(tiles, { width, height, depth: DEPTH });
  const all = images.reduce((crc, { samples }) => crc32(samples, crc), 0);
  const checks = images.flatMap(({ samples }) => uint32(crc32(samples)).slice(0, CHECK_BYTES));
  return concatenate([varint(attachments.length), attachments, checks, uint32(all), payload]);
}

/**
 * @param shape of the images
 * @param count of the images that the part holds
 * @param first so many of them are wanted, which takes no more than to decode these
 * @throws CnfzipError `corrupt`
 */
export function decodeSequence(
  part: Uint8Array,
  { width, height, channels }: ShardShape,
  count: number,
  codec: TileCodec,
  first = count,
): Image[] {
  const reader = new ByteReader(part);
  const attachments = reader.take(reader.varint());
  const checks = reader.take(CHECK_BYTES * count);
  const all = reader.uint32();
  const shape = { width, height, channels, maxval: MAXVAL };
  const attached: Attachments =
    attachments.length > 0 ? readAttachments({ ...shape, attachments, indexed: false }) : {};
  const tiles = codec.decodeSequence(reader.take(reader.left), count, { width, height, depth: DEPTH }, first);
  const images = tiles.map((tile): Image => {
    const samples = inverseColour(tile, channels as 1 | 3, MAXVAL);
    return { ...shape, samples, ...attached };
  });
  const checked = images.every(({ samples }, i) => {
    const found = uint32(crc32(samples));
    return checks.subarray(CHECK_BYTES * i, CHECK_BYTES * (i + 1)).every((byte, j) => byte === found[j]);
  });
  const whole = first < count || images.reduce((crc, { samples }) => crc32(samples, crc), 0) === all;
  if (!checked || !whole) throw new CnfzipError('corrupt', 'damaged: a checksum of decoded samples does not match');
  return images;
}
