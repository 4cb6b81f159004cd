// The pixels of a VP8L stream (RFC 9649, 3.6): prefix codes, copies of earlier pixels, and a cache of colours.

import { alloc, mark, release } from './arena';
import { overran, takeBits } from './bits';
import { failed } from './error';
import { Code, makeCode, takeSymbol } from './prefix';

const LITERALS: u32 = 256;
const LENGTHS: u32 = 24;
const DISTANCES: i32 = 40;
const MOST_CACHE_BITS: i32 = 11;
/** The largest alphabet: of green, lengths and the cache. */
const MOST_SYMBOLS: i32 = 256 + 24 + (1 << MOST_CACHE_BITS);
/** Codes of a group: green, lengths and cache; red; blue; alpha; distances. */
const CODES: i32 = 5;

/** In which order the lengths of the code of lengths are told. */
const ORDER: StaticArray<u8> = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const ORDERED: i32 = 19;
/** Repeat the length before; zeros, few and many. */
const REPEAT: u32 = 16;
const FEW_ZEROS: u32 = 17;

/** The nearest pixels that copies come from: 16 times the rows above, and 8 less the columns to the left. */
const NEAR: StaticArray<u8> = [
  0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1a, 0x26, 0x2a, 0x38, 0x05, 0x37, 0x39, 0x15, 0x1b, 0x36, 0x3a,
  0x25, 0x2b, 0x48, 0x04, 0x47, 0x49, 0x14, 0x1c, 0x35, 0x3b, 0x46, 0x4a, 0x24, 0x2c, 0x58, 0x45, 0x4b, 0x34, 0x3c, 0x03,
  0x57, 0x59, 0x13, 0x1d, 0x56, 0x5a, 0x23, 0x2d, 0x44, 0x4c, 0x55, 0x5b, 0x33, 0x3d, 0x68, 0x02, 0x67, 0x69, 0x12, 0x1e,
  0x66, 0x6a, 0x22, 0x2e, 0x54, 0x5c, 0x43, 0x4d, 0x65, 0x6b, 0x32, 0x3e, 0x78, 0x01, 0x77, 0x79, 0x53, 0x5d, 0x11, 0x1f,
  0x64, 0x6c, 0x42, 0x4e, 0x76, 0x7a, 0x21, 0x2f, 0x75, 0x7b, 0x31, 0x3f, 0x63, 0x6d, 0x52, 0x5e, 0x00, 0x74, 0x7c, 0x41,
  0x4f, 0x10, 0x20, 0x62, 0x6e, 0x30, 0x73, 0x7d, 0x51, 0x5f, 0x40, 0x72, 0x7e, 0x61, 0x6f, 0x50, 0x71, 0x7f, 0x60, 0x70,
];
const NEAR_CODES: u32 = 120;

const lengths: usize = memory.data(MOST_SYMBOLS);

/**
 * Decodes an image of pixels, ARGB in 32 bits each, into its room. Only the outermost may have several groups of codes. False where the
 * stream is none, or with an error.
 */
export function decodePixels(to: usize, width: i32, height: i32, isOutermost: bool): bool {
  const before = mark();
  const isGood = decodeInScope(to, width, height, isOutermost);
  if (isGood) release(before);
  return isGood;
}

function decodeInScope(to: usize, width: i32, height: i32, isOutermost: bool): bool {
  const cacheBits = takeBits(1) ? <i32>takeBits(4) : -1;
  if (cacheBits == 0 || cacheBits > MOST_CACHE_BITS) return false;
  let blockBits = 0;
  let blocks: usize = 0;
  let groupCount: u32 = 1;
  if (isOutermost && takeBits(1)) {
    blockBits = <i32>takeBits(3) + 2;
    const columns = blocksAlong(width, blockBits);
    const rows = blocksAlong(height, blockBits);
    const count = <usize>(columns * rows);
    blocks = alloc(<u64>count << 2);
    if (!blocks || !decodePixels(blocks, columns, rows, false)) return false;
    for (let i: usize = 0; i < count; i++) {
      const group = (load<u32>(blocks + (i << 2)) >> 8) & 0xffff;
      store<u32>(blocks + (i << 2), group);
      groupCount = max<u32>(groupCount, group + 1);
    }
  }
  const groups = readGroups(groupCount, cacheBits);
  if (!groups) return false;
  const cache = cacheBits > 0 ? alloc(4 << cacheBits) : 0;
  if (failed()) return false;
  return decodeSymbols(to, width, height, groups, blocks, blockBits, cache, cacheBits);
}

/** Blocks of 2^bits pixels in a direction. */
export function blocksAlong(side: i32, bits: i32): i32 {
  return (side + (1 << bits) - 1) >> bits;
}

/** Reads groups of codes; returns the address of their codes' addresses, 0 where they are none. */
function readGroups(count: u32, cacheBits: i32): usize {
  const groups = alloc(<u64>count * CODES * 4);
  if (!groups) return 0;
  const greens = <i32>(LITERALS + LENGTHS) + (cacheBits > 0 ? 1 << cacheBits : 0);
  for (let at = groups; at < groups + <usize>count * CODES * 4; at += CODES * 4) {
    for (let c = 0; c < CODES; c++) {
      const code = readCode(c == 0 ? greens : c < 4 ? 256 : DISTANCES);
      if (!code || overran()) return 0;
      store<u32>(at + (<usize>c << 2), <u32>code);
    }
  }
  return groups;
}

