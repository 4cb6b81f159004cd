/** The first directory of a TIFF file, or of a BigTIFF. */
import type { Source } from '../../codec/source.js';
import { damaged as damagedFile } from './decoded.js';

/** What a tag says. It is read when it is asked for: tags may share their values, and be many. */
export interface TiffValue {
  /** By the number that TIFF has for it. */
  readonly type: number;
  readonly count: number;
  readonly isText: boolean;
  /** As they are in the file. */
  bytes(): Promise<Uint8Array>;
  /** Numbers of two bytes or more, and rational ones; none of other types. */
  numbers(): Promise<number[]>;
}

export interface TiffDirectory {
  readonly littleEndian: boolean;
  /** Values by the numbers of their tags. */
  readonly tags: ReadonlyMap<number, TiffValue>;
  /** Of a tag; where there is none, what it stands for. */
  numbers(tag: number, otherwise: readonly number[]): Promise<readonly number[]>;
  /** The first of a tag's numbers. */
  number(tag: number, otherwise: number): Promise<number>;
  /** Where the last of header, directory, values, and strips or tiles ends; the file's end if there is a further directory. */
  readonly end: number;
  readonly hasFurther: boolean;
}

const BIG = 43;

/** Bytes of a value, by the numbers of types; 0 for those that are not known. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
const [TEXT, SHORT, RATIONAL, LONG8] = [2, 3, 5, 16];
export const LONG = 4;

/** Where strips and tiles begin, and how long they are. */
const EXTENTS = [
  [273, 279],
  [324, 325],
] as const;

/** @throws CnfzipError `bad-input`; what the source throws */
export async function readTiffDirectory(source: Source): Promise<TiffDirectory> {
  const { size = Number.POSITIVE_INFINITY } = source;
  const take = async (at: number, length: number): Promise<DataView> => {
    const bytes = at >= 0 && at + length <= size && length > 0 ? await source.read(at, length) : new Uint8Array();
    if (bytes.length < length) throw damaged('it is cut short');
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  };
  const header = await take(0, 8);
  const littleEndian = header.getUint8(0) === 0x49;
  const short = (view: DataView, at: number) => view.getUint16(at, littleEndian);
  const long = (view: DataView, at: number) => view.getUint32(at, littleEndian);
  const long8 = (view: DataView, at: number) => Number(view.getBigUint64(at, littleEndian));
  const big = short(header, 2) === BIG;
  const wordBytes = big ? 8 : 4;
  const word = big ? long8 : long;

  const readers: Record<number, (view: DataView, at: number) => number> = {
    [SHORT]: short,
    [LONG]: long,
    [RATIONAL]: (view, at) => long(view, at) / long(view, at + 4),
    [LONG8]: long8,
  };
  const valueAt = (at: number, type: number, count: number): TiffValue => {
    const bytesEach = TYPE_BYTES[type] ?? 0;
    const view = async () => (count * bytesEach > 0 ? take(at, count * bytesEach) : new DataView(new ArrayBuffer(0)));
    const bytes = async () => {
      const { buffer, byteOffset, byteLength } = await view();
      return new Uint8Array(buffer, byteOffset, byteLength);
    };
    const numbers = async () => {
      const read = readers[type];
      if (!read) return [];
      const all = await view();
      return Array.from({ length: count }, (_, i) => read(all, i * bytesEach));
    };
    return { type, count, isText: type === TEXT, bytes, numbers };
  };

  const start = word(await take(big ? 8 : 4, wordBytes), 0);
  const countBytes = big ? 8 : 2;
  const head = await take(start, countBytes);
  const entries = big ? long8(head, 0) : short(head, 0);
  const entryBytes = 4 + 2 * wordBytes;
  const listed = await take(start + countBytes, entries * entryBytes + wordBytes);
  const tags = new Map<number, TiffValue>();
  let end = start + countBytes + listed.byteLength;
  for (let i = 0; i < entries; i++) {
    const at = i * entryBytes;
    const [tag, type, count] = [short(listed, at), short(listed, at + 2), word(listed, at + 4)];
    const length = (TYPE_BYTES[type] ?? 0) * count;
    const inPlace = at + 4 + wordBytes;
    const place = length <= wordBytes ? start + countBytes + inPlace : word(listed, inPlace);
    if (!(place + length <= size)) throw damaged('it is cut short');
    end = Math.max(end, place + length);
    tags.set(tag, valueAt(place, type, count));
  }
  const numbers = async (tag: number, otherwise: readonly number[]) => (await tags.get(tag)?.numbers()) ?? otherwise;
  const number = async (tag: number, otherwise: number) => (await numbers(tag, [otherwise]))[0] ?? otherwise;
  for (const [offsets, lengths] of EXTENTS) {
    const extents = await numbers(lengths, []);
    const places = await numbers(offsets, []);
    for (const [i, at] of places.entries()) end = Math.max(end, at + (extents[i] ?? 0));
  }
  if (end > size) throw damaged('it is cut short');
  const hasFurther = word(listed, entries * entryBytes) !== 0;
  return { littleEndian, tags, numbers, number, end: hasFurther ? size : end, hasFurther };
}

function damaged(what: string) {
  return damagedFile('TIFF', what);
}
