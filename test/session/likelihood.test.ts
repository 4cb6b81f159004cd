import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { forwardColour } from '../../codec/flow/colour.js';
import { LEARNING } from '../../codec/flow/learning.js';
import { Likelihood } from '../../codec/flow/likelihood.js';
import { type AdaptationRates, paceOf, USUAL_RATES } from '../../codec/flow/model.js';
import { plainBits, TileCodec } from '../../codec/flow/tile-codec.js';
import { type ModelDefinition, modelParameters } from '../../models/definition.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { decodePng } from '../../src/index.js';
import { modelsForEncoding } from '../../src/session/models.js';
import { initialize } from '../../src/train/initialize.js';

test.each([
  'house-253x191.png',
  'red-door-128x96.png',
  'hair-127x163.png',
  'gray-paint-121x121.png',
  'gray-boat-531x60.png',
])("%s: a tile's bits are the trainer's likelihood, to 0.02 %", async (name) => {
  const { width, height, channels, samples } = decodePng(
    readFileSync(new URL(`../../fixtures/${name}`, import.meta.url)),
  );
  // One tile, at most 512 wide.
  const columns = Math.min(width, 512);
  const rows = Array.from({ length: height }, (_, y) =>
    samples.subarray(y * width * channels, (y * width + columns) * channels),
  );
  const tile = forwardColour(Uint8Array.from(rows.flatMap((row) => [...row])), channels as 1 | 3);
  const [model] = await modelsForEncoding(channels);
  const shape = { width: columns, height, depth: 8 };
  const lengths: number[] = [];
  for (const learning of LEARNING) {
    const likelihood = await Likelihood.create(model.definition, paceOf(model.rates, learning));
    likelihood.load(model.weights);
    const length = likelihood.evaluate(tile, shape, false);
    lengths.push(length);
    const { netBits } = (await TileCodec.create({ model, learning })).encode(tile, shape);
    expect(Math.abs(netBits / (length / Math.LN2 + plainBits(8) * channels) - 1)).toBeLessThan(2e-4);
  }
  expect(lengths[1]).toBeLessThan(lengths[0]);
  // Blocks have more to learn than a small image can tell.
  expect(lengths[2]).toBeLessThan(1.001 * lengths[1]);
});

/** By how many nats the roundings of the network's integers may change a tile's length where a weight changes. */
const ROUNDED = 0.025;

test.each([1, 3] as const)('%i channels: the gradient is that of finite differences', async (channels) => {
  const definition: ModelDefinition = {
    channels,
    width: 8,
    blocks: [1, 1, 1],
    expand: 2,
    separate: 1,
    carry: 8,
    levels: 2,
    mixtures: 3,
    hidden: 8,
  };
  const random = randomIntegers(1);
  const weights = initialize(definition, 2).map((w) => w + (random(2001) / 1000 - 1) * 0.05);
  // Many sites: hidden units that the roundings to integers carry across zero, in a few of them, then change little.
  const shape = { width: 41, height: 37, depth: 8 };
  const length = shape.width * shape.height * channels;
  const samples = Int32Array.from({ length }, (_, i) => 60 + ((i / channels) % 11) + random(4));
  const likelihood = await Likelihood.create(definition);
  const loss = (values: Float32Array) => {
    likelihood.load(values);
    return likelihood.evaluate(samples, shape, false);
  };
  likelihood.load(weights);
  likelihood.evaluate(samples, shape, true);
  const gradient = likelihood.gradient().slice();
  for (const { name, offset, size } of modelParameters(definition).all) {
    if (size === 0) continue;
    // Along the parameter's own gradient, and far: where the roundings of float32 and of the network's integers matter least.
    const own = gradient.slice(offset, offset + size);
    const norm = Math.hypot(...own);
    const step = 1.2e-2;
    const moved = (by: number) => {
      const values = weights.slice();
      for (let i = 0; i < size; i++) values[offset + i] += (by * own[i]) / norm;
      return loss(values);
    };
    const slope = (moved(step) - moved(-step)) / (2 * step);
    expect(Math.abs(slope - norm), name).toBeLessThan(0.02 * norm + ROUNDED / step);
  }
});

test('gradients add up over the tiles since the weights were loaded', async () => {
  const [{ definition, weights }] = await modelsForEncoding(1);
  const random = randomIntegers(8);
  const samples = Int32Array.from({ length: 16 * 16 }, () => 100 + random(9));
  const likelihood = await Likelihood.create(definition);
  likelihood.load(weights);
  likelihood.evaluate(samples, { width: 16, height: 16, depth: 8 }, true);
  const once = likelihood.gradient().slice();
  likelihood.evaluate(samples, { width: 16, height: 16, depth: 8 }, true);
  const twice = likelihood.gradient();
  const difference = Math.hypot(...once.map((g, i) => twice[i] - 2 * g)) / Math.hypot(...twice);
  expect(difference).toBeLessThan(1e-5);
});

test('of a flow that learns, but not at all fast, length and gradient are those of one that does not', async () => {
  const [{ definition, weights }] = await modelsForEncoding(3, 'fast');
  const random = randomIntegers(4);
  const shape = { width: 70, height: 41, depth: 8 };
  const samples = Int32Array.from({ length: 70 * 41 * 3 }, (_, i) => 40 + (i % 31) + random(5));
  const evaluate = async (rates?: AdaptationRates) => {
    const likelihood = await Likelihood.create(definition, rates);
    likelihood.load(weights);
    const nats = likelihood.evaluate(samples, shape, true);
    return { nats, gradient: likelihood.gradient().slice() };
  };
  const [still, slow, quick] = [
    await evaluate(),
    await evaluate({ head: 0, field: 0, correction: 0, block: 1e-30 }),
    await evaluate(USUAL_RATES),
  ];
  expect(Math.abs(slow.nats / still.nats - 1)).toBeLessThan(1e-9);
  for (const { name, offset, size } of modelParameters(definition).all) {
    const [a, b] = [still, slow].map(({ gradient }) => gradient.slice(offset, offset + size));
    const difference = Math.hypot(...a.map((g, i) => g - b[i]));
    expect(difference, name).toBeLessThanOrEqual(1e-4 * Math.hypot(...a));
  }
  expect(quick.nats).toBeLessThan(still.nats);
});
