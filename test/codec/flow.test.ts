import { expect, test } from 'vitest';
import type { FieldParameters, ModelDefinition } from '../../models/definition.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { KernelSite } from './kernel-site.js';

const HIDDEN = 8;
const BINS = 4096;
const ESCAPE = 2 ** 24 - 4096;
const FIELD: readonly (keyof FieldParameters)[] = ['others', 'a', 'b', 'bias', 'aBias', 'bBias'];

function definition(channels: 1 | 3): ModelDefinition {
  const context = { width: 8, blocks: [0, 0, 0], expand: 1, separate: 0, carry: 8, levels: 1 } as const;
  return { ...context, channels, mixtures: channels === 3 ? 3 : 4, hidden: HIDDEN };
}

/** Fills the sites' heads and the field with random numbers up to `strength`, and the samples with such of their depth. */
function randomize(site: KernelSite, random: (below: number) => number, strength: number, depth: number): void {
  const centred = () => random(20001) / 10000 - 1;
  for (const name of FIELD) {
    const values = site.parameter(name);
    for (let i = 0; i < values.length; i++) values[i] = strength * centred();
  }
  for (let i = 0; i < site.head.length; i++) site.head[i] = strength * centred();
  const { channels } = site.network.definition;
  for (let j = 0; j < site.columns; j++) {
    for (let k = 0; k < channels; k++) {
      site.setLocal(k, random(2 ** depth), Math.exp((depth - 6) * (random(1000) / 1000)), j);
      site.samples[j * channels + k] = random(2 ** (depth + 1)) - 2 ** depth;
    }
  }
}

/** Numbers that weights and activations of a broken model may have. */
const WILD = [0, -0, 1e-30, 1, -1, 1e10, -1e10, 3e38, -3e38, Infinity, -Infinity, NaN];

/** Makes a quarter of the heads' outputs, and with `field` of the field's parameters, what those of a broken model may be. */
function spoil(site: KernelSite, random: (below: number) => number, field: boolean): void {
  for (const values of [site.head, ...(field ? FIELD.map((name) => site.parameter(name)) : [])]) {
    for (let i = 0; i < values.length; i++) if (random(4) === 0) values[i] = WILD[random(WILD.length)];
  }
}

const everyBin = Array.from({ length: BINS + 1 }, (_, bin) => bin);

test.each([
  [1, 8],
  [3, 8],
  [3, 12],
  [1, 16],
  [3, 16],
] as const)(
  '%i coordinates, %i bits: slots of edges strictly increase, whatever the weights',
  async (channels, depth) => {
    const site = await KernelSite.create(definition(channels), depth, 4);
    const random = randomIntegers(channels + depth);
    for (let trial = 0; trial < 60; trial++) {
      randomize(site, random, [0.3, 3, 30, 1e4, 1e12][trial % 5], depth);
      if (trial >= 30) spoil(site, random, trial >= 45);
      site.reload();
      // Of four sites, each in its lane.
      for (let n = 0; n < 4 * channels; n++) {
        const slots = site.slots(n >> 2, everyBin, n & 3);
        expect(slots[0]).toBe(0);
        expect(slots[BINS]).toBe(ESCAPE);
        expect(slots.findIndex((slot, bin) => bin > 0 && slot <= slots[bin - 1])).toBe(-1);
      }
    }
  },
);

