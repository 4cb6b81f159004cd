import { expect, test } from 'vitest';
import { crc32 } from '../../codec/container/crc32.js';

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
