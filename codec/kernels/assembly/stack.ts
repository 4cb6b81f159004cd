// The rANS stack (Duda 2013; Giesen 2014): a 64-bit state in [2^32, 2^64) over 32-bit words in memory, last in first out.
// Push and pop of the same symbol undo each other exactly, in either order. The words lie between `bottom` and `limit`.

const LOW: u64 = 0x100000000;

/**
 * A uniform symbol is coded as one of 2^n slots, n = bits(range) + 10 but at most 30: enough for the values' shares to be
 * equal to 2^-10 or 2^-6, and far enough below the state's 32 bits for the state's own rounding not to count.
 */
const UNIFORM_MARGIN: u32 = 10;
const UNIFORM_MAX_BITS: u32 = 30;

let state: u64 = LOW;
let bottom: usize = 0;
let top: usize = 0;
let limit: usize = 0;
let lowest: usize = 0;
let failed: bool = false;

/** Starts on the words from `words` up to `capacity` bytes behind, of which the first `count` words are filled. */
export function stackOpen(words: usize, capacity: usize, count: u32, high: u32, low: u32): void {
  bottom = words;
  limit = words + capacity;
  top = words + (<usize>count << 2);
  lowest = top;
  state = (<u64>high << 32) | <u64>low;
  failed = false;
}

/** Words now on the stack. */
export function stackCount(): u32 {
  return <u32>((top - bottom) >> 2);
}

/** The least number of words there has been since the stack was opened: words below were never touched. */
export function stackLowest(): u32 {
  return <u32>((lowest - bottom) >> 2);
}

export function stackHigh(): u32 {
  return <u32>(state >> 32);
}

export function stackLow(): u32 {
  return <u32>state;
}

/** True if a push found no room or a pop found no word: everything since is void. */
export function stackFailed(): bool {
  return failed;
}

/** Moves the state's low word to memory. */
@inline
function spill(): void {
  if (top < limit) {
    store<u32>(top, <u32>state);
    top += 4;
  } else {
    failed = true;
  }
  state >>= 32;
}

/** Pushes the symbol that owns the slots [start, start + frequency) of 2^bits; 1 <= frequency < 2^bits, bits <= 32. */
@inline
export function push(start: u32, frequency: u32, bits: u32): void {
  if (state >> (64 - bits) >= <u64>frequency) spill();
  const quotient = state / <u64>frequency;
  state = (quotient << bits) + (state - quotient * <u64>frequency) + <u64>start;
}

/** The slot of 2^bits that the next symbol lies in. */
@inline
export function peek(bits: u32): u32 {
  return <u32>(state & ((<u64>1 << bits) - 1));
}

/** Pops the symbol that owns the slots [start, start + frequency), after `peek` has found it. */
@inline
export function pop(start: u32, frequency: u32, bits: u32): void {
  state = <u64>frequency * (state >> bits) + (state & ((<u64>1 << bits) - 1)) - <u64>start;
  if (state < LOW) {
    if (top > bottom) {
      top -= 4;
      state = (state << 32) | <u64>load<u32>(top);
      if (top < lowest) lowest = top;
    } else {
      failed = true;
      state |= LOW;
    }
  }
}

/** Pushes `bits` plain bits (1 to 16). */
@inline
export function pushBits(value: u32, bits: u32): void {
  if (state >> (64 - bits)) spill();
  state = (state << bits) | <u64>value;
}

/** Pops `bits` plain bits (1 to 16). */
@inline
export function popBits(bits: u32): u32 {
  const value = <u32>(state & ((<u64>1 << bits) - 1));
  pop(value, 1, bits);
  return value;
}

@inline
function uniformBits(range: u32): u32 {
  return min<u32>(32 - <u32>clz<u32>(range) + UNIFORM_MARGIN, UNIFORM_MAX_BITS);
}

/** First slot of value: ceil(value * 2^bits / range), the inverse of floor(slot * range / 2^bits). */
@inline
function uniformStart(value: u32, range: u32, bits: u32): u32 {
  return <u32>(((<u64>value << bits) + <u64>(range - 1)) / <u64>range);
}

/** Pushes a value in [0, range); 1 <= range <= 2^24. */
export function pushUniform(value: u32, range: u32): void {
  if (range < 2) return;
  const bits = uniformBits(range);
  const start = uniformStart(value, range, bits);
  push(start, uniformStart(value + 1, range, bits) - start, bits);
}

/** Pops a value in [0, range); 1 <= range <= 2^24. */
export function popUniform(range: u32): u32 {
  if (range < 2) return 0;
  const bits = uniformBits(range);
  const value = <u32>((<u64>peek(bits) * <u64>range) >> bits);
  const start = uniformStart(value, range, bits);
  pop(start, uniformStart(value + 1, range, bits) - start, bits);
  return value;
}
