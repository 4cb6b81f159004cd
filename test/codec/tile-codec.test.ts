import { expect, test } from 'vitest';
import { CnfzipError } from '../../codec/error.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';
import { modelsForEncoding } from '../../src/session/models.js';

const [model] = await modelsForEncoding(3);
const codec = await TileCodec.create({ model, learning: 'heads' as const });

const shapeOf = (width: number, height: number) => ({ width, height, depth: 8 });

function decoded(payload: Uint8Array, width: number, height: number): Int32Array | CnfzipError {
  try {
    return codec.decode(payload, shapeOf(width, height));
  } catch (error) {
    if (error instanceof CnfzipError && error.code === 'corrupt') return error;
    throw error;
  }
}

test.each([
  [1, 23, 17, 150],
  [4, 163, 101, 24],
])(
  '%i states: forged payloads, which no checksum has met, are refused, and the codec stays sound',
  (_, width, height, trials) => {
    const random = randomIntegers(1);
    const samples = Int32Array.from({ length: width * height * 3 }, () => random(90) - 30);
    const { payload } = codec.encode(samples, shapeOf(width, height));
    let refused = 0;
    for (let i = 0; i < trials; i++) {
      const forged = i % 3 === 0 ? randomBytes(4 * random(300) + 8, i) : payload.slice();
      if (i % 3 === 1) forged[random(forged.length)] ^= 1 << random(8);
      const cut = i % 3 === 2 ? forged.subarray(0, random(payload.length)) : forged;
      const result = decoded(cut, width, height);
      if (result instanceof CnfzipError) refused++;
      else expect(result).not.toEqual(samples);
      if (i % 25 === 0) expect(codec.decode(payload, shapeOf(width, height))).toEqual(samples);
    }
    // The stack's end gives nearly all of them away; the checksum of the samples does the rest.
    expect(refused).toBeGreaterThan(0.96 * trials);
  },
);

test('a payload has one form: words below or above it are refused', () => {
  const samples = Int32Array.from({ length: 9 * 7 * 3 }, (_, i) => i % 50);
  const { payload } = codec.encode(samples, shapeOf(9, 7));
  const below = Uint8Array.of(1, 2, 3, 4, ...payload);
  const above = Uint8Array.of(...payload.subarray(0, -8), 1, 2, 3, 4, ...payload.subarray(-8));
  for (const other of [below, above]) expect(decoded(other, 9, 7)).toBeInstanceOf(CnfzipError);
  expect(codec.decode(payload, shapeOf(9, 7))).toEqual(samples);
});

test('a model whose outputs overflow to infinities and NaN still codes exactly', async () => {
  const random = randomIntegers(3);
  for (const size of [1e10, 1e30]) {
    const weights = model.weights.map(() => (random(2) ? size : -size));
    const wild = await TileCodec.create({ model: { ...model, weights }, learning: 'heads' as const });
    const samples = Int32Array.from({ length: 19 * 21 * 3 }, () => random(511) - 255);
    const { payload } = wild.encode(samples, shapeOf(19, 21));
    expect(wild.decode(payload, shapeOf(19, 21))).toEqual(samples);
  }
});

test('samples at the ends of their range and noise without any structure come back', () => {
  const random = randomIntegers(2);
  for (const [width, height] of [
    [64, 1],
    [33, 40],
    [128, 128],
  ]) {
    const extremes = Int32Array.from({ length: width * height * 3 }, () => (random(2) ? 255 : -255));
    const noise = Int32Array.from({ length: width * height * 3 }, () => random(511) - 255);
    const flat = new Int32Array(width * height * 3).fill(-255);
    for (const samples of [extremes, noise, flat]) {
      const { payload, netBits } = codec.encode(samples, shapeOf(width, height));
      expect(codec.decode(payload, shapeOf(width, height))).toEqual(samples);
      expect(Math.abs(8 * payload.length - netBits)).toBeLessThan(64 * 8);
    }
  }
});

test('a sequence of tiles on one stack comes back, and costs less than the tiles on their own', () => {
  const random = randomIntegers(7);
  const [width, height] = [21, 16];
  const tiles = Array.from({ length: 12 }, (_, t) =>
    Int32Array.from({ length: width * height * 3 }, (_, i) => (i % 3 === 0 ? 100 + 3 * t : 0) + random(9)),
  );
  const { payload } = codec.encodeSequence(tiles, shapeOf(width, height));
  expect(codec.decodeSequence(payload, tiles.length, shapeOf(width, height))).toEqual(tiles);
  const alone = tiles.reduce((sum, tile) => sum + codec.encode(tile, shapeOf(width, height)).payload.length, 0);
  expect(payload.length).toBeLessThan(alone - 4 * tiles.length);
  expect(() => codec.decodeSequence(payload, tiles.length - 1, shapeOf(width, height))).toThrow(CnfzipError);
});

test.each([9, 10, 12, 14, 16])('samples of %i bits come back; each bit more of noise costs about a bit', (depth) => {
  const random = randomIntegers(depth);
  const [width, height] = [40, 33];
  const finer = 2 ** (depth - 8);
  const noise = () => Math.floor((random(1 << 16) / 65536) * 12 * finer);
  const samples = Int32Array.from({ length: width * height * 3 }, (_, i) => (i % 3 === 0 ? 100 * finer : 0) + noise());
  const shape = { width, height, depth };
  const { payload, netBits } = codec.encode(samples, shape);
  expect(codec.decode(payload, shape)).toEqual(samples);
  const plain = codec.encode(
    samples.map((sample) => Math.floor(sample / finer)),
    { width, height, depth: 8 },
  );
  const difference = (netBits - plain.netBits) / samples.length;
  expect(Math.abs(difference - (depth - 8))).toBeLessThan(0.12 * (depth - 8));
  const extremes = samples.map(() => (random(2) ? 1 : -1) * (2 ** depth - 1));
  expect(codec.decode(codec.encode(extremes, shape).payload, shape)).toEqual(extremes);
});
