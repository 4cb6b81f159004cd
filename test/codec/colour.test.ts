import { expect, test } from 'vitest';
import { forwardColour, inverseColour } from '../../codec/flow/colour.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';

test('every colour of a coarse grid with all extremes comes back, in the range that is promised', () => {
  const values = [0, 1, 2, 3, 63, 64, 127, 128, 129, 191, 252, 253, 254, 255];
  const colours = values.flatMap((r) => values.flatMap((g) => values.flatMap((b) => [r, g, b])));
  const samples = Uint8Array.from(colours);
  const coordinates = forwardColour(samples, 3);
  for (let i = 0; i < coordinates.length; i += 3) {
    expect(coordinates[i]).toBeGreaterThanOrEqual(0);
    expect(coordinates[i]).toBeLessThanOrEqual(255);
    expect(Math.abs(coordinates[i + 1])).toBeLessThanOrEqual(255);
    expect(Math.abs(coordinates[i + 2])).toBeLessThanOrEqual(255);
  }
  expect(inverseColour(coordinates, 3, 255)).toEqual(samples);
});

test('random colours come back', () => {
  const samples = randomBytes(3 * 10_000, 1);
  expect(inverseColour(forwardColour(samples, 3), 3, 255)).toEqual(samples);
});

test('known values', () => {
  expect([...forwardColour(Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 90, 90, 90), 3)]).toEqual([
    63, 255, -127, 127, 0, 255, 63, -255, -127, 90, 0, 0,
  ]);
});

test('gray is copied', () => {
  const samples = Uint8Array.of(0, 7, 255);
  const coordinates = forwardColour(samples, 1);
  expect([...coordinates]).toEqual([0, 7, 255]);
  expect(inverseColour(coordinates, 1, 255)).toEqual(samples);
});

test('16-bit samples come back, the extremes among them', () => {
  const random = randomIntegers(3);
  const samples = Uint16Array.from({ length: 3000 }, () => [0, 65535, random(65536)][random(3)]);
  expect(inverseColour(forwardColour(samples, 3), 3, 65535)).toEqual(samples);
});
