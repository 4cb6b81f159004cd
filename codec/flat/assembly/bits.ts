// Bits of a stream, the lowest of each byte first, as deflate and WebP have them. Behind the end bits are 0, and `overran` tells.

/** Bits that are loaded at most at a time. */
const WIDTH: i32 = 56;

let at: usize = 0;
let end: usize = 0;
let held: u64 = 0;
let count: i32 = 0;
let overrun: bool = false;

export function openBits(address: usize, bytes: usize): void {
  at = address;
  end = address + bytes;
  held = 0;
  count = 0;
  overrun = false;
}

/** Whether more bits were taken than there are. */
@inline
export function overran(): bool {
  return overrun;
}

/** Whether the stream ends here, but for bits of its last byte. */
export function atEnd(): bool {
  return !overrun && at == end && count < 8;
}

@inline
function fill(): void {
  while (count <= WIDTH && at < end) {
    held |= <u64>load<u8>(at++) << count;
    count += 8;
  }
}

/** The next bits, of which the lowest are the first: 32 or more. They are still to be taken. */
@inline
export function bitsAhead(): u64 {
  if (count < 32) fill();
  return held;
}

@inline
export function skipBits(bits: i32): void {
  if (bits > count) {
    overrun = true;
    count = 0;
    held = 0;
    return;
  }
  held >>= <u64>bits;
  count -= bits;
}

/** The next bits as a number, 0 to 32 of them. */
@inline
export function takeBits(bits: i32): u32 {
  const value = <u32>(bitsAhead() & ((<u64>1 << bits) - 1));
  skipBits(bits);
  return overrun ? 0 : value;
}

/** Goes on at the next whole byte; returns its address. */
export function alignBits(): usize {
  skipBits(count & 7);
  return at - <usize>(count >> 3);
}

/** Bytes that are left behind the bits that were taken. */
export function bytesLeft(): usize {
  return end - at + <usize>(count >> 3);
}

/** Passes over whole bytes, of which there are enough. */
export function skipBytes(bytes: usize): void {
  at = at - <usize>(count >> 3) + bytes;
  held = 0;
  count = 0;
}
