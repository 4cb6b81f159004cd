// The rANS stack (Duda 2013; Giesen 2014): a 64-bit state in [2^32, 2^64) over 32-bit words in memory, last in first out.
// Push and pop of the same symbol undo each other exactly, in either order. The words lie between `bottom` and `limit`. There may be
// four states over the one stream of words (Giesen 2014), for symbols of four sites side by side.

const LOW: u64 = 0x100000000;

/**
 * A uniform symbol is coded as one of 2^n slots, n = bits(range) + 10 but at most 30: enough for the values' shares to be
 * equal to 2^-10 or 2^-6, and far enough below the state's 32 bits for the state's own rounding not to count.
 */
const UNIFORM_MARGIN: u32 = 10;
const UNIFORM_MAX_BITS: u32 = 30;

/** How many states there are: one, two or four. */
export let states: u32 = 1;
/** The states, 64 bits each. */
const all: usize = memory.data(32, 8);
let bottom: usize = 0;
let top: usize = 0;
let limit: usize = 0;
let lowest: usize = 0;
let failed: bool = false;

@inline
function get(j: u32): u64 {
  return load<u64>(all + (<usize>j << 3));
}

@inline
function set(j: u32, state: u64): void {
  store<u64>(all + (<usize>j << 3), state);
}

/**
 * Starts on the words from `words` up to `capacity` bytes behind, of which the first `count` words are filled, with one state.
 */
export function stackOpen(words: usize, capacity: usize, count: u32, high: u32, low: u32): void {
  bottom = words;
  limit = words + capacity;
  top = words + (<usize>count << 2);
  lowest = top;
  failed = false;
  states = 0;
  stackJoin(high, low);
}

/** Adds a state to a stack just opened: there are one, two or four of them before anything is coded. */
export function stackJoin(high: u32, low: u32): void {
  set(states, (<u64>high << 32) | <u64>low);
  states++;
}

/** Words now on the stack. */
export function stackCount(): u32 {
  return <u32>((top - bottom) >> 2);
}

/** The least number of words there has been since the stack was opened: words below were never touched. */
export function stackLowest(): u32 {
  return <u32>((lowest - bottom) >> 2);
}

export function stackHigh(j: u32): u32 {
  return <u32>(get(j) >> 32);
}

export function stackLow(j: u32): u32 {
  return <u32>get(j);
}

/** True if a push found no room or a pop found no word: everything since is void. */
export function stackFailed(): bool {
  return failed;
}

/** Moves a state's low word to memory; returns what is left. */
@inline
function spill(state: u64): u64 {
  if (top < limit) {
    store<u32>(top, <u32>state);
    top += 4;
  } else {
    failed = true;
  }
  return state >> 32;
}

/** Pushes the symbol that owns the slots [start, start + frequency) of 2^bits on state j; 1 <= frequency < 2^bits, bits <= 32. */
@inline
export function pushTo(j: u32, start: u32, frequency: u32, bits: u32): void {
  let state = get(j);
  if (state >> (64 - bits) >= <u64>frequency) state = spill(state);
  const quotient = state / <u64>frequency;
  set(j, (quotient << bits) + (state - quotient * <u64>frequency) + <u64>start);
}

/** The slot of 2^bits that the next symbol of state j lies in. */
@inline
export function peekFrom(j: u32, bits: u32): u32 {
  return <u32>(get(j) & ((<u64>1 << bits) - 1));
}

/** Pops the symbol that owns the slots [start, start + frequency) from state j, after `peekFrom` has found it. */
@inline
export function popFrom(j: u32, start: u32, frequency: u32, bits: u32): void {
  let state = get(j);
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
  set(j, state);
}

/** Pushes `bits` plain bits (1 to 16). */
@inline
export function pushBits(j: u32, value: u32, bits: u32): void {
  let state = get(j);
  if (state >> (64 - bits)) state = spill(state);
  set(j, (state << bits) | <u64>value);
}

/** Pops `bits` plain bits (1 to 16). */
@inline
export function popBits(j: u32, bits: u32): u32 {
  const value = peekFrom(j, bits);
  popFrom(j, value, 1, bits);
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

/** Pushes a value in [0, range) on state j; 1 <= range <= 2^24. */
export function pushUniformTo(j: u32, value: u32, range: u32): void {
  if (range < 2) return;
  const bits = uniformBits(range);
  const start = uniformStart(value, range, bits);
  pushTo(j, start, uniformStart(value + 1, range, bits) - start, bits);
}

/** Pops a value in [0, range) from state j; 1 <= range <= 2^24. */
export function popUniformFrom(j: u32, range: u32): u32 {
  if (range < 2) return 0;
  const bits = uniformBits(range);
  const value = <u32>((<u64>peekFrom(j, bits) * <u64>range) >> bits);
  const start = uniformStart(value, range, bits);
  popFrom(j, start, uniformStart(value + 1, range, bits) - start, bits);
  return value;
}

/** The same on the first state, for what is not a sample of a group. */
export function push(start: u32, frequency: u32, bits: u32): void {
  pushTo(0, start, frequency, bits);
}

export function peek(bits: u32): u32 {
  return peekFrom(0, bits);
}

export function pop(start: u32, frequency: u32, bits: u32): void {
  popFrom(0, start, frequency, bits);
}

export function pushUniform(value: u32, range: u32): void {
  pushUniformTo(0, value, range);
}

export function popUniform(range: u32): u32 {
  return popUniformFrom(0, range);
}
