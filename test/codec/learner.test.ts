import { expect, test } from 'vitest';
import { type Learned, Learner, LearningArray } from '../../codec/flow/learner.js';
import { ParameterArray } from '../../codec/flow/parameter-array.js';
import { Kernels } from '../../codec/kernels/kernels.js';
import { Operations } from '../../codec/kernels/operations.js';
import { headLayout, type ModelDefinition } from '../../models/definition.js';
import { DEFINITIONS } from '../../models/shipped.js';
import { Random } from '../../src/train/random.js';

const kernels = await Kernels.create();
const COLUMNS = 8;
const COUNT = 5 * COLUMNS;

/** A learner of `COUNT` weights, and what it learns. */
function learnerOf(learned: Partial<Learned>): { array: LearningArray; learner: Learner } {
  const array = new LearningArray(new ParameterArray(kernels, COUNT));
  array.weights.values.fill(1);
  return { array, learner: new Learner(array, { from: 0, count: COUNT, rate: 0.01, least: 10, ...learned }) };
}

function relativeRates(rates: readonly number[]): NonNullable<Learned['relative']> {
  const row = new Operations(kernels).vectors(1, COLUMNS);
  kernels.floats(row.address, COLUMNS).set(rates);
  return row;
}

test('steps are those of Adam in float64, in each column at its own rate', () => {
  const relative = [1, 0.1, 6, 3, 2, 0, 1, 0.5];
  const { array, learner } = learnerOf({ relative: relativeRates(relative) });
  const random = new Random(3);
  const [weights, first, second] = [1, 0, 0].map((value) => Array<number>(COUNT).fill(value));
  for (let step = 1; step <= 40; step++) {
    const sites = 10 + (step % 7);
    const gradient = Float32Array.from({ length: COUNT }, () => random.uniform() - 0.4);
    array.gradients.values.set(gradient);
    expect(learner.learn(sites)).toBe(true);
    for (const [i, sum] of gradient.entries()) {
      const g = sum / sites;
      first[i] += 0.5 * (g - first[i]);
      second[i] += 0.05 * (g * g - second[i]);
      const [m, v] = [first[i] / (1 - 0.5 ** step), second[i] / (1 - 0.95 ** step)];
      weights[i] -= (0.01 * relative[i % COLUMNS] * m) / Math.sqrt(v);
    }
  }
  for (const [i, weight] of array.weights.values.entries()) {
    if (relative[i % COLUMNS] === 0) expect(weight).toBe(1);
    else expect(Math.abs(weight - weights[i])).toBeLessThan(2e-5);
  }
  expect([...array.gradients.values]).toEqual(Array(COUNT).fill(0));
});

test('relative rates of 1 are none; a step waits for its sites; what was learned from is added up', () => {
  const total = new ParameterArray(kernels, COUNT);
  const plain = learnerOf({ total });
  const ones = learnerOf({ relative: relativeRates(Array(COLUMNS).fill(1)) });
  const sum = new Float32Array(COUNT);
  for (let run = 0; run < 6; run++) {
    for (const { array } of [plain, ones]) {
      for (let i = 0; i < COUNT; i++) array.gradients.values[i] += i - 17 + run;
    }
    for (let i = 0; i < COUNT; i++) sum[i] += i - 17 + run;
    const before = plain.array.weights.values.slice();
    const stepped = plain.learner.learn(4);
    expect(ones.learner.learn(4)).toBe(stepped);
    // Of 10 sites at least every third run of 4 takes a step.
    expect(stepped).toBe(run % 3 === 2);
    if (!stepped) expect(plain.array.weights.values).toEqual(before);
  }
  expect(ones.array.weights.values).toEqual(plain.array.weights.values);
  expect(total.values).toEqual(sum);
  plain.array.gradients.values.fill(1);
  plain.learner.learn(1);
  const before = plain.array.weights.values.slice();
  plain.learner.finish();
  expect(plain.array.weights.values).not.toEqual(before);
  const after = plain.array.weights.values.slice();
  plain.learner.finish();
  expect(plain.array.weights.values).toEqual(after);
});

test.each<[string, ModelDefinition]>([
  ['colour', DEFINITIONS.default],
  ['gray', DEFINITIONS.gray],
])('outputs of a head of one kind have one rate: %s', (_, definition) => {
  const layout = headLayout(definition);
  const { channels, mixtures, hidden } = definition;
  const address = kernels.alloc(4 * layout.size);
  kernels.run.headRates(address, channels, mixtures, layout.size);
  const rates = kernels.floats(address, layout.size);
  const rateOf = (from: number, to: number) => {
    const kinds = new Set(rates.subarray(from, to));
    expect(kinds.size).toBe(1);
    return [...kinds][0];
  };
  expect(rateOf(layout.mean, layout.logScale)).toBeLessThan(1);
  expect(rateOf(layout.logScale, layout.mixLogit)).toBe(1);
  const mixture = [layout.mixLogit, layout.mixMean, layout.mixLogScale].map((from) =>
    rateOf(from, from + channels * mixtures),
  );
  expect(new Set([...mixture, 1]).size).toBe(4);
  expect(rateOf(layout.projection, layout.projection + channels * hidden)).toBeGreaterThan(1);
});