function readCode(symbols: i32): usize {
  memory.fill(lengths, 0, symbols);
  return (takeBits(1) ? readSimple(symbols) : readLengths(symbols)) ? makeCode(lengths, symbols, true) : 0;
}

/** Lengths of a code of one or two symbols. */
function readSimple(symbols: i32): bool {
  const hasTwo = takeBits(1);
  const first = <i32>takeBits(takeBits(1) ? 8 : 1);
  const second = hasTwo ? <i32>takeBits(8) : first;
  if (first >= symbols || second >= symbols) return false;
  store<u8>(lengths + first, 1);
  store<u8>(lengths + second, 1);
  return true;
}

function readLengths(symbols: i32): bool {
  const told = <i32>takeBits(4) + 4;
  if (told > ORDERED) return false;
  for (let i = 0; i < told; i++) store<u8>(lengths + unchecked(ORDER[i]), <u8>takeBits(3));
  const before = mark();
  const made = makeCode(lengths, ORDERED, true);
  memory.fill(lengths, 0, ORDERED);
  if (!made) return false;
  const code = changetype<Code>(made);
  let left = symbols;
  if (takeBits(1)) {
    left = 2 + <i32>takeBits(2 + 2 * <i32>takeBits(3));
    if (left > symbols) return false;
  }
  let last: u32 = 8;
  for (let i = 0; i < symbols && left > 0; left--) {
    const symbol = takeSymbol(code);
    if (symbol >= <u32>ORDERED || overran()) return false;
    if (symbol < REPEAT) {
      store<u8>(lengths + i, <u8>symbol);
      i++;
      if (symbol) last = symbol;
      continue;
    }
    const times = <i32>(symbol == REPEAT ? 3 + takeBits(2) : symbol == FEW_ZEROS ? 3 + takeBits(3) : 11 + takeBits(7));
    if (times > symbols - i) return false;
    memory.fill(lengths + i, symbol == REPEAT ? <u8>last : 0, times);
    i += times;
  }
  release(before);
  return true;
}

@inline
function codeAt(group: usize, index: i32): Code {
  return changetype<Code>(load<u32>(group + (<usize>index << 2)));
}

function decodeSymbols(
  to: usize,
  width: i32,
  height: i32,
  groups: usize,
  blocks: usize,
  blockBits: i32,
  cache: usize,
  cacheBits: i32,
): bool {
  const start = to;
  const end = to + (<usize>width * <usize>height << 2);
  const shift = 32 - cacheBits;
  const columns = blocksAlong(width, blockBits);
  let group = groups;
  let x = 0;
  let y = 0;
  while (to < end) {
    if (overran()) return false;
    if (blocks) {
      const block = load<u32>(blocks + (<usize>((y >> blockBits) * columns + (x >> blockBits)) << 2));
      group = groups + <usize>block * CODES * 4;
    }
    const symbol = takeSymbol(codeAt(group, 0));
    let from = to;
    let count: usize = 1;
    if (symbol < LITERALS) {
      const red = takeSymbol(codeAt(group, 1));
      const blue = takeSymbol(codeAt(group, 2));
      store<u32>(to, (takeSymbol(codeAt(group, 3)) << 24) | (red << 16) | (symbol << 8) | blue);
    } else if (symbol < LITERALS + LENGTHS) {
      count = extent(symbol - LITERALS);
      const far = takeSymbol(codeAt(group, 4));
      if (far >= <u32>DISTANCES) return false;
      const distance = <usize>distanceOf(<u32>extent(far), width) << 2;
      if (distance > to - start || count > (end - to) >> 2) return false;
      from = to - distance;
    } else {
      const index = symbol - LITERALS - LENGTHS;
      if (!cache || index >= <u32>1 << cacheBits) return false;
      store<u32>(to, load<u32>(cache + (<usize>index << 2)));
    }
    for (const stop = to + (count << 2); to < stop; to += 4) {
      const argb = load<u32>(from);
      store<u32>(to, argb);
      from += 4;
      if (cache) store<u32>(cache + (<usize>((argb * 0x1e35a7bd) >> shift) << 2), argb);
      if (++x == width) {
        x = 0;
        y++;
      }
    }
  }
  return !overran();
}

/** The number that a symbol of lengths or distances, with more bits behind it, stands for: from 1 on. */
@inline
function extent(symbol: u32): usize {
  if (symbol < 4) return <usize>symbol + 1;
  const bits = <i32>(symbol - 2) >> 1;
  return (<usize>(2 + (symbol & 1)) << bits) + <usize>takeBits(bits) + 1;
}

/** Pixels back. */
@inline
function distanceOf(code: u32, width: i32): i32 {
  if (code > NEAR_CODES) return <i32>(code - NEAR_CODES);
  const near = <i32>unchecked(NEAR[code - 1]);
  return max<i32>(1, (near >> 4) * width + 8 - (near & 15));
}
