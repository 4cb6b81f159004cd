import { expect, test } from 'vitest';
import { augment, type Square } from '../../src/train/augmentation.js';
import { Random } from '../../src/train/random.js';

const SIDE = 16;
const SEEDS = 2000;

function square(channels: 1 | 3, sample: (i: number) => number): Square {
  return { side: SIDE, channels, samples: Float32Array.from({ length: SIDE * SIDE * channels }, (_, i) => sample(i)) };
}

/** Share of the seeds by which a square is changed. */
function changedShare(channels: 1 | 3, sample: (i: number) => number): number {
  let changed = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const own = square(channels, sample);
    augment(own, new Random(seed));
    changed += own.samples.some((value, i) => value !== sample(i)) ? 1 : 0;
  }
  return changed / SEEDS;
}

test('augmented crops are integers of 8 bits, the same by the same seed', () => {
  for (const channels of [1, 3] as const) {
    for (let seed = 0; seed < 200; seed++) {
      const noisy = new Random(1000 + seed);
      const source = square(channels, () => noisy.below(256));
      const [one, other] = [source, source].map((from) => {
        const own = { ...from, samples: from.samples.slice() };
        augment(own, new Random(seed));
        return own.samples;
      });
      expect(one).toEqual(other);
      expect(one.every((value) => Number.isInteger(value) && value >= 0 && value <= 255)).toBe(true);
    }
  }
});

test('as many crops are changed as the shares say', () => {
  const busy = (i: number) => (i * 89 + Math.floor(i / 7) * 31) % 256;
  expect(changedShare(3, busy)).toBeCloseTo(1 - 0.85 * 0.96 * 0.88 * 0.65 * 0.78, 1);
  expect(changedShare(1, busy)).toBeCloseTo(1 - 0.88 * 0.65, 1);
});

test('a flat gray crop stays flat but for noise and casts, at its edges, too', () => {
  const flat = changedShare(3, () => 128);
  expect(flat).toBeGreaterThan(0.3);
  expect(flat).toBeLessThan(1 - 0.85 * 0.65 + 0.03);
  expect(changedShare(1, () => 128)).toBeLessThan(0.35 + 0.03);
});
