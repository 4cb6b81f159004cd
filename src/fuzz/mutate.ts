/** Damage of files: what transmission, storage and ill will do to bytes. */
import { randomBytes, randomIntegers } from './random-bytes.js';

/**
 * A damaged copy: flipped bits, changed bytes and numbers, a cut end, parts moved, left out, or taken from another file.
 *
 * @param other a file to take parts from
 */
export function mutate(bytes: Uint8Array, other: Uint8Array, seed: number): Uint8Array {
  const random = randomIntegers(seed);
  let out = Uint8Array.from(bytes);
  const times = 1 + random(3);
  for (let i = 0; i < times; i++) out = mutateOnce(out, other, random, seed + i);
  return out;
}

function mutateOnce(
  bytes: Uint8Array<ArrayBuffer>,
  other: Uint8Array,
  random: (below: number) => number,
  seed: number,
): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return bytes;
  const at = random(bytes.length);
  const length = 1 + random(Math.min(40, bytes.length - at));
  switch (random(8)) {
    case 0:
      bytes[at] ^= 1 << random(8);
      return bytes;
    case 1:
      bytes[at] = [0, 1, 127, 128, 255][random(5)];
      return bytes;
    case 2:
      return bytes.slice(0, at);
    case 3:
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + length)]);
    case 4:
      return Uint8Array.from([...bytes.subarray(0, at), ...randomBytes(length, seed), ...bytes.subarray(at)]);
    case 5:
      bytes.set(randomBytes(length, seed), at);
      return bytes;
    case 6: {
      const from = random(other.length);
      return Uint8Array.from([
        ...bytes.subarray(0, at),
        ...other.subarray(from, from + 200),
        ...bytes.subarray(at + length),
      ]);
    }
    default:
      // A length field: all of a varint's or a number's bytes at their largest.
      bytes.fill(255, at, at + 1 + random(5));
      return bytes;
  }
}
