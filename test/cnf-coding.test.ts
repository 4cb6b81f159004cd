import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { affineSplit } from '../models/fields/affine-split.js';
import { mlp } from '../models/fields/mlp.js';
import { Weights } from '../models/fields/weights.js';
import type { Layer } from '../models/layers/layer.js';
import { dequantized } from '../src/cnf/coding/dequantized.js';
import { popGaussian, pushGaussian } from '../src/cnf/coding/gaussian.js';
import { localBitsBack } from '../src/cnf/coding/local-bits-back.js';
import { splittingCoder } from '../src/cnf/coding/splitting-coder.js';
import { type Coder, Stack } from '../src/cnf/coding/stack.js';
import { cnf } from '../src/cnf/flow.js';
import { rk4 } from '../src/cnf/solvers/rk4.js';
import { selectBackend } from '../src/train/backend.js';
import { Random } from '../src/train/random.js';

beforeAll(async () => {
  await selectBackend(() => {});
});

const random = new Random(5);

test('the distribution function of the kernels is the normal one', async () => {
  const { run } = await Stack.create(1024, 16, () => random.word());
  const table = [
    [0, 0.5],
    [1, 0.841344746068543],
    [-1, 0.158655253931457],
    [2.5, 0.993790334674224],
    [-6, 9.86587645e-10],
    [9, 1],
    [-9, 0],
  ];
  for (const [x, p] of table) expect(Math.abs(run.normalCdf(x) - p)).toBeLessThan(1e-14);
  let before = 0;
  for (let x = -9; x <= 9; x += 1 / 512) {
    expect(run.normalCdf(x)).toBeGreaterThanOrEqual(before - 1e-14);
    before = run.normalCdf(x);
  }
});

test('Gaussian cells come back, in the window and beyond, at the cost of their probability', async () => {
  const stack = await Stack.create(1 << 20, 64, () => random.word());
  const before = stack.contents();
  const items = Array.from({ length: 3000 }, (_, i) => {
    const deviation = 2 ** (random.uniform() * 24 - 8);
    const mean = (random.uniform() - 0.5) * 1e5;
    // Every tenth lies far out.
    const cell = Math.round(mean + deviation * random.normal() * (i % 10 === 0 ? 1000 : 1));
    return { cell, mean, deviation };
  });
  for (const { cell, mean, deviation } of items) pushGaussian(stack, cell, mean, deviation);
  for (const { cell, mean, deviation } of items.reverse()) expect(popGaussian(stack, mean, deviation)).toBe(cell);
  expect(stack.contents()).toEqual(before);

  const start = stack.bits;
  let ideal = 0;
  for (let i = 0; i < 2000; i++) {
    const cell = Math.round(50 * random.normal());
    ideal += Math.log2(50 * Math.sqrt(2 * Math.PI)) + ((cell / 50) ** 2 / 2) * Math.LOG2E;
    pushGaussian(stack, cell, 0, 50);
  }
  expect(Math.abs((stack.bits - start) / ideal - 1)).toBeLessThan(1e-3);
  expect(() => pushGaussian(stack, 0, 0, 0)).toThrow('deviation 0');
  expect(() => pushGaussian(stack, 0, Number.NaN, 1)).toThrow('mean NaN');
});

describe('coders of points', () => {
  const weights = () => {
    const draws = new Random(8);
    return new Weights(draws);
  };
  const free = () => mlp(weights(), { dimension: 3, hidden: [16], time: 'gated', outputGain: 0.5 });
  const split = () => affineSplit(weights(), { dimension: 3, hidden: [16] });
  const method = { solver: rk4, steps: 12 };
  const points = 20;
  const coders: Record<string, () => Coder<Int32Array>> = {
    'Local Bits-Back, free-form field': () =>
      localBitsBack(cnf(free(), { method }), { dimension: 3, points, gridBits: 14, noiseBits: 8 }),
    'Local Bits-Back, affine-split field': () =>
      localBitsBack(cnf(split(), { method }), { dimension: 3, points, gridBits: 14, noiseBits: 8 }),
    'integer splitting': () => splittingCoder(split(), { points, gridBits: 14, steps: 8 }),
  };

  test.each(Object.entries(coders))('%s: pop undoes push, the stack is what it was', async (_name, make) => {
    const coder = dequantized(make(), 10);
    const stack = await Stack.create(1 << 20, 2000, () => random.word());
    const before = stack.contents();
    // Ordinary points, and one far out.
    const points = Array.from({ length: 3 }, () =>
      Int32Array.from({ length: 60 }, (_, i) => Math.round(16 * random.normal() * (i === 0 ? 8 : 1))),
    );
    for (const value of points) coder.push(stack, value);
    for (const value of points.reverse()) expect(coder.pop(stack)).toEqual(value);
    expect(stack.contents()).toEqual(before);
  });

  test('a map without an inverse costs bits, not data', async () => {
    const flow = cnf(free(), { method });
    const wrong: Layer = { ...flow, inverse: (y) => tf.mul(flow.inverse(y), 1.01) };
    const options = { dimension: 3, points, gridBits: 14, noiseBits: 8 };
    const value = Int32Array.from({ length: 60 }, () => Math.round(2 ** 14 * random.normal()));
    const cost: number[] = [];
    for (const layer of [flow, wrong]) {
      const stack = await Stack.create(1 << 20, 2000, () => random.word());
      const coder = localBitsBack(layer, options);
      const before = stack.bits;
      coder.push(stack, value);
      cost.push(stack.bits - before);
      expect(coder.pop(stack)).toEqual(value);
    }
    expect(cost[1]).toBeGreaterThan(cost[0]);
  });
});
