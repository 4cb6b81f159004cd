/**
 * What an image has beside its samples: palette and metadata, as one deflated part of a `.cnfz` file. It holds the length
 * of the rest (v, at most 2^28), then deflated: the palette if there is one, as number of its colours (v) and their bytes;
 * then to the end of each piece of metadata, of at most 2^16, 1 byte for its place, 4 for its type, its length (v) and its
 * bytes. What pieces there may be, `metadata.ts` says.
 */

import { CnfzipError } from '../error.js';
import type { Image, Metadata } from '../image.js';
import { attachmentsProblem, MAX_PIECES, PLACES } from '../metadata.js';
import { ByteReader, concatenate, varint } from './bytes.js';
import type { Container } from './container.js';
import { deflate, inflate } from './deflate.js';

export type Attachments = Pick<Image, 'palette' | 'metadata'>;

/** Most bytes that palette and metadata may take together. */
const MAX_BYTES = 1 << 28;

/** Most bytes of the part: deflate makes what it cannot shrink longer by less than this. */
const MAX_DEFLATED = MAX_BYTES + (MAX_BYTES >> 7);

/**
 * @returns nothing if there is nothing to tell
 * @throws {CnfzipError} `unsupported` if it is too much
 */
export function writeAttachments({ palette, metadata = [] }: Attachments): Uint8Array | undefined {
  if (!palette && metadata.length === 0) return undefined;
  const tooMuch = (what: string) => new CnfzipError('unsupported', `${what} of metadata are too many`);
  if (metadata.length > MAX_PIECES) throw tooMuch(`${metadata.length} pieces`);
  const parts: ArrayLike<number>[] = palette ? [varint(palette.length / 3), palette] : [];
  for (const { type, place, data } of metadata) {
    const letters = [...type].map((letter) => letter.charCodeAt(0));
    parts.push([PLACES.indexOf(place), ...letters, ...varint(data.length)], data);
  }
  const bytes = parts.reduce((sum, { length }) => sum + length, 0);
  if (bytes > MAX_BYTES) throw tooMuch(`${bytes} bytes`);
  return concatenate([varint(bytes), deflate(concatenate(parts))]);
}

/**
 * Checks how long the part is, before it is read.
 *
 * @throws {CnfzipError} `corrupt`
 */
export function checkAttachedLength({ length }: { readonly length: number }): void {
  if (length > MAX_DEFLATED) throw damaged(`metadata of ${length} bytes`);
}

/** Bytes that a container's palette and metadata are inflated to, before that is done. */
export function attachedBytes({ attachments }: Pick<Container, 'attachments'>): number {
  return attachments ? new ByteReader(attachments).varint() : 0;
}

/**
 * @returns views of one array
 * @throws {CnfzipError} `corrupt`
 */
export function readAttachments({
  attachments,
  indexed,
  channels,
  maxval,
}: Pick<Container, 'attachments' | 'indexed' | 'channels' | 'maxval'>): Attachments {
  if (!attachments) return {};
  checkAttachedLength(attachments);
  const outer = new ByteReader(attachments);
  const length = outer.varint();
  if (length === 0 || length > MAX_BYTES) throw damaged();
  const reader = new ByteReader(inflate(outer.take(outer.left), length));
  const palette = indexed ? reader.take(3 * reader.varint()) : undefined;
  const pieces: Metadata[] = [];
  while (reader.left > 0) {
    if (pieces.length === MAX_PIECES) throw damaged(`metadata of more than ${MAX_PIECES} pieces`);
    const place = PLACES[reader.byte()];
    const type = String.fromCharCode(...reader.take(4));
    pieces.push({ type, place, data: reader.take(reader.varint()) });
  }
  const metadata = pieces.length > 0 ? pieces : undefined;
  const problem = attachmentsProblem({ channels, palette, metadata }, maxval);
  if (problem) throw damaged(problem);
  return { palette, metadata };
}

function damaged(what = 'its metadata is malformed'): CnfzipError {
  return new CnfzipError('corrupt', `damaged: ${what}`);
}
