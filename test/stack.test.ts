import { expect, test } from 'vitest';
import type { ModelDefinition } from '../models/definition.js';
import { randomIntegers } from '../src/fuzz/random-bytes.js';
import { KernelSite } from './kernel-site.js';

const definition: ModelDefinition = {
  channels: 3,
  width: 8,
  blocks: [0, 0, 0],
  expand: 1,
  separate: 0,
  carry: 8,
  levels: 1,
  mixtures: 3,
  hidden: 4,
  sweeps: 1,
  tied: true,
};

/** One thing on the stack: pushing it, and popping it again as a value to compare. */
interface Item {
  push(): void;
  pop(): number;
  value: number;
}

const site = await KernelSite.create(definition);
const { run } = site.kernels;

/** Sets the site's raw head outputs at random, up to `range` either way. */
function randomize(random: (below: number) => number, range: number): void {
  const { head } = site;
  for (let i = 0; i < head.length; i++) head[i] = (random(20001) / 10000 - 1) * range;
  for (let k = 0; k < 3; k++) site.setLocal(k, random(1024) / 4, 0.25 + random(256) / 16);
}

function uniform(value: number, range: number): Item {
  return { value, push: () => run.pushUniform(value, range), pop: () => run.popUniform(range) };
}

function symbol(k: number, z: number): Item {
  return { value: z, push: () => run.pushSymbol(site.row, k, z), pop: () => run.popSymbol(site.row, k) };
}

function bin(k: number, x: number, u: number): Item {
  return {
    value: u,
    push: () => run.pushBin(site.row, x, site.local, k, u),
    pop: () => run.popBin(site.row, x, site.local, k),
  };
}

/** A slot range of 2^bits, popped by its owner's bounds. */
function slots(start: number, frequency: number, bits: number): Item {
  const pop = () => {
    const slot = run.peek(bits) >>> 0;
    run.pop(start, frequency, bits);
    return slot >= start && slot < start + frequency ? start : -1;
  };
  return { value: start, push: () => run.push(start, frequency, bits), pop };
}

function expectUndone(items: readonly Item[]): void {
  const before = site.state();
  for (const item of items) item.push();
  for (const item of [...items].reverse()) if (item.pop() !== item.value) expect(item.pop).toBe(item.value);
  expect(site.state()).toEqual(before);
}

test('popping undoes pushing: uniform symbols of every kind of range', () => {
  const random = randomIntegers(1);
  site.openStack(1 << 21, 1);
  const edges = [1, 2, 3, 255, 256, 257, 4095, 4097, 65535, 65537, (1 << 18) - 1, (1 << 24) - 1, 1 << 24];
  const items = edges.flatMap((range) => [0, range >> 1, range - 1].map((value) => uniform(value, range)));
  for (let i = 0; i < 200_000; i++) {
    const range = 1 + random(1 << (1 + random(24)));
    items.push(uniform(random(range), range));
  }
  expectUndone(items);
});

test('popping undoes pushing: extreme frequencies', () => {
  const random = randomIntegers(2);
  site.openStack(1 << 20, 2);
  const items: Item[] = [];
  for (const bits of [1, 8, 16, 24, 31, 32]) {
    const total = 2 ** bits;
    for (let i = 0; i < 2000; i++) {
      items.push(slots(0, 1, bits), slots(total - 1, 1, bits), slots(0, total - 1, bits), slots(1, total - 1, bits));
      const start = random(total - 1);
      items.push(slots(start, 1 + random(total - start - 1), bits));
    }
  }
  expectUndone(items);
});

test.each([0.1, 3, 1000])(
  'popping undoes pushing: symbols, escapes and bins at random sites (raw outputs within %f)',
  (range) => {
    const random = randomIntegers(range);
    site.openStack(1 << 16, 3);
    for (let i = 0; i < 400; i++) {
      randomize(random, range);
      const k = random(3);
      const items = [-4097, -4096, -4095, 4095, 4096, -(2 ** 20), 2 ** 24, 2 ** 29, -(2 ** 31), 2 ** 31 - 1].map((z) =>
        symbol(k, z),
      );
      for (let j = 0; j < 40; j++) {
        items.push(symbol(k, random(8192) - 4096), symbol(k, random(256) - 128));
        items.push(bin(k, random(767) - 255, random(64)), uniform(random(77), 77));
      }
      expectUndone(items);
    }
  },
);

test('pushing undoes popping: bits that were never pushed', () => {
  const random = randomIntegers(4);
  site.openStack(1 << 16, 4);
  for (let i = 0; i < 300; i++) {
    randomize(random, 4);
    const before = site.state();
    const undo: (() => void)[] = [];
    for (let j = 0; j < 20; j++) {
      const k = random(3);
      const x = random(511) - 255;
      const u = run.popBin(site.row, x, site.local, k);
      const z = run.popSymbol(site.row, k);
      const range = 1 + random(5000);
      const value = run.popUniform(range);
      undo.push(() => {
        run.pushUniform(value, range);
        run.pushSymbol(site.row, k, z);
        run.pushBin(site.row, x, site.local, k, u);
      });
    }
    for (const push of undo.reverse()) push();
    expect(site.state()).toEqual(before);
  }
});

