// Canonical prefix codes (Huffman 1952) of up to 15 bits, as deflate and WebP have them.

import { alloc } from './arena';
import { bitsAhead, skipBits } from './bits';

const MOST_LENGTH: i32 = 15;
/** Symbols of no more bits than this are found by one look. */
const LOOK: i32 = 8;

@unmanaged
export class Code {
  /** Bits of a look. */
  look: i32;
  /** Address of an entry for each: the symbol times 16, and its length; 0 where it is longer. */
  table: usize;
  /** Addresses of how many symbols there are of each length, and of the symbols in the order of the code. */
  counts: usize;
  symbols: usize;
}

const numbers: usize = memory.data(2 * (MOST_LENGTH + 2), 2);
const starts: usize = memory.data(2 * (MOST_LENGTH + 2), 2);

@inline
function numberOf(base: usize, length: i32): u32 {
  return load<u16>(base + (<usize>length << 1));
}

/**
 * The code of `count` symbols with the lengths at an address, a byte each. It must be complete, but a single symbol may have any length.
 *
 * @param bare what a single symbol takes of the stream: nothing, or one bit
 * @returns 0 if there is no such code, or an error if there is no memory for it
 */
export function makeCode(lengths: usize, count: i32, bare: bool): usize {
  memory.fill(numbers, 0, 2 * (MOST_LENGTH + 2));
  let used: u32 = 0;
  let only: u32 = 0;
  let longest = 0;
  for (let i = 0; i < count; i++) {
    const length = <i32>load<u8>(lengths + i);
    if (length == 0) continue;
    store<u16>(numbers + (<usize>length << 1), <u16>(numberOf(numbers, length) + 1));
    used++;
    only = i;
    longest = max<i32>(longest, length);
  }
  if (used == 0) return 0;
  const code = changetype<Code>(alloc(offsetof<Code>()));
  if (used == 1) {
    const look = bare ? 0 : 1;
    if (!bare && longest != 1) return 0;
    const table = alloc(8);
    if (!table) return 0;
    code.look = look;
    code.table = table;
    // The other half of a code of one bit is no symbol: it is left as 0, and has no counts to be looked for in.
    store<u32>(table, (only << 4) | <u32>look | (bare ? 1 << 31 : 0));
    return changetype<usize>(code);
  }
  let open: i32 = 1;
  for (let length = 1; length <= MOST_LENGTH; length++) {
    open = 2 * open - <i32>numberOf(numbers, length);
    if (open < 0) return 0;
  }
  if (open != 0) return 0;
  const look = min<i32>(longest, LOOK);
  const table = alloc(4 << look);
  const counts = alloc(2 * (MOST_LENGTH + 2));
  const symbols = alloc(2 * used);
  if (!symbols) return 0;
  memory.copy(counts, numbers, 2 * (MOST_LENGTH + 2));
  store<u16>(starts, 0);
  let from: u32 = 0;
  for (let length = 1; length <= MOST_LENGTH; length++) {
    store<u16>(starts + (<usize>length << 1), <u16>from);
    from += numberOf(numbers, length);
  }
  for (let i = 0; i < count; i++) {
    const length = <i32>load<u8>(lengths + i);
    if (length == 0) continue;
    const place = numberOf(starts, length);
    store<u16>(symbols + (<usize>place << 1), <u16>i);
    store<u16>(starts + (<usize>length << 1), <u16>(place + 1));
  }
  code.look = look;
  code.table = table;
  code.counts = counts;
  code.symbols = symbols;
  fillTable(code);
  return changetype<usize>(code);
}

/** Enters the symbols that one look finds. */
function fillTable(code: Code): void {
  let next: u32 = 0;
  let symbol = code.symbols;
  for (let length = 1; length <= code.look; length++) {
    for (let n = numberOf(code.counts, length); n > 0; n--) {
      // A code's first bit is its highest, and comes first in the stream, where it is the lowest.
      let bits: u32 = 0;
      for (let b = 0; b < length; b++) bits |= ((next >> b) & 1) << (length - 1 - b);
      const entry = ((<u32>load<u16>(symbol)) << 4) | <u32>length;
      for (; bits < <u32>1 << code.look; bits += 1 << length) store<u32>(code.table + (<usize>bits << 2), entry);
      symbol += 2;
      next++;
    }
    next <<= 1;
  }
}

/** Takes the next symbol of the stream; behind its end, and where a code of one symbol has another, one that no alphabet has. */
@inline
export function takeSymbol(code: Code): u32 {
  const ahead = bitsAhead();
  const entry = load<u32>(code.table + (<usize>(ahead & ((<u64>1 << code.look) - 1)) << 2));
  if (!entry) return takeLong(code, ahead);
  skipBits(<i32>(entry & 15));
  return (entry & 0x7fffffff) >> 4;
}

/** What is no symbol. */
export const NO_SYMBOL: u32 = 0xffff;

function takeLong(code: Code, ahead: u64): u32 {
  if (!code.symbols) return NO_SYMBOL;
  let word: u32 = 0;
  let first: u32 = 0;
  let index: u32 = 0;
  for (let length = 1; length <= MOST_LENGTH; length++) {
    word |= <u32>(ahead >> <u64>(length - 1)) & 1;
    const count = numberOf(code.counts, length);
    if (word - first < count) {
      skipBits(length);
      return load<u16>(code.symbols + (<usize>(index + word - first) << 1));
    }
    index += count;
    first = (first + count) << 1;
    word <<= 1;
  }
  return NO_SYMBOL;
}