const bounded = (x: number, bound: number) => x / (1 + Math.abs(x) / bound);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** The distribution function of coordinate k at y in float64: the ODE integrated by Runge and Kutta's method, not in closed form. */
function reference(site: KernelSite, k: number): (y: number) => number {
  const { head, layout } = site;
  const { mixtures } = site.network.definition;
  const centres: number[] = [];
  const opened = (o: number) => {
    const { mean, logScale } = site.normalisation(o);
    const coefficients = centres.slice(0, o).map((_, i) => bounded(head[layout.shear + (o * (o - 1)) / 2 + i], 4));
    const shear = coefficients.reduce((sum, r, i) => sum + r * centres[i], 0);
    return (y: number) => (y - mean) / Math.exp(logScale) + shear;
  };
  for (let o = 0; o < k; o++) centres.push(opened(o)(site.samples[o] + 0.5));
  const start = opened(k);
  let [a, b] = [site.parameter('aBias')[k], site.parameter('bBias')[k]];
  for (let h = 0; h < HIDDEN; h++) {
    let u = head[layout.projection + k * HIDDEN + h] + site.parameter('bias')[k * HIDDEN + h];
    for (const [o, z] of centres.entries()) {
      const weight = site.parameter('others')[((k * (k - 1)) / 2 + o) * HIDDEN + h];
      u += Math.max(-8, Math.min(8, z)) * weight;
    }
    a += bounded(u, 1) * site.parameter('a')[k * HIDDEN + h];
    b += bounded(u, 1) * site.parameter('b')[k * HIDDEN + h];
  }
  const field = (z: number) => bounded(a, 2.4) * z + b;
  const logits = head.slice(layout.mixLogit + k * mixtures, layout.mixLogit + (k + 1) * mixtures).map(Math.exp);
  const total = logits.reduce((sum, value) => sum + value, 0);
  return (y) => {
    let z = start(y);
    const h = 1 / 64;
    for (let n = 0; n < 64; n++) {
      const k1 = field(z);
      const k2 = field(z + (h / 2) * k1);
      const k3 = field(z + (h / 2) * k2);
      const k4 = field(z + h * k3);
      z += (h / 6) * (k1 + 2 * k2 + 2 * k3 + k4);
    }
    return Array.from(logits).reduce((sum, weight, i) => {
      const middle = bounded(head[layout.mixMean + k * mixtures + i], 12);
      const scale = Math.exp(bounded(head[layout.mixLogScale + k * mixtures + i], 3.5));
      return sum + (weight / total) * sigmoid((z - middle) / scale);
    }, 0);
  };
}

test.each([1, 3] as const)('%i coordinates: bins hold what the ODE brings between their edges', async (channels) => {
  const site = await KernelSite.create(definition(channels));
  const random = randomIntegers(channels);
  for (let trial = 0; trial < 40; trial++) {
    randomize(site, random, 1, 8);
    for (let k = 0; k < channels; k++) site.samples[k] = site.normalisation(k).mean + random(40) - 20;
    for (let k = 0; k < channels; k++) {
      const first = Math.floor(site.normalisation(k).mean) - BINS / 2;
      const distribution = reference(site, k);
      const bins = Array.from({ length: 200 }, (_, i) => BINS / 2 - 100 + i);
      for (const [i, slot] of site.slots(k, bins).entries()) {
        const share = (slot - bins[i]) / (ESCAPE - BINS);
        expect(Math.abs(share - distribution(first + bins[i]))).toBeLessThan(3e-5);
      }
    }
  }
});

test.each([8, 12, 16])('%i bits: samples anywhere come back, in the window and behind the escape', async (depth) => {
  const site = await KernelSite.create(definition(3), depth);
  const random = randomIntegers(depth);
  const extremes = [0, 1, -1, 2 ** depth - 1, -(2 ** depth), 2 ** (depth - 1)];
  const any = () => (random(2) ? extremes[random(extremes.length)] : random(2 ** (depth + 1)) - 2 ** depth);
  for (let trial = 0; trial < 2000; trial++) {
    randomize(site, random, [0.5, 3, 1e3, 1e12][trial % 4], depth);
    const samples = [any(), any(), any()];
    site.openStack(64, trial);
    const before = site.state();
    site.samples.set(samples);
    site.push();
    site.samples.fill(0);
    site.pop();
    expect([...site.samples]).toEqual(samples);
    expect(site.state()).toEqual(before);
  }
});

test.each([
  [1, 8],
  [3, 8],
  [1, 16],
  [3, 16],
] as const)(
  '%i coordinates, %i bits: rows of any length come back, by one state and by four',
  async (channels, depth) => {
    const random = randomIntegers(channels + depth);
    for (const columns of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      const site = await KernelSite.create(definition(channels), depth, columns);
      for (let trial = 0; trial < 60; trial++) {
        // Samples are anywhere, mostly behind the escape; every second trial has half of them near the means.
        randomize(site, random, [0.5, 3, 1e3, 1e12][trial % 4], depth);
        const near = trial % 2 === 0;
        for (let n = 0; near && n < columns * channels; n++) {
          if (random(2)) continue;
          const mean = random(2 ** (depth - 1));
          site.setLocal(n % channels, mean, 4, Math.floor(n / channels));
          site.samples[n] = mean + random(30) - 15;
        }
        if (trial >= 30) spoil(site, random, trial >= 45);
        site.reload();
        const samples = [...site.samples];
        for (const states of [1, 4]) {
          site.openStack(512, trial, states);
          const before = site.state(states);
          site.samples.set(samples);
          site.push();
          site.samples.fill(0);
          site.pop();
          expect([...site.samples]).toEqual(samples);
          expect(site.state(states)).toEqual(before);
        }
      }
    }
  },
);