test('millions of operations, then back to the start', () => {
  site.openStack(1 << 22, 5);
  const before = site.state();
  const count = 2_000_000;
  const random = randomIntegers(5);
  const ranges = Uint32Array.from({ length: count }, () => 1 + random(60000));
  const values = ranges.map((range) => random(range));
  for (let i = 0; i < count; i++) run.pushUniform(values[i], ranges[i]);
  let wrong = 0;
  for (let i = count - 1; i >= 0; i--) if (run.popUniform(ranges[i]) !== values[i]) wrong++;
  expect(wrong).toBe(0);
  expect(site.state()).toEqual(before);
});

test('an empty stack and a full one are noticed', () => {
  const address = site.kernels.alloc(8);
  run.stackOpen(address, 8, 0, 1, 0);
  run.popUniform(1 << 24);
  expect(run.stackFailed()).toBe(1);
  run.stackOpen(address, 8, 0, 1, 0);
  expect(run.stackFailed()).toBe(0);
  for (let i = 0; i < 6; i++) run.pushUniform(5, 1 << 24);
  expect(run.stackFailed()).toBe(1);
});

/** Bits pushed, relative to what they should be, less 1. */
function excess(push: () => number): number {
  site.openStack(1 << 21, 6);
  const before = site.bits();
  const ideal = push();
  return (site.bits() - before) / ideal - 1;
}

test('code length: uniform symbols take log2 of their range, to 0.01 %', () => {
  const random = randomIntegers(7);
  for (const range of [2, 3, 5, 77, 271, 4096, 5000, 65537, 245000, 1 << 24]) {
    const count = 200_000;
    const relative = excess(() => {
      for (let i = 0; i < count; i++) run.pushUniform(random(range), range);
      return count * Math.log2(range);
    });
    expect(Math.abs(relative), `range ${range}`).toBeLessThan(1e-4);
  }
});

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const bounded = (x: number, bound: number) => x / (1 + Math.abs(x) / bound);

test('code length: base symbols take what their mixture gives them, to 0.01 %', () => {
  const random = randomIntegers(8);
  for (let trial = 0; trial < 5; trial++) {
    randomize(random, 1.5);
    const { layout } = site;
    const head = site.head.slice();
    const raw = (first: number, i: number) => head[first + i];
    const total = [0, 1, 2].reduce((sum, i) => sum + Math.exp(raw(layout.mixLogit, i)), 0);
    const cumulative = (z: number) =>
      [0, 1, 2].reduce((sum, i) => {
        const scale = Math.exp(bounded(raw(layout.mixLogScale, i), 3.5));
        const part = sigmoid((z - bounded(raw(layout.mixMean, i), 12)) / scale);
        return sum + (Math.exp(raw(layout.mixLogit, i)) / total) * part;
      }, 0);
    // One slot of 2^24 for every symbol, 4096 for the escape, the rest by the mixture.
    const edge = (i: number) => (i <= 0 ? 0 : i >= 8192 ? 1 : cumulative((i - 4096) / 256));
    const probability = (i: number) => ((edge(i + 1) - edge(i)) * (2 ** 24 - 4096 - 8192) + 1) / 2 ** 24;
    const relative = excess(() => {
      let ideal = 0;
      for (let n = 0; n < 100_000; n++) {
        // Draw from the mixture itself: the quantile of a uniform number, by bisection.
        const quantile = (random(2 ** 30) + 0.5) / 2 ** 30;
        let [low, high] = [0, 8192];
        while (high - low > 1) {
          const middle = (low + high) >> 1;
          if (edge(middle) <= quantile) low = middle;
          else high = middle;
        }
        run.pushSymbol(site.row, 0, low - 4096);
        ideal -= Math.log2(probability(low));
      }
      return ideal;
    });
    expect(Math.abs(relative)).toBeLessThan(1e-4);
  }
});

test('code length: the bins of a sample take the truncated logistic, to 0.01 %', () => {
  const random = randomIntegers(9);
  for (let trial = 0; trial < 20; trial++) {
    randomize(random, 2);
    const { layout } = site;
    const head = site.head.slice();
    const { mean, logScale } = site.normalisation(0);
    const scale = Math.exp(logScale);
    const centre = mean + scale * bounded(head[layout.binCentre], 4);
    const width = scale * Math.exp(bounded(head[layout.binLogScale], 1));
    const x = Math.round(centre) + random(3) - 1;
    const cumulative = (u: number) => sigmoid((x + u - centre) / width);
    const mass = cumulative(1) - cumulative(0);
    const share = (2 ** 16 - 128) / 2 ** 16;
    let [ideal, spent] = [0, 0];
    for (let u = 0; u < 64; u++) {
      const probability = share * ((cumulative((u + 1) / 64) - cumulative(u / 64)) / mass) + 2 / 2 ** 16;
      site.openStack(64, 10);
      const before = site.bits();
      run.pushBin(site.row, x, site.local, 0, u);
      spent += probability * (site.bits() - before);
      ideal -= probability * Math.log2(probability);
    }
    expect(Math.abs(spent / ideal - 1)).toBeLessThan(1e-4);
  }
});
