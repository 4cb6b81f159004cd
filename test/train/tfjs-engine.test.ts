import { beforeAll, describe, expect, it } from 'vitest';
import { Likelihood } from '../../codec/flow/likelihood.js';
import { type ModelDefinition, modelParameters } from '../../models/definition.js';
import { selectBackend } from '../../src/train/backend.js';
import { type Crop, cropShape } from '../../src/train/dataset.js';
import { initialize } from '../../src/train/initialize.js';
import { Random } from '../../src/train/random.js';
import type { TensorFlow } from '../../src/train/tfjs/tensorflow.js';
import { TfjsEngine } from '../../src/train/tfjs-engine.js';

const COMMON = { width: 8, blocks: [2, 1, 1], expand: 2, separate: 1, carry: 8, levels: 3, hidden: 4 } as const;
const DEFINITIONS: Record<string, ModelDefinition> = {
  'colour, three logistics': { ...COMMON, channels: 3, mixtures: 3 },
  'colour, one logistic': { ...COMMON, channels: 3, mixtures: 1 },
  'gray, four logistics': { ...COMMON, channels: 1, mixtures: 4 },
};

/** Parameters of every kind, checked by finite differences. */
const CHECKED = /^([01]\.(D\.stem|D\.block0|H\.state|V\.head|carry)|field)\./;

/** Every parameter away from zero, so that every gradient is, too. */
function perturbed(definition: ModelDefinition, seed = 3): Float32Array {
  const random = new Random(seed + 100);
  return initialize(definition, seed).map((w) => w + 0.05 * random.normal());
}

/** A smooth image with noise and an edge, as the flow codes it. */
function samplesOf(height: number, width: number, channels: number, seed: number): Int32Array {
  const random = new Random(seed);
  const samples = new Int32Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        const base = c === 0 ? 100 + 6 * x + 3 * y + (x > 5 ? 60 : 0) : 10 * c - 2 * x;
        samples[(y * width + x) * channels + c] = Math.round(base + 3 * random.normal());
      }
    }
  }
  return samples;
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0));
}

function norm(a: Float32Array): number {
  return distance(a, new Float32Array(a.length));
}

/**
 * How far the kernels may be off, relatively: their linear maps compute with whole numbers, these with float32. Where that carries a hidden
 * unit across zero its part of the gradient comes or goes, which shows most in parameters whose gradient is small.
 */
const ROUNDED = { nats: 5e-5, gradient: 4e-2, ofParameter: 0.2 };

/** Expects a gradient to be that of the kernels, parameter by parameter. */
function expectGradient(definition: ModelDefinition, actual: Float32Array, expected: Float32Array): void {
  for (const { name, offset, size } of modelParameters(definition).all) {
    if (size === 0) continue;
    const [a, b] = [actual, expected].map((all) => all.slice(offset, offset + size));
    expect(norm(b), name).toBeGreaterThan(0);
    expect(distance(a, b) / norm(b), name).toBeLessThan(ROUNDED.ofParameter);
  }
}

let tf: TensorFlow;

beforeAll(async () => {
  tf = await selectBackend(() => {});
});

