import { expect, test } from 'vitest';
import type { ModelDefinition } from '../../models/definition.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
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
};

/** One thing on the stack: pushing it, and popping it again as a value to compare. */
interface Item {
  push(): void;
  pop(): number;
  value: number;
}

const site = await KernelSite.create(definition);
const { run } = site.kernels;

function uniform(value: number, range: number): Item {
  return { value, push: () => run.pushUniform(value, range), pop: () => run.popUniform(range) };
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

test('pushing undoes popping: bits that were never pushed', () => {
  const random = randomIntegers(4);
  site.openStack(1 << 16, 4);
  for (let i = 0; i < 300; i++) {
    const before = site.state();
    const undo: (() => void)[] = [];
    for (let j = 0; j < 60; j++) {
      const range = 1 + random(5000);
      const value = run.popUniform(range);
      undo.push(() => run.pushUniform(value, range));
    }
    for (const push of undo.reverse()) push();
    expect(site.state()).toEqual(before);
  }
});

test('bits-back: popping a remainder and pushing its slot is the push of a symbol, bit for bit', () => {
  const random = randomIntegers(5);
  const bits = 24n;
  site.openStack(1 << 12, 5);
  for (let i = 0; i < 2000; i++) {
    const start = random(2 ** 24 - 1);
    const frequency = 1 + random(Math.min(2 ** 24 - start - 1, 2 ** (1 + random(24))));
    const [count, high, low] = site.state();
    let state = (BigInt(high) << 32n) | BigInt(low);
    run.push(start, frequency, Number(bits));
    // Where there is no room for the symbol, a word goes to memory first, in both.
    const spilled = state >> (64n - bits) >= BigInt(frequency);
    if (spilled) state >>= 32n;
    // Dequantize: pop r, uniform in [0, frequency), from the state; then push the slot, uniform in 2^24.
    const r = state % BigInt(frequency);
    state /= BigInt(frequency);
    state = (state << bits) + BigInt(start) + r;
    expect(site.state()).toEqual([count + (spilled ? 1 : 0), Number(state >> 32n), Number(state & 0xffffffffn), 0]);
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
