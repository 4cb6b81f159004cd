import { expect, test } from 'vitest';
import type { ModelDefinition } from '../models/definition.js';
import { randomIntegers } from '../src/fuzz/random-bytes.js';
import { KernelSite } from './kernel-site.js';

const HIDDEN = 8;

function definition(channels: 1 | 3, sweeps: number, tied: boolean): ModelDefinition {
  const context = { width: 8, blocks: [0, 0, 0], expand: 1, separate: 0, carry: 8, levels: 1 } as const;
  return { ...context, channels, mixtures: 1, hidden: HIDDEN, sweeps, tied };
}

/** A site whose field and head are random, the field's time bias a smooth function of t in the middle of each sweep. */
async function randomSite(channels: 1 | 3, sweeps: number, tied: boolean, strength: number): Promise<KernelSite> {
  const site = await KernelSite.create(definition(channels, sweeps, tied));
  const random = randomIntegers(channels * 100 + 7);
  const centred = () => random(20001) / 10000 - 1;
  const sets = tied ? 1 : sweeps;
  const fill = (name: string, size: number) => {
    const values = site.parameter(name, size);
    for (let i = 0; i < size; i++) values[i] = strength * centred();
  };
  fill('field.others', sets * channels * (channels - 1) * HIDDEN);
  fill('field.a', sets * channels * HIDDEN);
  fill('field.b', sets * channels * HIDDEN);
  const phases = Array.from({ length: channels * HIDDEN }, centred);
  const bias = site.parameter('field.bias', sweeps * channels * HIDDEN);
  for (let n = 0; n < sweeps; n++) {
    const t = (n + 0.5) / sweeps;
    for (const [i, phase] of phases.entries()) bias[n * phases.length + i] = Math.sin(3 * t + 5 * phase);
  }
  const { head } = site;
  for (let i = 0; i < head.length; i++) head[i] = centred();
  for (let k = 0; k < channels; k++) site.setLocal(k, 100 + 20 * centred(), Math.exp(1.2));
  return site;
}

/** The sites' integer states before the flow: y on a grid of 1/64, relative to the location's integer part. */
function flow(site: KernelSite, address: number, forward: boolean): void {
  site.kernels.run.flowSite(site.row, address, site.local, forward);
}

test.each([
  [1, 1, true],
  [1, 4, false],
  [3, 1, true],
  [3, 3, true],
  [3, 4, false],
] as const)(
  '%i coordinates, %i sweeps, tied %s: the flow backward undoes it forward, bit for bit',
  async (channels, sweeps, tied) => {
    const site = await randomSite(channels, sweeps, tied, 2);
    site.openStack(4096, 1);
    const address = site.kernels.alloc(16);
    const random = randomIntegers(3);
    const extremes = [0, 1, -1, 63, -64, 32767, -32768, 65535, -65536];
    for (let i = 0; i < 3000; i++) {
      const y = Array.from({ length: channels }, () =>
        i < 100 ? extremes[random(extremes.length)] : random(8001) - 4000,
      );
      const state = new Int32Array(site.kernels.run.memory.buffer, address, channels);
      state.set(y);
      const before = site.state();
      flow(site, address, true);
      flow(site, address, false);
      expect([...state]).toEqual(y);
      expect(site.state()).toEqual(before);
    }
  },
);

test.each([8, 12, 16])('%i bits: the flow is a bijection at the bounds of its inputs', async (depth) => {
  const bound = 2 ** 20;
  for (const [channels, sweeps] of [
    [1, 1],
    [3, 1],
    [3, 16],
  ] as const) {
    const site = await randomSite(channels, sweeps, false, bound);
    site.kernels.run.depthOpen(depth);
    site.openStack(1 << 16, 1);
    const address = site.kernels.alloc(16);
    const random = randomIntegers(depth + sweeps);
    const farthest = (2 ** depth + 8 * 2 ** depth) * 64;
    for (let i = 0; i < 2000; i++) {
      const { head } = site;
      for (let j = 0; j < head.length; j++) head[j] = [bound, -bound, 0, random(200) / 100 - 1][random(4)];
      for (let k = 0; k < channels; k++) site.setLocal(k, (random(3) - 1) * 2 ** depth, [0.25, 2 ** depth][random(2)]);
      const y = Array.from({ length: channels }, () =>
        random(2) ? (random(2) ? farthest - 1 : -farthest) : random(2 * farthest) - farthest,
      );
      const state = new Int32Array(site.kernels.run.memory.buffer, address, channels);
      state.set(y);
      const before = site.state();
      flow(site, address, true);
      expect(site.state()[3]).toBe(0);
      flow(site, address, false);
      expect([...state]).toEqual(y);
      expect(site.state()).toEqual(before);
    }
  }
});

const sigmoidless = (x: number) => x / (1 + Math.abs(x));
const bounded = (x: number, bound: number) => x / (1 + Math.abs(x) / bound);

