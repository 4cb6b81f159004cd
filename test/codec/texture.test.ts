import { expect, test } from 'vitest';
import { TEXTURE_LEVELS, tileTexture } from '../../codec/flow/texture.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';

test('flat tiles and tiles too small to have texture are at level 0', () => {
  expect([...tileTexture(new Int32Array(8 * 8 * 3).fill(-17), 8, 8, 3)]).toEqual(Array(12).fill(0));
  expect([...tileTexture(Int32Array.from([5, 200]), 2, 1, 1)]).toEqual([0, 0, 0, 0]);
});

test('the wildest samples stay within the levels', () => {
  const samples = Int32Array.from({ length: 32 * 32 }, (_, i) => ((i + (i >> 5)) & 1 ? 255 : -256));
  const texture = tileTexture(samples, 32, 32, 1);
  expect(Math.max(...texture)).toBeLessThan(TEXTURE_LEVELS);
  expect(Math.min(...texture)).toBeGreaterThan(TEXTURE_LEVELS - 8);
});

test('an octave is four levels', () => {
  const stripes = (height: number) => Int32Array.from({ length: 64 }, (_, i) => (i & 1 ? height : 0));
  const [even] = tileTexture(stripes(8), 8, 8, 1);
  const [twice] = tileTexture(stripes(16), 8, 8, 1);
  expect(twice - even).toBe(4);
});

test('what was interpolated between even columns and rows shows at the odd ones', () => {
  const random = randomIntegers(5);
  const side = 16;
  const coarse = Array.from({ length: 81 }, () => random(200));
  const samples = Int32Array.from({ length: side * side }, (_, i) => {
    const [y, x] = [(i / side) | 0, i % side];
    const at = (row: number, column: number) => coarse[row * 9 + column];
    const [row, column] = [y >> 1, x >> 1];
    const corners = [
      at(row, column),
      at(row, column + (x & 1)),
      at(row + (y & 1), column),
      at(row + (y & 1), column + (x & 1)),
    ];
    return Math.round(corners.reduce((a, b) => a + b) / 4);
  });
  const [evenColumns, oddColumns, evenRows, oddRows] = tileTexture(samples, side, side, 1);
  expect(evenColumns - oddColumns).toBeGreaterThan(16);
  expect(evenRows - oddRows).toBeGreaterThan(16);
});
