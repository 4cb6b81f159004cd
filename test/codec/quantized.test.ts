import { expect, test } from 'vitest';
import { Kernels } from '../../codec/kernels/kernels.js';
import { Operations } from '../../codec/kernels/operations.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';

interface Case {
  readonly vectors: Float32Array;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
}

/** The product as floats, and as integers with scales. */
async function products({ vectors, weights, bias, inputs, outputs }: Case) {
  const operations = new Operations(await Kernels.create());
  const { kernels } = operations;
  const put = (values: Float32Array) => {
    const address = kernels.alloc(4 * values.length);
    kernels.floats(address, values.length).set(values);
    return address;
  };
  const count = vectors.length / inputs;
  const from = { address: put(vectors), count, channels: inputs };
  const [weight, added] = [put(weights), put(bias)];
  const [weights16, scales] = [kernels.alloc(2 * weights.length), kernels.alloc(4 * outputs)];
  kernels.run.quantizeWeights(weights16, scales, weight, inputs, outputs);
  const room = operations.quantizedVectors(count, inputs);
  const [floats, integers] = [0, 0].map(() => operations.vectors(count, outputs));
  operations.product(floats, from, { weight, bias: added }, 'replace');
  operations.quantizedProduct(integers, from, { weight: weights16, scales, bias: added }, room, 'replace');
  const values = ({ address }: { address: number }) => [...kernels.floats(address, count * outputs)];
  return { floats: values(floats), integers: values(integers), steps: [...kernels.floats(scales, outputs)] };
}

function expectNear({ floats, integers, steps }: Awaited<ReturnType<typeof products>>, given: Case): void {
  const { vectors, weights, bias, inputs, outputs } = given;
  for (let at = 0; at < floats.length; at++) {
    const [p, o] = [Math.floor(at / outputs), at % outputs];
    const x = [...vectors.subarray(p * inputs, (p + 1) * inputs)].map(Math.abs);
    const w = x.map((_, k) => Math.abs(weights[k * outputs + o]));
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    // Each number is half of its step away from what it stands for, at most.
    const half = Math.max(...x) / 8191 / 2;
    const roundings = 1e-5 * (Math.abs(bias[o]) + sum(x.map((value, k) => value * w[k])));
    const most = half * sum(w) + (steps[o] / 2) * sum(x) + inputs * half * (steps[o] / 2) + roundings;
    expect(Math.abs(integers[at] - floats[at])).toBeLessThanOrEqual(most * 1.0001);
  }
}

test('products of integers are those of floats, as far as their steps allow', async () => {
  const random = randomIntegers(7);
  for (const [inputs, outputs, count] of [
    [8, 8, 1],
    [16, 32, 9],
    [96, 48, 6],
    [256, 128, 3],
    [70, 16, 7],
    [34, 8, 2],
    [36, 24, 5],
  ]) {
    for (const spread of [0, 20]) {
      // With a spread a few numbers are far larger than the others.
      const number = () => (random(2001) - 1000) * 2 ** (random(8) === 0 ? random(spread + 1) - 10 : -10);
      const numbers = (length: number) => Float32Array.from({ length }, number);
      const given: Case = {
        vectors: numbers(count * inputs),
        weights: numbers(inputs * outputs),
        bias: numbers(outputs),
        inputs,
        outputs,
      };
      expectNear(await products(given), given);
    }
  }
});

test('sums of the largest numbers do not overflow', async () => {
  const [inputs, outputs, count] = [1024, 8, 5];
  for (const sign of [1, -1]) {
    const given: Case = {
      vectors: new Float32Array(count * inputs).fill(3),
      weights: new Float32Array(inputs * outputs).fill(0.7 * sign),
      bias: new Float32Array(outputs),
      inputs,
      outputs,
    };
    expectNear(await products(given), given);
  }
});

test('zeros, the smallest and no numbers: the same again, and what is finite stays near', async () => {
  const [inputs, outputs] = [16, 8];
  const tiny = 1e-45;
  for (const value of [0, tiny, -tiny, Number.POSITIVE_INFINITY, Number.NaN, 3e38]) {
    const given: Case = {
      vectors: new Float32Array(4 * inputs).map((_, i) => (i < inputs ? value : (i % 7) - 3)),
      weights: new Float32Array(inputs * outputs).map((_, i) => (i % outputs === 0 ? 0 : (i % 11) * 1e-3)),
      bias: new Float32Array(outputs).fill(1),
      inputs,
      outputs,
    };
    const found = await products(given);
    expect(await products(given)).toEqual(found);
    // Other vectors know nothing of the odd one.
    for (let at = outputs; at < 4 * outputs; at++)
      expect(Math.abs(found.integers[at] - found.floats[at])).toBeLessThan(1e-3);
    if (Math.abs(value) < 1) expect(found.integers.slice(0, outputs)).toEqual(new Array(outputs).fill(1));
  }
});