/** The flow's continuous map in float64, from the normalised state on, with `sweeps` sweeps; tied weights. */
function continuousFlow(
  site: KernelSite,
  start: readonly number[],
  sweeps: number,
  bias: (n: number, i: number) => number,
) {
  const { head, layout } = site;
  const others = site.parameter('field.others', 6 * HIDDEN);
  const [a, b] = [site.parameter('field.a', 3 * HIDDEN), site.parameter('field.b', 3 * HIDDEN)];
  const z = [...start];
  z[1] += bounded(head[layout.shear], 4) * z[0];
  z[2] += bounded(head[layout.shear + 1], 4) * z[0] + bounded(head[layout.shear + 2], 4) * z[1];
  let logDet = 0;
  for (let n = 0; n < sweeps; n++) {
    for (const k of n % 2 ? [2, 1, 0] : [0, 1, 2]) {
      let [rawA, rawB] = [0, 0];
      const known = [0, 1, 2].filter((o) => o !== k).map((o) => Math.max(-8, Math.min(8, z[o])));
      for (let j = 0; j < HIDDEN; j++) {
        const input = head[layout.projection + k * HIDDEN + j] + bias(n, k * HIDDEN + j);
        const v = sigmoidless(
          input + known[0] * others[2 * k * HIDDEN + j] + known[1] * others[(2 * k + 1) * HIDDEN + j],
        );
        rawA += v * a[k * HIDDEN + j];
        rawB += v * b[k * HIDDEN + j];
      }
      const alpha = bounded(rawA, 2.4) / sweeps;
      z[k] = z[k] * Math.exp(alpha) + (rawB / sweeps) * (Math.expm1(alpha) / alpha);
      logDet += alpha;
    }
  }
  return { z, logDet };
}

/** Runs the integer flow from many states; returns the mean distance to the continuous one, and both sides' bits. */
async function compare(sweeps: number, reference: number) {
  const site = await randomSite(3, sweeps, true, 1);
  const bias = site.parameter('field.bias', sweeps * 3 * HIDDEN).slice();
  const coded = (n: number, i: number) => bias[n * 3 * HIDDEN + i];
  const random = randomIntegers(5);
  const centred = () => random(20001) / 10000 - 1;
  // The same smooth time bias as `randomSite` gives its sweeps, at any number of them.
  const generator = randomIntegers(307);
  const skip = 6 * HIDDEN + 2 * 3 * HIDDEN;
  for (let i = 0; i < skip; i++) generator(20001);
  const phase = Array.from({ length: 3 * HIDDEN }, () => generator(20001) / 10000 - 1);
  const smooth = (n: number, i: number) => Math.sin((3 * (n + 0.5)) / reference + 5 * phase[i]);
  const address = site.kernels.alloc(16);
  let [distance, stackBits, logDetBits] = [0, 0, 0];
  const count = 1500;
  site.openStack(1 << 16, 2);
  for (let i = 0; i < count; i++) {
    const samples = [0, 1, 2].map(() => Math.round(320 * centred()));
    const state = new Int32Array(site.kernels.run.memory.buffer, address, 3);
    state.set(samples);
    const start = samples.map((y, k) => {
      const { mean, logScale } = site.normalisation(k);
      const scale = Math.exp(logScale);
      logDetBits += Math.log2(scale / 4);
      return ((y + 0.5) / 64 - (mean - Math.floor(mean))) / scale;
    });
    const before = site.bits();
    flow(site, address, true);
    stackBits += site.bits() - before;
    const own = continuousFlow(site, start, sweeps, coded);
    logDetBits -= own.logDet / Math.LN2;
    const exact = reference === sweeps ? own : continuousFlow(site, start, reference, smooth);
    for (let k = 0; k < 3; k++) distance += Math.abs((state[k] + 0.5) / 256 - exact.z[k]);
  }
  return { distance: distance / count / 3, stackBits, logDetBits };
}

test('what the flow takes from the stack is its log-determinant, and its state is the continuous one but for rounding', async () => {
  for (const sweeps of [1, 2, 3, 4]) {
    const { distance, stackBits, logDetBits } = await compare(sweeps, sweeps);
    expect(Math.abs(stackBits / logDetBits - 1)).toBeLessThan(2e-3);
    expect(distance).toBeLessThan(4 / 256);
  }
});

test('refining the sweeps converges to the ODE with order 2: alternating sweeps make symmetric steps', async () => {
  const errors = [];
  for (const sweeps of [2, 4, 8]) errors.push((await compare(sweeps, 64)).distance);
  // Rounding to the grid adds some thousandths to each.
  expect(errors[0] / errors[1]).toBeGreaterThan(2.8);
  expect(errors[0]).toBeGreaterThan(errors[1]);
  expect(errors[1]).toBeGreaterThan(errors[2]);
});
