// Dense alphabets: samples that are indexes of a list of values (docs/format.md, Alphabet).

import { alloc } from './arena';
import { left, Reader, readerOf, varint } from './bytes';
import { CORRUPT, fail, failed } from './error';
import { head, Layer, partAt } from './head';
import { inflate } from './inflate';

const reader = changetype<Reader>(memory.data(offsetof<Reader>()));

/** Values of the alphabet that was read last. */
export let letters: u32 = 0;

/** Reads a layer's alphabet; returns the address of its `letters` values, 16 bits each, 0 with an error. */
export function readAlphabet(layer: Layer): usize {
  const part = partAt(layer.alphabet, 'alphabet');
  if (!part) return 0;
  readerOf(reader, part, <usize>layer.alphabet.bytes);
  const count = varint(reader);
  const length = varint(reader);
  if (failed() || count < 1 || count > <u64>head.maxval + 1 || length > 3 * count) return malformed();
  const values = alloc(2 * count);
  const gaps = inflate(reader.at, left(reader), length);
  if (!gaps) return 0;
  readerOf(reader, gaps, <usize>length);
  letters = <u32>count;
  let value: i64 = -1;
  for (let i: u32 = 0; i < letters; i++) {
    value += <i64>varint(reader) + 1;
    if (failed() || value > <i64>head.maxval) return malformed();
    store<u16>(values + (<usize>i << 1), <u16>value);
  }
  return left(reader) == 0 ? values : malformed();
}

function malformed(): usize {
  fail(CORRUPT, 'damaged: the list of values that occur is malformed');
  return 0;
}
