// Deflate (RFC 1951) of data whose length is known.

import { alloc, mark, release } from './arena';
import { alignBits, atEnd, bytesLeft, openBits, overran, skipBytes, takeBits } from './bits';
import { CORRUPT, fail, failed } from './error';
import { Code, makeCode, takeSymbol } from './prefix';

/** Deflate makes at most this many bytes of one. */
const MOST_INFLATION: u64 = 1032;

const LITERALS: i32 = 288;
const DISTANCES: i32 = 30;
const END: u32 = 256;

const LENGTH_BASE: StaticArray<u16> = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_BITS: StaticArray<u8> = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const LENGTHS: u32 = 29;
const DISTANCE_BASE: StaticArray<u16> = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193,
  12289, 16385, 24577,
];
/** In which order the lengths of the code of lengths are told. */
const ORDER: StaticArray<u8> = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const lengths: usize = memory.data(LITERALS + 32);

let start: usize = 0;
let to: usize = 0;
let end: usize = 0;
let literals: usize = 0;
let distances: usize = 0;

function malformed(): bool {
  return fail(CORRUPT, 'damaged: deflated data is malformed');
}

/** Undoes deflate; returns the address of `length` bytes, 0 with an error if the data is not just these. */
export function inflate(at: usize, bytes: usize, length: u64): usize {
  if (length > <u64>bytes * MOST_INFLATION) malformed();
  start = alloc(length);
  if (!start) return 0;
  to = start;
  end = start + <usize>length;
  openBits(at, bytes);
  let isLast: bool = false;
  while (!isLast) {
    isLast = takeBits(1) == 1;
    const kind = takeBits(2);
    const before = mark();
    const isGood = kind == 0 ? stored() : (kind == 1 ? fixedCodes() : kind == 2 && toldCodes()) && block();
    release(before);
    if (!isGood || overran()) {
      malformed();
      return 0;
    }
  }
  if (to == end && atEnd()) return start;
  malformed();
  return 0;
}

function stored(): bool {
  const from = alignBits();
  const bytes = <usize>takeBits(16);
  const complement = <usize>takeBits(16);
  if (overran() || (bytes ^ complement) != 0xffff || bytes > bytesLeft() || bytes > end - to) return false;
  memory.copy(to, from + 4, bytes);
  to += bytes;
  skipBytes(bytes);
  return true;
}

function fixedCodes(): bool {
  memory.fill(lengths, 8, 144);
  memory.fill(lengths + 144, 9, 112);
  memory.fill(lengths + 256, 7, 24);
  memory.fill(lengths + 280, 8, 8);
  memory.fill(lengths + LITERALS, 5, 32);
  return makeCodes(LITERALS, 32);
}

function makeCodes(literalCount: i32, distanceCount: i32): bool {
  literals = makeCode(lengths, literalCount, false);
  distances = 0;
  const own = lengths + <usize>literalCount;
  let used = 0;
  for (let i = 0; i < distanceCount; i++) if (load<u8>(own + i)) used++;
  // There may be no distances at all.
  if (used > 0) distances = makeCode(own, distanceCount, false);
  return literals != 0 && (used == 0 || distances != 0);
}

function toldCodes(): bool {
  const literalCount = <i32>takeBits(5) + 257;
  const distanceCount = <i32>takeBits(5) + 1;
  const told = <i32>takeBits(4) + 4;
  if (literalCount > 286 || distanceCount > DISTANCES) return false;
  memory.fill(lengths, 0, 19);
  for (let i = 0; i < told; i++) store<u8>(lengths + unchecked(ORDER[i]), <u8>takeBits(3));
  const made = makeCode(lengths, 19, false);
  if (!made) return false;
  const code = changetype<Code>(made);
  const all = literalCount + distanceCount;
  let last: u32 = 0;
  for (let i = 0; i < all; ) {
    const symbol = takeSymbol(code);
    if (symbol > 18 || overran() || (symbol == 16 && i == 0)) return false;
    let times = 1;
    if (symbol == 16) times = 3 + <i32>takeBits(2);
    else if (symbol == 17) times = 3 + <i32>takeBits(3);
    else if (symbol == 18) times = 11 + <i32>takeBits(7);
    if (symbol != 16) last = symbol < 16 ? symbol : 0;
    if (times > all - i) return false;
    memory.fill(lengths + i, <u8>last, times);
    i += times;
  }
  return load<u8>(lengths + END) != 0 && makeCodes(literalCount, distanceCount);
}

/** Symbols up to the end of a block. */
function block(): bool {
  const literal = changetype<Code>(literals);
  const distance = changetype<Code>(distances);
  while (!overran() && !failed()) {
    const symbol = takeSymbol(literal);
    if (symbol < END) {
      if (to == end) return false;
      store<u8>(to++, <u8>symbol);
      continue;
    }
    if (symbol == END) return true;
    if (symbol >= END + 1 + LENGTHS || !distances) return false;
    const index = symbol - END - 1;
    const length = <usize>unchecked(LENGTH_BASE[index]) + takeBits(unchecked(LENGTH_BITS[index]));
    const far = takeSymbol(distance);
    if (far >= <u32>DISTANCES) return false;
    const from = <usize>unchecked(DISTANCE_BASE[far]) + takeBits(far < 4 ? 0 : <i32>(far >> 1) - 1);
    if (from > to - start || length > end - to) return false;
    for (const stop = to + length; to < stop; to++) store<u8>(to, load<u8>(to - from));
  }
  return false;
}
