import { expect, test } from 'vitest';
import { crc32 } from '../../codec/container/crc32.js';
import { Random } from '../../src/train/random.js';

const bytes = new TextEncoder().encode('123456789');

test('the check value of CRC-32', () => {
  expect(crc32(bytes)).toBe(0xcbf43926);
  expect(crc32(new Uint8Array(0))).toBe(0);
});

test('it can go on from bytes before', () => {
  expect(crc32(bytes.subarray(4), crc32(bytes.subarray(0, 4)))).toBe(0xcbf43926);
});

test('numbers of 16 bits count as two bytes, lower first', () => {
  const wide = Uint16Array.from({ length: 300 }, (_, i) => i * 7919);
  const bytes = new Uint8Array(600);
  for (const [i, value] of wide.entries()) new DataView(bytes.buffer).setUint16(2 * i, value, true);
  expect(crc32(wide, 5)).toBe(crc32(bytes, 5));
});

/** Bit by bit, as PNG's specification (annex D) defines it. */
function bitwise(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  }
  return ~crc >>> 0;
}

test('any length, by pieces and by numbers of 16 bits, is what the definition says', () => {
  const random = new Random(1);
  for (let length = 0; length < 70; length++) {
    const words = Uint16Array.from({ length }, () => random.below(65536));
    const bytes = new Uint8Array(words.buffer);
    const whole = bitwise(bytes);
    expect(crc32(bytes)).toBe(whole);
    expect(crc32(words)).toBe(whole);
    const cut = random.below(length + 1);
    expect(crc32(bytes.subarray(2 * cut), crc32(words.subarray(0, cut)))).toBe(whole);
    const odd = random.below(bytes.length + 1);
    expect(crc32(bytes.subarray(odd), crc32(bytes.subarray(0, odd)))).toBe(whole);
  }
});
