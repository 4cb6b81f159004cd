import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { mlp } from '../../models/fields/mlp.js';
import { Weights } from '../../models/fields/weights.js';
import { assignment } from '../../src/cnf/assignment.js';
import { standardNormal } from '../../src/cnf/base.js';
import { fitVelocity } from '../../src/cnf/fit.js';
import { selectBackend } from '../../src/train/backend.js';
import { Random } from '../../src/train/random.js';

beforeAll(async () => {
  await selectBackend(() => {});
});

/** The least cost of all permutations. */
function least(cost: readonly number[][], row = 0, taken = new Set<number>()): number {
  if (row === cost.length) return 0;
  const free = cost.map((_, column) => column).filter((column) => !taken.has(column));
  return Math.min(...free.map((column) => cost[row][column] + least(cost, row + 1, new Set([...taken, column]))));
}

test('an assignment has the least cost of all permutations', () => {
  const random = new Random(3);
  for (let round = 0; round < 200; round++) {
    const n = 1 + random.below(6);
    // Few values, so that there are ties; of either sign.
    const cost = Array.from({ length: n }, () =>
      Array.from({ length: n }, () => random.below(7) - 3 + (round % 2) * random.normal()),
    );
    const columns = assignment(cost.flat());
    expect([...columns].sort()).toEqual(cost.map((_, i) => i));
    expect([...columns].reduce((sum, column, row) => sum + cost[row][column], 0)).toBeCloseTo(least(cost), 9);
  }
  expect(assignment([])).toHaveLength(0);
});

test('costs that are no square, or not finite, are refused', () => {
  expect(() => assignment([1, 2, 3])).toThrow('3 costs are no square');
  expect(() => assignment([1, Number.NaN, 2, 3])).toThrow('not finite');
});

test('pairing by optimal transport leaves less of the velocity unexplained', () => {
  const left = (pairing: 'independent' | 'optimal') => {
    const random = new Random(5);
    const weights = new Weights(random);
    const field = mlp(weights, { dimension: 2, hidden: [16], time: 'concatenated' });
    const batch = () => tf.tensor2d(Array.from({ length: 64 }, () => [random.below(2) * 4 - 2, 0.3 * random.normal()]));
    const losses = fitVelocity(field, standardNormal(2), { weights, batch, steps: 60, rate: 0.02, pairing }, random);
    return losses.slice(-20).reduce((sum, loss) => sum + loss) / 20;
  };
  expect(left('optimal')).toBeLessThan(0.8 * left('independent'));
});
