import { expect, test } from 'vitest';
import { CnfzipError } from '../codec/error.js';
import { TileCodec } from '../codec/flow/tile-codec.js';
import { randomBytes, randomIntegers } from '../src/fuzz/random-bytes.js';
import { modelsForEncoding } from '../src/models.js';

const [model] = await modelsForEncoding(3);
const codec = await TileCodec.create(model);

const shapeOf = (width: number, height: number) => ({ width, height, depth: 8 });

function decoded(payload: Uint8Array, width: number, height: number): Int32Array | CnfzipError {
  try {
    return codec.decode(payload, shapeOf(width, height));
  } catch (error) {
    if (error instanceof CnfzipError && error.code === 'corrupt') return error;
    throw error;
  }
}

test('forged payloads, which no checksum has met: refused, and the codec stays sound', () => {
  const random = randomIntegers(1);
  const [width, height] = [23, 17];
  const samples = Int32Array.from({ length: width * height * 3 }, () => random(90) - 30);
  const { payload } = codec.encode(samples, shapeOf(width, height));
  let refused = 0;
  for (let i = 0; i < 150; i++) {
    const forged = i % 3 === 0 ? randomBytes(1 + 4 * random(300) + 8, i) : payload.slice();
    if (i % 3 === 0) forged[0] = random(9);
    if (i % 3 === 1) forged[random(forged.length)] ^= 1 << random(8);
    const cut = i % 3 === 2 ? forged.subarray(0, random(payload.length)) : forged;
    const result = decoded(cut, width, height);
    if (result instanceof CnfzipError) refused++;
    else expect(result).not.toEqual(samples);
    if (i % 25 === 0) expect(codec.decode(payload, shapeOf(width, height))).toEqual(samples);
  }
  // The seed at the stack's end gives nearly all of them away; the checksum of the samples does the rest.
  expect(refused).toBeGreaterThan(145);
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
  expect(payload.length).toBeLessThan(alone - 8 * tiles.length);
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
