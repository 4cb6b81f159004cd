/** A TIFF file of some strips or tiles of another. */
import { concatenate } from '../../../codec/container/bytes.js';
import type { Source } from '../../../codec/source.js';
import { damaged } from '../decoded.js';
import { LONG, type TiffDirectory } from '../tiff-directory.js';
import { HANDLED, TAG } from '../tiff-tags.js';

/** Strips or tiles in their order, from the top. */
export interface Pieces {
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
  /** Pieces beside each other: 1 of strips. */
  readonly across: number;
  /** Of each; the last may have fewer. */
  readonly rows: number;
  readonly tiled: boolean;
}

interface Part {
  /** Of the file that they are taken from. */
  readonly directory: TiffDirectory;
  readonly source: Source;
  readonly pieces: Pieces;
  /** Of the file's tags, as `handledEntries` tells. */
  readonly entries: readonly Entry[];
  /** The first piece that is taken, and the one behind the last: whole rows of them. */
  readonly first: number;
  readonly end: number;
}

const HEADER_BYTES = 8;
const ENTRY_BYTES = 12;

/** A tag's value as it is in the file: `bytes` are `count` numbers of a type. */
export interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/**
 * A file of these rows, with all tags that tell how samples are stored; of tiles with the rows below the image that the lowest have, too.
 *
 * @throws CnfzipError `bad-input`; what the source throws
 */
export async function tiffOfPieces(part: Part): Promise<Uint8Array> {
  const { directory, source, pieces, first, end } = part;
  const { littleEndian } = directory;
  const file = new Appended();
  const offsets: number[] = [];
  for (let i = first; i < end; i++) {
    const piece = await source.read(pieces.offsets[i], pieces.lengths[i]);
    if (piece.length < pieces.lengths[i]) throw damaged('TIFF', 'it is cut short');
    offsets.push(file.append(piece));
  }
  const entries = await entriesOf(part, offsets);
  const listed = new DataView(new ArrayBuffer(2 + ENTRY_BYTES * entries.length + 4));
  listed.setUint16(0, entries.length, littleEndian);
  for (const [i, { tag, type, count, bytes }] of entries.entries()) {
    const at = 2 + ENTRY_BYTES * i;
    listed.setUint16(at, tag, littleEndian);
    listed.setUint16(at + 2, type, littleEndian);
    listed.setUint32(at + 4, count, littleEndian);
    if (bytes.length > 4) listed.setUint32(at + 8, file.append(bytes), littleEndian);
    else new Uint8Array(listed.buffer, at + 8, 4).set(bytes);
  }
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setUint16(0, littleEndian ? 0x4949 : 0x4d4d);
  header.setUint16(2, 42, littleEndian);
  header.setUint32(4, file.append(new Uint8Array(listed.buffer)), littleEndian);
  return concatenate([new Uint8Array(header.buffer), ...file.parts]);
}

/** The tags of a file that tell how its samples are stored, and what libvips reads beside. */
export async function handledEntries({ tags }: TiffDirectory): Promise<Entry[]> {
  const handled = [...tags].filter(([tag]) => HANDLED.has(tag));
  return Promise.all(
    handled.map(async ([tag, { type, count, bytes }]) => ({ tag, type, count, bytes: await bytes() })),
  );
}

/** In the order of their tags, as TIFF wants them. */
async function entriesOf(
  { directory, pieces, entries, first, end }: Part,
  offsets: readonly number[],
): Promise<Entry[]> {
  const { across, rows, tiled, lengths } = pieces;
  const below = (await directory.number(TAG.height, 0)) - (first / across) * rows;
  const full = ((end - first) / across) * rows;
  // libvips refuses images that are less high than their tiles.
  const height = tiled ? full : Math.min(full, below);
  const own = new Map<number, readonly number[]>([
    [TAG.height, [height]],
    [tiled ? TAG.tileOffsets : TAG.stripOffsets, offsets],
    [tiled ? TAG.tileBytes : TAG.stripBytes, lengths.slice(first, end)],
  ]);
  if (!tiled) own.set(TAG.stripRows, [rows]);
  const all = entries.filter(({ tag }) => !own.has(tag));
  for (const [tag, numbers] of own) {
    all.push({ tag, type: LONG, count: numbers.length, bytes: longs(numbers, directory.littleEndian) });
  }
  return all.sort((a, b) => a.tag - b.tag);
}

function longs(numbers: readonly number[], littleEndian: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * numbers.length));
  for (const [i, value] of numbers.entries()) view.setUint32(4 * i, value, littleEndian);
  return new Uint8Array(view.buffer);
}

/** What follows the header, each at an even place. */
class Appended {
  readonly parts: Uint8Array[] = [];
  #end = HEADER_BYTES;

  /** Returns its place. */
  append(bytes: Uint8Array): number {
    const place = this.#end;
    const padding = new Uint8Array(bytes.length % 2);
    this.parts.push(bytes, padding);
    this.#end += bytes.length + padding.length;
    return place;
  }
}