describe.each(Object.entries(DEFINITIONS))('TensorFlow.js engine, %s', (_, definition) => {
  const weights = perturbed(definition);
  const crops: Crop[] = [9, 12, 9].map((side, i) => ({ side, samples: samplesOf(side, side, definition.channels, i) }));

  it('has the loss and the gradients of the kernels', async () => {
    const engine = new TfjsEngine(tf, definition);
    const { nats, gradient } = await engine.evaluate(weights, crops, true);
    const likelihood = await Likelihood.create(definition);
    likelihood.load(weights);
    let expected = 0;
    for (const crop of crops) expected += likelihood.evaluate(crop.samples, cropShape(crop), true);
    expect(Math.abs(nats / expected - 1)).toBeLessThan(ROUNDED.nats);
    expectGradient(definition, gradient, likelihood.gradient());
    expect(distance(gradient, likelihood.gradient()) / norm(gradient)).toBeLessThan(ROUNDED.gradient);
  });

  it('agrees on tiles that lack lattices', async () => {
    const engine = new TfjsEngine(tf, definition);
    const likelihood = await Likelihood.create(definition);
    for (const [height, width] of [
      [1, 7],
      [6, 1],
      [5, 10],
    ]) {
      const samples = samplesOf(height, width, definition.channels, 5);
      const { nats, gradient } = await engine.evaluateTiles(weights, [samples], height, width, true);
      likelihood.load(weights);
      const expected = likelihood.evaluate(samples, { width, height, depth: 8 }, true);
      expect(Math.abs(nats / expected - 1)).toBeLessThan(ROUNDED.nats);
      expect(distance(gradient, likelihood.gradient()) / norm(gradient)).toBeLessThan(ROUNDED.gradient);
    }
  });

  it('has the gradient of its loss by finite differences', { timeout: 60000 }, async () => {
    const engine = new TfjsEngine(tf, definition);
    const random = new Random(11);
    const checked = modelParameters(definition).all.filter(({ name, size }) => size > 0 && CHECKED.test(name));
    const TOLERANCE = 0.02;
    const errors = new Map(checked.map(({ name }): [string, number[]] => [name, []]));
    for (const start of [1, 2, 3].map((seed) => perturbed(definition, seed))) {
      const loss = async (weights: Float32Array) => (await engine.evaluate(weights, [crops[0]], false)).nats;
      const { gradient } = await engine.evaluate(start, [crops[0]], true);
      for (const { name, offset, size } of checked) {
        const found = errors.get(name)!;
        // A third start changes nothing where two agree.
        if (found.length === 2 && found.every((error) => error < TOLERANCE)) continue;
        // Along a direction near the parameter's own gradient, where rounding of the loss matters least.
        const own = gradient.slice(offset, offset + size);
        const direction = own.map((g) => g / norm(own) + (0.3 * random.normal()) / Math.sqrt(size));
        const slope = direction.reduce((sum, d, i) => sum + d * own[i], 0);
        const step = Math.min(3e-3, 0.01 / Math.abs(slope));
        const [ahead, behind] = [start.slice(), start.slice()];
        for (const [i, d] of direction.entries()) {
          ahead[offset + i] += step * d;
          behind[offset + i] -= step * d;
        }
        const difference = ((await loss(ahead)) - (await loss(behind))) / (2 * step);
        found.push(Math.abs(difference / slope - 1));
      }
    }
    // One of the three may meet a kink: a ReLU's, or a bound's.
    for (const [name, all] of errors) {
      expect(all.sort((a, b) => a - b)[1], name).toBeLessThan(TOLERANCE);
    }
  });

  it('leaves no tensors behind', async () => {
    const engine = new TfjsEngine(tf, definition);
    const { numTensors } = tf.memory();
    await engine.evaluate(weights, crops, true);
    await engine.evaluate(weights, crops, false);
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});

it('computes a large batch in parts', { timeout: 60000 }, async () => {
  const definition = DEFINITIONS['gray, four logistics'];
  const engine = new TfjsEngine(tf, definition);
  const weights = perturbed(definition);
  const crops: Crop[] = [0, 1].map((i) => ({ side: 130, samples: samplesOf(130, 130, 1, i) }));
  const whole = await engine.evaluate(weights, crops, true);
  const first = await engine.evaluate(weights, [crops[0]], true);
  const second = await engine.evaluate(weights, [crops[1]], true);
  expect(whole.nats).toBe(first.nats + second.nats);
  expect(whole.gradient).toEqual(first.gradient.map((g, i) => g + second.gradient[i]));
});

describe('selectBackend', () => {
  async function linesOf(importer: (name: string) => Promise<unknown>): Promise<string[]> {
    const lines: string[] = [];
    const selected = await selectBackend((line) => lines.push(line), importer);
    expect(selected.getBackend()).toBe('wasm');
    return lines;
  }

  it('goes on in silence when the GPU package is not installed', async () => {
    const missing = new Error("Cannot find package '@tensorflow/tfjs-node-gpu' imported from backend.js");
    expect(await linesOf(() => Promise.reject(Object.assign(missing, { code: 'ERR_MODULE_NOT_FOUND' })))).toEqual([]);
  });

  it('says in one line that the GPU package cannot be loaded', async () => {
    const lines = await linesOf(() => Promise.reject(new Error('no native addon at /x.\nPlease rebuild.\nOr not.')));
    expect(lines).toEqual([
      '@tensorflow/tfjs-node-gpu is installed but cannot be loaded (no native addon at /x.); going on without it',
    ]);
  });

  it('says in one line that there is no GPU', async () => {
    const lines = await linesOf(async () => ({ ready: async () => {}, backend: () => ({ isUsingGpuDevice: false }) }));
    expect(lines).toEqual(['@tensorflow/tfjs-node-gpu is installed but finds no GPU; going on without it']);
  });

  it('takes the GPU package where it has one', async () => {
    const gpu = { ready: async () => {}, backend: () => ({ isUsingGpuDevice: true }) };
    expect(
      await selectBackend(
        () => {},
        async () => ({ default: gpu }),
      ),
    ).toBe(gpu);
  });
});
