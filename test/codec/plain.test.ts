import { expect, test } from 'vitest';
import { deflate, inflate } from '../../codec/container/deflate.js';
import { CnfzipError } from '../../codec/error.js';
import { findAlphabet, fromIndexes, readAlphabet, toIndexes, writeAlphabet } from '../../codec/layers/alphabet.js';
import { filterRows, unfilterRows } from '../../codec/layers/filters.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';

test('unfilterRows undoes filterRows', () => {
  const random = randomIntegers(1);
  for (let i = 0; i < 200; i++) {
    const [rows, rowBytes, distance] = [1 + random(9), 1 + random(30), 1 + random(8)];
    const bytes = randomBytes(rows * rowBytes, i).map((byte, j) => (i % 2 ? byte : 3 * j));
    const filtered = filterRows(bytes, rows, rowBytes, distance);
    expect(unfilterRows(filtered, rows, rowBytes, distance)).toEqual(bytes);
  }
  expect(() => unfilterRows(Uint8Array.of(5, 1), 1, 1, 1)).toThrow(CnfzipError);
});

test('inflate undoes deflate, and refuses data of another length before memory is taken', () => {
  const bytes = randomBytes(5000, 1);
  const packed = deflate(bytes);
  expect(inflate(packed, 5000)).toEqual(bytes);
  for (const length of [0, 4999, 5001, 2 ** 40]) expect(() => inflate(packed, length)).toThrow(CnfzipError);
  expect(() => inflate(packed.subarray(0, 2000), 5000)).toThrow(CnfzipError);
  expect(() => inflate(deflate(new Uint8Array(1e6)), 10)).toThrow(CnfzipError);
});

test('bytes behind the end of deflated data are refused', () => {
  const random = randomIntegers(3);
  for (let i = 0; i < 300; i++) {
    const values = 1 + random(256);
    const bytes = Uint8Array.from({ length: random(400) }, () => random(values));
    const packed = deflate(bytes);
    expect(inflate(packed, bytes.length)).toEqual(bytes);
    for (const more of [[0], [255], [random(256), random(256)], [...packed]]) {
      expect(() => inflate(Uint8Array.from([...packed, ...more]), bytes.length)).toThrow(CnfzipError);
    }
    // Data that is stored as it is, which our encoder never writes.
    const stored = Uint8Array.of(1, bytes.length & 255, bytes.length >> 8, ~bytes.length & 255, 254, ...bytes);
    expect(inflate(stored, bytes.length)).toEqual(bytes);
    expect(() => inflate(Uint8Array.from([...stored, 0]), bytes.length)).toThrow(CnfzipError);
  }
  expect(() => inflate(new Uint8Array(0), 0)).toThrow(CnfzipError);
});

test('samples of few values are indexes of an alphabet, and back', () => {
  const random = randomIntegers(2);
  for (let i = 0; i < 50; i++) {
    const maxval = [255, 1023, 65535][random(3)];
    const values = Array.from({ length: 1 + random(40) }, () => random(maxval + 1));
    const samples = Uint16Array.from({ length: 300 }, () => values[random(values.length)]);
    const alphabet = findAlphabet(samples, maxval)!;
    expect([...alphabet]).toEqual([...new Set(samples)].sort((a, b) => a - b));
    const chunk = writeAlphabet(alphabet);
    expect(readAlphabet(chunk, maxval)).toEqual(alphabet);
    const indexes = toIndexes(samples, alphabet);
    expect([...fromIndexes(indexes, alphabet, maxval)]).toEqual([...samples]);
    for (let bit = 0; bit < 8 * chunk.length; bit += 3) {
      const flipped = chunk.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      try {
        readAlphabet(flipped, maxval);
      } catch (error) {
        expect(error).toBeInstanceOf(CnfzipError);
      }
    }
  }
  expect(
    findAlphabet(
      Uint8Array.from({ length: 256 }, (_, i) => i),
      255,
    ),
  ).toBe(undefined);
  expect(() => fromIndexes(Uint8Array.of(2), Uint16Array.of(7, 9), 255)).toThrow(CnfzipError);
});
