import { expect, test } from 'vitest';
import { LEARNING } from '../../codec/flow/learning.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { modelsForEncoding } from '../../src/session/models.js';

/** What becomes of a weight: models that were never trained, or broken, or made by an attacker. */
const wild: Record<string, (random: (below: number) => number) => (weight: number) => number> = {
  'times 1.5': () => (w) => 1.5 * w,
  'times 3': () => (w) => 3 * w,
  'times 10': () => (w) => 10 * w,
  'times 1e3': () => (w) => 1e3 * w,
  'times 1e10': () => (w) => 1e10 * w,
  'of 1e10 or -1e10': (random) => () => (random(2) ? 1e10 : -1e10),
  'of 1e30 or -1e30': (random) => () => (random(2) ? 1e30 : -1e30),
  'of the largest magnitude': (random) => () => (random(2) ? MAX_FLOAT : -MAX_FLOAT),
  'up to 100': (random) => () => (random(2001) - 1000) / 10,
  'of any magnitude': (random) => () => (random(2) ? 1 : -1) * 2 ** (random(255) - 127),
  'with rare huge ones': (random) => (w) => (random(500) ? w : (random(2) ? 1 : -1) * 2 ** random(128)),
  'with one huge one': (random) => {
    let until = random(30000);
    return (w) => (until-- === 0 ? MAX_FLOAT : w);
  },
};
const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;

/** Coordinates of a tile between the lowest and the highest that there are. */
const tiles: Record<
  string,
  (random: (below: number) => number, lowest: number, highest: number) => (i: number) => number
> = {
  zero: () => () => 0,
  low: (random) => () => random(8),
  lowest: (_, lowest) => () => lowest,
  highest: (_, __, highest) => () => highest,
  alternating: (_, lowest, highest) => (i) => (i & 1 ? highest : lowest),
  'at the bounds': (random, lowest, highest) => () => (random(2) ? highest : lowest),
  'flat with outliers': (random, lowest, highest) => () => (random(50) ? 3 : random(2) ? highest : lowest),
  noise: (random, lowest, highest) => () => lowest + random(highest - lowest + 1),
};

const [width, height] = [13, 11];

test.each([
  [3, 'fast'],
  [1, 'gray'],
] as const)('%i coordinates: whatever the weights of %s are, every tile comes back', async (channels, name) => {
  const [model] = await modelsForEncoding(channels, name);
  const flows = Object.entries(wild).flatMap(([weights, change]) => {
    const changed = { ...model, weights: model.weights.map(change(randomIntegers(1))) };
    return LEARNING.map((learning) => ({ weights, flow: { model: changed, learning } }));
  });
  for (const { weights, flow } of flows) {
    const codec = await TileCodec.create(flow);
    for (const depth of [8, 12, 16]) {
      for (const [content, make] of Object.entries(tiles)) {
        const sample = make(randomIntegers(depth), -(2 ** depth), 2 ** depth - 1);
        const samples = Int32Array.from({ length: width * height * channels }, (_, i) => sample(i));
        const shape = { width, height, depth };
        const { payload } = codec.encode(samples, shape);
        expect(
          codec.decode(payload, shape),
          `weights ${weights}, learning ${flow.learning}, ${depth} bits, ${content}`,
        ).toEqual(samples);
      }
    }
  }
});
