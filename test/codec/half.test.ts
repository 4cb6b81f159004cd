import { expect, test } from 'vitest';
import { fromHalf, toHalf } from '../../codec/flow/half.js';

const all = Array.from({ length: 0x10000 }, (_, half) => half);

test('every half is itself again', () => {
  const changed = all.filter((half) => {
    const value = fromHalf(half);
    return Number.isNaN(value) ? !Number.isNaN(fromHalf(toHalf(value))) : toHalf(value) !== half;
  });
  expect(changed).toEqual([]);
  expect([0x0000, 0x0001, 0x03ff, 0x0400, 0x3c00, 0x3555, 0xc000, 0x7bff, 0x7c00].map(fromHalf)).toEqual([
    0,
    2 ** -24,
    1023 * 2 ** -24,
    2 ** -14,
    1,
    0.333251953125,
    -2,
    65504,
    Number.POSITIVE_INFINITY,
  ]);
});

test('between two halves a number goes to the nearer one, from their middle to the even one', () => {
  for (let half = 0; half < 0x7bff; half++) {
    const [low, high] = [fromHalf(half), fromHalf(half + 1)];
    const middle = (low + high) / 2;
    const even = half % 2 === 0 ? half : half + 1;
    const near = [low + (high - low) / 4, middle, high - (high - low) / 4].map(toHalf);
    expect(near, `${half}`).toEqual([half, even, half + 1]);
    expect(toHalf(-middle), `${half}`).toBe(even | 0x8000);
  }
  expect([65519, 65520, 65536, 1e30].map(toHalf)).toEqual([0x7bff, 0x7c00, 0x7c00, 0x7c00]);
});
