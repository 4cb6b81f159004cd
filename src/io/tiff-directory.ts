/** The first directory of a TIFF file, or of a BigTIFF. */
import { damaged as damagedFile } from './decoded.js';

export interface TiffValue {
  readonly bytes: Uint8Array;
  readonly isText: boolean;
  /** Numbers of two bytes or more, and rational ones; none of other types. Read when asked for: tags may share their values. */
  numbers(): number[];
}

export interface TiffDirectory {
  /** Values by the numbers of their tags. */
  readonly tags: ReadonlyMap<number, TiffValue>;
  /** Where the last of header, directory, values, and strips or tiles ends; the file's end if there is a further directory. */
  readonly end: number;
}

const BIG = 43;

/** Bytes of a value, by the numbers of types; 0 for those that are not known. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
const [TEXT, SHORT, LONG, RATIONAL, LONG8] = [2, 3, 4, 5, 16];

/** Where strips and tiles begin, and how long they are. */
const EXTENTS = [
  [273, 279],
  [324, 325],
] as const;

/** @throws CnfzipError `bad-input` */
export function readTiffDirectory(bytes: Uint8Array): TiffDirectory {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const check = (at: number, length: number) => {
    if (!(at >= 0 && at + length <= bytes.length)) throw damaged('it is cut short');
  };
  const short = (at: number) => view.getUint16(at, little);
  const long = (at: number) => view.getUint32(at, little);
  const long8 = (at: number) => Number(view.getBigUint64(at, little));
  check(0, 8);
  const big = short(2) === BIG;
  const size = big ? 8 : 4;
  const offset = big ? long8 : long;
  check(0, 4 + 2 * size);

  const numbersAt = (at: number, type: number, count: number): number[] => {
    const readers: Record<number, (at: number) => number> = {
      [SHORT]: short,
      [LONG]: long,
      [RATIONAL]: (each) => long(each) / long(each + 4),
      [LONG8]: long8,
    };
    const read = readers[type];
    return read ? Array.from({ length: count }, (_, i) => read(at + i * TYPE_BYTES[type])) : [];
  };

  const start = offset(big ? 8 : 4);
  const countBytes = big ? 8 : 2;
  check(start, countBytes);
  const count = big ? long8(start) : short(start);
  const entryBytes = 4 + 2 * size;
  const after = start + countBytes + count * entryBytes;
  check(start, after - start + size);
  const tags = new Map<number, TiffValue>();
  let end = after + size;
  for (let i = 0; i < count; i++) {
    const at = start + countBytes + i * entryBytes;
    const [tag, type, number] = [short(at), short(at + 2), offset(at + 4)];
    const length = (TYPE_BYTES[type] ?? 0) * number;
    const place = length <= size ? at + 4 + size : offset(at + 4 + size);
    check(place, length);
    end = Math.max(end, place + length);
    const value = { bytes: bytes.subarray(place, place + length), isText: type === TEXT };
    tags.set(tag, { ...value, numbers: () => numbersAt(place, type, number) });
  }
  for (const [offsets, lengths] of EXTENTS) {
    const extents = tags.get(lengths)?.numbers() ?? [];
    for (const [i, at] of (tags.get(offsets)?.numbers() ?? []).entries()) end = Math.max(end, at + (extents[i] ?? 0));
  }
  check(0, end);
  return { tags, end: offset(after) === 0 ? end : bytes.length };
}

function damaged(what: string) {
  return damagedFile('TIFF', what);
}
