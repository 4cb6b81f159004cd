// What an image has beside its samples: palette and metadata (docs/format.md, Attachments).

import { byte, left, Reader, readerOf, take, varint } from './bytes';
import { CORRUPT, fail, failed } from './error';
import { head, partAt } from './head';
import { inflate } from './inflate';
import { alloc } from './arena';

const MOST_BYTES: u64 = 1 << 28;
const MOST_PIECES: i32 = 1 << 16;
const MOST_COLOURS: u64 = 256;

/** Where pieces stand: at the start, behind the palette, at the end. */
const AFTER_PALETTE: u32 = 1;
const END: u32 = 2;

const PLTE: u32 = 0x45544c50;

/** A piece of metadata. */
@unmanaged
export class Piece {
  place: u32;
  /** Four letters, as they lie in memory. */
  type: u32;
  at: usize;
  bytes: usize;
}

const reader = changetype<Reader>(memory.data(offsetof<Reader>()));

let colours: i32 = 0;
let paletteAt: usize = 0;
let count: i32 = 0;
let pieces: usize = 0;

/** Colours of the palette: 0 if the samples are no indexes. */
export function paletteColours(): i32 {
  return colours;
}

/** Address of the palette: three bytes a colour. */
export function palette(): usize {
  return paletteAt;
}

/** Pieces of metadata. */
export function pieceCount(): i32 {
  return count;
}

/** A piece of metadata; 0 if there are not so many. */
export function pieceAt(index: i32): usize {
  return index >= 0 && index < count ? pieces + <usize>index * offsetof<Piece>() : 0;
}

export function forgetAttachments(): void {
  colours = 0;
  paletteAt = 0;
  count = 0;
  pieces = 0;
}

function malformed(): bool {
  return fail(CORRUPT, 'damaged: its metadata is malformed');
}

/** Reads what stands beside the samples of the file whose head was read. */
export function readAttachments(): bool {
  forgetAttachments();
  if (!head.hasAttachments) return true;
  const part = partAt(head.attachments, 'attachments');
  if (!part) return false;
  readerOf(reader, part, <usize>head.attachments.bytes);
  const length = varint(reader);
  if (length == 0 || length > MOST_BYTES) return malformed();
  const inflated = inflate(reader.at, left(reader), length);
  if (!inflated) return false;
  readerOf(reader, inflated, <usize>length);
  if (head.isIndexed && !readPalette()) return false;
  return countPieces() && readPieces();
}

function readPalette(): bool {
  const told = varint(reader);
  const at = take(reader, 3 * told);
  if (failed()) return false;
  if (told < 1 || told > MOST_COLOURS || told > <u64>head.maxval + 1) return malformed();
  colours = <i32>told;
  paletteAt = at;
  return true;
}

function countPieces(): bool {
  const from = reader.at;
  let found = 0;
  while (left(reader) > 0) {
    if (found == MOST_PIECES) return malformed();
    take(reader, 5);
    take(reader, varint(reader));
    if (failed()) return false;
    found++;
  }
  reader.at = from;
  pieces = alloc(<u64>found * offsetof<Piece>());
  if (!pieces) return false;
  count = found;
  return true;
}

function readPieces(): bool {
  let place: u32 = 0;
  let suggested = false;
  for (let i = 0; i < count; i++) {
    const piece = changetype<Piece>(pieceAt(i));
    piece.place = byte(reader);
    piece.type = load<u32>(take(reader, 4));
    const bytes = varint(reader);
    piece.at = take(reader, bytes);
    piece.bytes = <usize>bytes;
    if (piece.place > END || piece.place < place || !fits(piece)) return malformed();
    if (piece.type == PLTE) {
      if (suggested) return malformed();
      suggested = true;
    }
    place = piece.place;
  }
  return true;
}

/** Whether there may be such a piece beside such samples. */
function fits(piece: Piece): bool {
  for (let i: u32 = 0; i < 32; i += 8) {
    const letter = ((piece.type >> i) & 0xff) | 32;
    if (letter < 0x61 || letter > 0x7a) return false;
  }
  if (piece.place == AFTER_PALETTE && !head.isIndexed) return false;
  // A chunk whose type begins with a capital decides what the samples are.
  if (piece.type & 32) return true;
  if (piece.type != PLTE || head.channels < 3 || piece.place == END) return false;
  return piece.bytes > 0 && piece.bytes % 3 == 0 && <u64>piece.bytes <= 3 * MOST_COLOURS;
}
