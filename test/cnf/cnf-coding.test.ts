import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { affineSplit } from '../../models/fields/affine-split.js';
import { convolutional } from '../../models/fields/convolutional.js';
import { equivariant } from '../../models/fields/equivariant.js';
import type { VectorField } from '../../models/fields/field.js';
import { incompressible } from '../../models/fields/incompressible.js';
import { mlp } from '../../models/fields/mlp.js';
import { rotationInvariant } from '../../models/fields/rotation-invariant.js';
import { Weights } from '../../models/fields/weights.js';
import type { Layer } from '../../models/layers/layer.js';
import { logDensities, standardNormal } from '../../src/cnf/base.js';
import { dequantized } from '../../src/cnf/coding/dequantized.js';
import { popGaussian, pushGaussian } from '../../src/cnf/coding/gaussian.js';
import { localBitsBack } from '../../src/cnf/coding/local-bits-back.js';
import { splittingCoder } from '../../src/cnf/coding/splitting-coder.js';
import { type Coder, Stack } from '../../src/cnf/coding/stack.js';
import { cnf } from '../../src/cnf/flow.js';
import { rk4 } from '../../src/cnf/solvers/rk4.js';
import { selectBackend } from '../../src/train/backend.js';
import { Random } from '../../src/train/random.js';

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

  test('under a field with a context points come back with that context, and with no other', async () => {
    const own = new Random(12);
    const field = affineSplit(new Weights(own), { dimension: 3, hidden: [8], context: 2 });
    const context = tf.tensor2d(Array.from({ length: points }, () => [own.normal(), own.normal()]));
    const other = tf.neg(context);
    const flow = cnf(field, { method: { solver: rk4, steps: 6 } });
    const makers = [
      (given: tf.Tensor2D) => splittingCoder(field, { points, gridBits: 14, steps: 4, context: given }),
      (given: tf.Tensor2D) => localBitsBack(flow, { dimension: 3, points, gridBits: 14, noiseBits: 8, context: given }),
    ];
    for (const make of makers) {
      const stack = await Stack.create(1 << 16, 256, () => random.word());
      const before = stack.contents();
      const cells = Int32Array.from({ length: 3 * points }, () => Math.round(2 ** 14 * random.normal()));
      make(context).push(stack, cells);
      const pushed = await Stack.of(stack.contents(), 1 << 16);
      expect(make(context).pop(stack)).toEqual(cells);
      expect(stack.contents()).toEqual(before);
      expect(make(other).pop(pushed)).not.toEqual(cells);
    }
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

  test('what does not fit is refused, not coded wrongly', async () => {
    const stack = await Stack.create(1 << 20, 2000, () => random.word());
    const integers = dequantized(splittingCoder(split(), { points: 1, gridBits: 14, steps: 2 }), 24);
    expect(() => integers.push(stack, Int32Array.of(1, 2, 200))).toThrow('take a coarser grid');
    expect(() => pushGaussian(stack, 2 ** 31, -(2 ** 33), 1)).toThrow('out of its distribution');
    const narrow = await Stack.create(64, 4, () => random.word());
    expect(() => Array.from({ length: 16 }, () => narrow.run.push(0, 1, 32))).toThrow('has left its bounds');
    expect(() => narrow.bits).toThrow('has left its bounds');
  });

  const fields: Record<string, () => VectorField> = {
    'convolutional, 3 x 3 pixels': () => convolutional(weights(), { height: 3, width: 3, channels: 1, hidden: [6] }),
    'incompressible, 5-D': () => incompressible(weights(), { dimension: 5, hidden: 12 }),
    'rotation-invariant, 4-D': () => rotationInvariant(weights(), { dimension: 4, hidden: [12] }),
    'equivariant, 4 points in space': () => equivariant(weights(), { kinds: [0, 1, 1, 1], space: 3, hidden: 6 }),
    'free-form, 64-D': () => mlp(weights(), { dimension: 64, hidden: [32], time: 'concatenated', outputGain: 0.5 }),
  };

  test.each(Object.entries(fields))(
    'Local Bits-Back codes %s: exactly, at the cost of -log2 p',
    async (_name, make) => {
      const field = make();
      const dimension = field.dimension;
      const flow = cnf(field, { method });
      const [count, gridBits] = [12, 14];
      const coder = localBitsBack(flow, { dimension, points: count, gridBits, noiseBits: 9 });
      const stack = await Stack.create(1 << 20, 2000, () => random.word());
      const before = stack.contents();
      let [net, ideal] = [0, 0];
      for (let round = 0; round < 4; round++) {
        const cells = Int32Array.from({ length: count * dimension }, () => Math.round(2 ** gridBits * random.normal()));
        const x = tf.tensor2d(
          Float32Array.from(cells, (cell) => cell / 2 ** gridBits),
          [count, dimension],
        );
        const logs = logDensities(flow, standardNormal(dimension), x);
        ideal += logs.reduce((sum, nats) => sum + dimension * gridBits - nats / Math.LN2, 0);
        const held = stack.bits;
        coder.push(stack, cells);
        net += stack.bits - held;
        if (round % 2 === 1) {
          expect(coder.pop(stack)).toEqual(cells);
          coder.push(stack, cells);
        }
      }
      expect(Math.abs(net / ideal - 1)).toBeLessThan(0.01);
      for (let round = 0; round < 4; round++) coder.pop(stack);
      expect(stack.contents()).toEqual(before);
    },
    60_000,
  );
});
