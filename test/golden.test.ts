import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { crc32 } from '../codec/container/crc32.js';
import { Likelihood } from '../codec/flow/likelihood.js';
import { TileCodec } from '../codec/flow/tile-codec.js';
import { Kernels } from '../codec/kernels/kernels.js';
import { Operations } from '../codec/kernels/operations.js';
import { type ModelDefinition, modelParameters } from '../models/definition.js';
import { randomIntegers } from '../src/fuzz/random-bytes.js';

/**
 * Golden vectors of the kernels' arithmetic, as checksums of their outputs. They change only together with KERNEL_VERSION.
 * All inputs are multiples of powers of two, so that no host arithmetic takes part.
 */
const golden: Record<string, unknown> = JSON.parse(
  readFileSync(new URL('./golden/kernels.json', import.meta.url), 'utf8'),
);

const definitions: Record<string, ModelDefinition> = {
  colour: {
    channels: 3,
    width: 16,
    blocks: [1, 1, 1],
    expand: 2,
    separate: 1,
    carry: 8,
    levels: 3,
    mixtures: 3,
    hidden: 8,
  },
  gray: {
    channels: 1,
    width: 8,
    blocks: [1, 0, 1],
    expand: 2,
    separate: 1,
    carry: 8,
    levels: 2,
    mixtures: 4,
    hidden: 4,
  },
};

function dyadic(length: number, seed: number, scale: number): Float32Array {
  const random = randomIntegers(seed);
  return Float32Array.from({ length }, () => ((random(1 << 20) - (1 << 19)) / (1 << 19)) * scale);
}

function checksum(array: ArrayBufferView): string {
  return crc32(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .toString(16)
    .padStart(8, '0');
}

const WIDTH = 37;
const HEIGHT = 26;
const SHAPE = { width: WIDTH, height: HEIGHT, depth: 8 };

function samplesOf(channels: number): Int32Array {
  const random = randomIntegers(3);
  return Int32Array.from({ length: WIDTH * HEIGHT * channels }, (_, i) => {
    const x = Math.floor(i / channels) % WIDTH;
    return i % channels === 0 ? 3 * x + random(20) : random(15) - 40;
  });
}

test.each(Object.entries(definitions))('a %s tile: payload, likelihood and gradient', async (name, definition) => {
  const weights = dyadic(modelParameters(definition).count, 5, 0.25);
  const samples = samplesOf(definition.channels);
  const codec = await TileCodec.create({ name, hash: '', definition, weights });
  const { payload } = codec.encode(samples, SHAPE);
  expect(codec.decode(payload, SHAPE)).toEqual(samples);
  const likelihood = await Likelihood.create(definition);
  likelihood.load(weights);
  const nats = likelihood.evaluate(samples, SHAPE, true);
  const results = {
    payload: checksum(payload),
    nats: checksum(Float64Array.of(nats)),
    gradient: checksum(likelihood.gradient()),
  };
  expect(results).toEqual(golden[name]);
});

test('a product of vectors with a matrix', async () => {
  const operations = new Operations(await Kernels.create());
  const put = (values: Float32Array, channels: number) => {
    const vectors = operations.vectors(values.length / channels, channels);
    operations.kernels.floats(vectors.address, values.length).set(values);
    return vectors;
  };
  const [count, inputs, outputs] = [7, 19, 24];
  const from = put(dyadic(count * inputs, 1, 1), inputs);
  const linear = {
    weight: put(dyadic(inputs * outputs, 2, 1), outputs).address,
    bias: put(dyadic(outputs, 3, 1), outputs).address,
  };
  const to = operations.vectors(count, outputs);
  operations.product(to, from, linear, 'relu');
  expect(checksum(operations.kernels.floats(to.address, count * outputs))).toBe(golden.product);
});
