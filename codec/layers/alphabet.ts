/**
 * Dense alphabets: samples that use few of their values (8 bits stretched to 16, say) are coded as indexes of a list of those.
 * The list in its part of the file: the number of values (v), the bytes of what follows (v), then deflated the gaps (v each) between
 * neighbouring values, the first from -1, less 1.
 */
import { ByteReader, varint } from '../container/bytes.js';
import { deflate, inflate } from '../container/deflate.js';
import { CnfzipError } from '../error.js';
import { allocSamples } from '../image.js';
import type { Layer } from '../layer.js';

/** An alphabet is worth its part where the values that occur are at most this part of those that could. */
const SPARSE = 0.5;

/** Samples between two looks at whether their values are too many already: as many as there are values at most. */
const NOTED_AT_ONCE = 1 << 16;

/** The values that occur, ascending, if they are few; else nothing. */
export function findAlphabet(samples: Uint8Array | Uint16Array, maxval: number): Uint16Array | undefined {
  const occurs = new Uint8Array(maxval + 1);
  noteValues(samples, occurs);
  return alphabetOfValues(occurs);
}

/** Sets `occurs[value]` to 1 for values that occur: for all of them, or for too many for an alphabet. */
export function noteValues(samples: Uint8Array | Uint16Array, occurs: Uint8Array): void {
  for (let from = 0; from < samples.length && isSparse(occurs); from += NOTED_AT_ONCE) {
    const to = Math.min(samples.length, from + NOTED_AT_ONCE);
    for (let i = from; i < to; i++) occurs[samples[i]] = 1;
  }
}

function isSparse(occurs: Uint8Array): boolean {
  let count = 0;
  for (const value of occurs) count += value;
  return count <= SPARSE * occurs.length;
}

/** As `findAlphabet`, by what `noteValues` has found of all samples. */
export function alphabetOfValues(occurs: Uint8Array): Uint16Array | undefined {
  return isSparse(occurs) ? Uint16Array.from(occurs.keys()).filter((value) => occurs[value]) : undefined;
}

/** Samples as indexes of the alphabet that has all of them. */
export function toIndexes(samples: Uint8Array | Uint16Array, alphabet: Uint16Array): Uint8Array | Uint16Array {
  const indexes = new Uint16Array(alphabet[alphabet.length - 1] + 1);
  for (const [index, value] of alphabet.entries()) indexes[value] = index;
  return allocSamples(samples.length, alphabet.length - 1).map((_, i) => indexes[samples[i]]);
}

/** A layer whose samples are indexes of the alphabet, if there is one. */
export function indexed(layer: Layer, alphabet: Uint16Array | undefined): Layer {
  if (!alphabet) return layer;
  return { ...layer, maxval: alphabet.length - 1, samples: toIndexes(layer.samples, alphabet) };
}

/**
 * Undoes `toIndexes`.
 *
 * @throws {CnfzipError} `corrupt` if an index is beyond the alphabet
 */
export function fromIndexes(
  indexes: Uint8Array | Uint16Array,
  alphabet: Uint16Array,
  maxval: number,
): Uint8Array | Uint16Array {
  if (indexes.some((index) => index >= alphabet.length)) {
    throw new CnfzipError('corrupt', 'damaged: a sample is none of the values that occur');
  }
  return allocSamples(indexes.length, maxval).map((_, i) => alphabet[indexes[i]]);
}

export function writeAlphabet(alphabet: Uint16Array): Uint8Array {
  const gaps = Array.from(alphabet, (value, i) => varint(value - (i === 0 ? -1 : alphabet[i - 1]) - 1)).flat();
  return Uint8Array.from([...varint(alphabet.length), ...varint(gaps.length), ...deflate(Uint8Array.from(gaps))]);
}

/** @throws {CnfzipError} `corrupt` if it is none of values up to `maxval` */
export function readAlphabet(part: Uint8Array, maxval: number): Uint16Array {
  const damaged = () => new CnfzipError('corrupt', 'damaged: the list of values that occur is malformed');
  const outer = new ByteReader(part);
  const count = outer.varint();
  const length = outer.varint();
  if (count < 1 || count > maxval + 1 || length > 3 * count) throw damaged();
  const reader = new ByteReader(inflate(outer.take(outer.left), length));
  const alphabet = new Uint16Array(count);
  let value = -1;
  for (let i = 0; i < count; i++) {
    value += reader.varint() + 1;
    if (value > maxval) throw damaged();
    alphabet[i] = value;
  }
  if (reader.left > 0) throw damaged();
  return alphabet;
}
