// Reading bytes one after the other. After an error everything that is read is 0.

import { CORRUPT, fail, failed } from './error';

/** Bytes that are to be read. */
@unmanaged
export class Reader {
  at: usize;
  end: usize;
}

export function readerOf(reader: Reader, at: usize, bytes: usize): Reader {
  reader.at = at;
  reader.end = at + bytes;
  return reader;
}

/** Bytes left to read. */
@inline
export function left(reader: Reader): usize {
  return reader.end - reader.at;
}

/** Tells that the bytes end before what they should hold does. */
export function cutShort(): bool {
  return fail(CORRUPT, 'cut short: the file ends before its data does');
}

/** Address of the next `count` bytes; 0 if there are fewer. */
export function take(reader: Reader, count: u64): usize {
  if (count > <u64>left(reader)) cutShort();
  if (failed()) return 0;
  const address = reader.at;
  reader.at += <usize>count;
  return address;
}

export function byte(reader: Reader): u32 {
  const at = take(reader, 1);
  return at ? load<u8>(at) : 0;
}

export function word(reader: Reader): u32 {
  const at = take(reader, 4);
  return at ? load<u32>(at) : 0;
}

/** A varint: at most five bytes in its shortest form, so below 2^35. */
export function varint(reader: Reader): u64 {
  let value: u64 = 0;
  for (let i = 0; i < 5; i++) {
    const next = byte(reader);
    value |= <u64>(next & 127) << (7 * i);
    if (next >= 128) continue;
    if (next == 0 && i > 0) break;
    return failed() ? 0 : value;
  }
  fail(CORRUPT, 'damaged: a malformed number');
  return 0;
}
