/**
 * What an image has beside its samples: palette and metadata, as one deflated chunk of a `.cnfz` file. It holds the length
 * of the rest (v, at most 2^28), then deflated: the palette if there is one, as number of its colours (v) and their bytes;
 * then to the end of each piece of metadata 1 byte for its place, 4 for its type, its length (v) and its bytes.
 */

import { CnfzipError } from '../error.js';
import type { Image, Metadata } from '../image.js';
import { ByteReader, varint } from './bytes.js';
import { deflate, inflate } from './deflate.js';

export type Attachments = Pick<Image, 'palette' | 'metadata'>;

const PLACES = ['start', 'after palette', 'end'] as const;

/** Most bytes that palette and metadata may take together. */
const MAX_BYTES = 2 ** 28;

/**
 * @returns nothing if there is nothing to tell
 * @throws {CnfzipError} `unsupported` if it is too much
 */
export function writeAttachments({ palette, metadata = [] }: Attachments): Uint8Array | undefined {
  if (!palette && metadata.length === 0) return undefined;
  const parts: ArrayLike<number>[] = palette ? [varint(palette.length / 3), palette] : [];
  for (const { type, place, data } of metadata) {
    const letters = [...type].map((letter) => letter.charCodeAt(0));
    parts.push([PLACES.indexOf(place), ...letters, ...varint(data.length)], data);
  }
  const plain = concatenate(parts);
  if (plain.length > MAX_BYTES) throw new CnfzipError('unsupported', `${plain.length} bytes of metadata are too many`);
  return concatenate([varint(plain.length), deflate(plain)]);
}

/**
 * @param indexed whether there is a palette
 * @throws {CnfzipError} `corrupt`
 */
export function readAttachments(chunk: Uint8Array, indexed: boolean): Attachments {
  const damaged = () => new CnfzipError('corrupt', 'damaged: its metadata is malformed');
  const outer = new ByteReader(chunk);
  const length = outer.varint();
  if (length > MAX_BYTES) throw damaged();
  const reader = new ByteReader(inflate(outer.take(outer.left), length));
  let palette: Uint8Array | undefined;
  if (indexed) {
    const colours = reader.varint();
    if (colours < 1 || colours > 256) throw damaged();
    palette = reader.take(3 * colours).slice();
  }
  const metadata: Metadata[] = [];
  while (reader.left > 0) {
    const place = PLACES[reader.byte()];
    const type = String.fromCharCode(...reader.take(4));
    if (!place || !/^[A-Za-z]{4}$/.test(type)) throw damaged();
    metadata.push({ type, place, data: reader.take(reader.varint()).slice() });
  }
  return { palette, metadata: metadata.length > 0 ? metadata : undefined };
}

function concatenate(parts: readonly ArrayLike<number>[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
