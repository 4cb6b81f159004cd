/**
 * Hutchinson's estimator of the divergence (1990; FFJORD, Grathwohl et al. 2019, section 3.1): e . (J e) has mean tr J. Its variance is
 * 2 |S|_F^2 for Gaussian and 2 (|S|_F^2 - sum_i S_ii^2) for Rademacher noise, S being J's symmetric part; it needs one product where the trace needs D.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../../../models/fields/draws.js';
import { dual } from '../../../models/fields/dual.js';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { logDensities, standardNormal } from '../../cnf/base.js';
import { type DivergenceEstimator, divergenceOf, exactDivergence, hutchinson } from '../../cnf/divergence.js';
import { fitLikelihood } from '../../cnf/fit.js';
import { cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { Random } from '../../train/random.js';
import { atLeast, atMost, type Experiment, near, timed } from '../experiment.js';
import { lines } from '../figures.js';
import { RUNS, repeatedly, spreadOf } from '../spread.js';
import { mean, slope, smoothed, variance } from '../statistics.js';
import { TRAINING } from '../training.js';

const DIMENSION = 16;
const HIDDEN = 64;
const BATCH = 64;
const NOISES = ['rademacher', 'gaussian'] as const;

export const experiment: Experiment = {
  title: 'What does Hutchinson’s estimate of the divergence cost, and how good is it?',
  claim:
    'The estimate is unbiased; its variance falls as 1 over the number of probes and is known in closed form, less for Rademacher than for Gaussian noise. ' +
    'Time and memory grow as O(D) products with one probe and as O(D²) for the exact divergence.',

  async run({ quick, random, log }) {
    const draws = quick ? 4000 : 40_000;
    const dimensions = quick ? [16, 32, 64, 128] : [16, 32, 64, 128, 256, 512];
    const normal = () => random.normal();
    const field = mlp(new Weights(random), { dimension: DIMENSION, hidden: [HIDDEN], time: 'shared', outputGain: 1 });
    const point = Float32Array.from({ length: DIMENSION }, normal);
    const jacobian = scoped(() => {
      const x = tf.tensor2d(point, [1, DIMENSION]);
      return tf
        .reshape<tf.Rank.R2>(field.at(dual(x, exactDivergence(1, DIMENSION).directions), 0).tangents!, [
          DIMENSION,
          DIMENSION,
        ])
        .arraySync();
    });
    const trace = jacobian.reduce((sum, row, i) => sum + row[i], 0);

    /** Estimates at the one point with these probes each. */
    const estimates = (noise: (typeof NOISES)[number], probes: number, count: number) => {
      const found: number[] = [];
      while (found.length < count) {
        found.push(
          ...scoped(() => {
            const rows = Math.min(1000, count - found.length);
            const x = tf.tile(tf.tensor2d(point, [1, DIMENSION]), [rows, 1]);
            const drawn = hutchinson({ noise, probes, draws: random })(rows, DIMENSION);
            return divergenceOf(field.at(dual(x, drawn.directions), 0).tangents!, drawn).dataSync<'float32'>();
          }),
        );
      }
      return found;
    };

    const theory = theoretical(jacobian);
    const single = NOISES.map((noise) => estimates(noise, 1, draws));
    const errors = single.map((values) => Math.abs(mean(values) - trace) / Math.sqrt(variance(values) / draws));
    const ratios = single.map((values, i) => variance(values) / theory[NOISES[i]]);
    const counts = [1, 2, 4, 8, 16, 32];
    const falls = NOISES.map((noise) =>
      counts.map((k): [number, number] => [k, variance(estimates(noise, k, draws / 8))]),
    );

    const costs = dimensions.map((d) => {
      const cost = measureCost(d, random, quick ? 5 : 9);
      log(`D = ${d}: ${cost.map(({ seconds }) => `${(1000 * seconds).toFixed(2)} ms`).join(', ')}`);
      return cost;
    });
    const sizes = quick ? [8] : [2, 8, 32];
    const trained = sizes.map((dimension) => trainBoth(dimension, quick ? 12 : 300, random));
    for (const { dimension, behind, ratio } of trained)
      log(
        `training in ${dimension} dimensions: ${behind.mean.toFixed(3)} nats behind, ${ratio.toFixed(2)} times as long`,
      );
    const largest = trained.at(-1)!;
    const growth = (i: number, key: 'seconds' | 'bytes') =>
      slope(dimensions.map((d, k): [number, number] => [Math.log(d), Math.log(costs[k][i][key])]));
    const logLog = { type: 'log', tickFormat: 'd', ticks: 6 } as const;
    return {
      configuration: {
        field: `MLP on R^${DIMENSION}, ${HIDDEN} hidden units`,
        draws,
        'cost: field': 'MLP on R^D, D hidden units',
        'cost: points': BATCH,
        backend: tf.getBackend(),
      },
      checks: [
        atMost('Rademacher: mean less the trace', errors[0], 4, 'standard errors'),
        atMost('Gaussian: mean less the trace', errors[1], 4, 'standard errors'),
        near('Rademacher: variance over that of theory', ratios[0], 1, quick ? 0.2 : 0.1),
        near('Gaussian: variance over that of theory', ratios[1], 1, quick ? 0.2 : 0.1),
        near(
          'variance falls as probes to the power',
          slope(falls[0].map(([k, v]) => [Math.log(k), Math.log(v)])),
          -1,
          0.15,
        ),
        atLeast('Gaussian variance over Rademacher’s', variance(single[1]) / variance(single[0]), 1),
        near('memory, one probe: grows as D to the power', growth(0, 'bytes'), 1, 0.1),
        near('memory, exact: grows as D to the power', growth(1, 'bytes'), 2, 0.15),
        atMost(
          `training with one probe, behind training with the exact divergence in ${largest.dimension} dimensions`,
          largest.behind,
          0.25,
          'nats per dimension',
        ),
        timed(
          atLeast(
            `training in ${largest.dimension} dimensions: time of a step, exact over one probe`,
            largest.ratio,
            1,
            'times',
          ),
        ),
        timed(
          atLeast(
            'time, exact over one probe, at the largest D',
            costs.at(-1)![1].seconds / costs.at(-1)![0].seconds,
            4,
            'times',
          ),
        ),
      ],
      figures: [
        lines(
          'Variance against number of probes',
          'Of the estimate at one point, both axes logarithmic.',
          {
            x: { label: 'probes', ...logLog },
            y: { label: 'variance of the divergence', type: 'log', tickFormat: '~g', ticks: 5 },
          },
          NOISES.map((name, i) => ({ name, points: falls[i] })),
        ),
        lines(
          `Training in ${largest.dimension} dimensions`,
          'Loss of the first run, means over 5 steps: with the exact divergence, and with one Rademacher probe a point.',
          { x: { label: 'training step' }, y: { label: 'loss, nats per dimension' } },
          ['exact', 'one probe'].map((name, i) => ({ name, points: largest.curves[i] })),
          false,
        ),
        lines(
          'Time against dimension',
          `Of one evaluation of field and divergence at ${BATCH} points, the least of several; both axes logarithmic.`,
          { x: { label: 'D', ...logLog }, y: { label: 'time, ms', type: 'log', tickFormat: '~g', ticks: 5 } },
          ['one probe', 'exact'].map((name, i) => ({
            name,
            points: dimensions.map((d, k): [number, number] => [d, 1000 * costs[k][i].seconds]),
          })),
        ),
        lines(
          'Memory against dimension',
          'Of all tensors that an evaluation makes, which training keeps; both axes logarithmic.',
          { x: { label: 'D', ...logLog }, y: { label: 'memory, MB', type: 'log', tickFormat: '~g', ticks: 5 } },
          ['one probe', 'exact'].map((name, i) => ({
            name,
            points: dimensions.map((d, k): [number, number] => [d, costs[k][i].bytes / 1e6]),
          })),
        ),
      ],
      tables: [
        {
          title: `Training by maximum likelihood: mean ± standard error of ${RUNS} runs, held-out, exact divergence`,
          columns: [
            'D',
            'trained exactly, nats per dimension',
            'trained with one probe',
            'behind by',
            'time of a step, exact over one probe',
          ],
          rows: trained.map(({ dimension, scores, behind, ratio }) => [dimension, ...scores, behind, ratio]),
        },
        {
          title: 'The estimate with one probe',
          columns: ['noise', 'mean', 'trace', 'variance', 'variance in theory'],
          rows: NOISES.map((noise, i) => [noise, mean(single[i]), trace, variance(single[i]), theory[noise]]),
        },
        {
          title: 'Cost',
          columns: ['D', 'one probe, ms', 'exact, ms', 'one probe, MB', 'exact, MB'],
          rows: dimensions.map((d, k) => [
            d,
            ...costs[k].map(({ seconds }) => 1000 * seconds),
            ...costs[k].map(({ bytes }) => bytes / 1e6),
          ]),
        },
      ],
      notes: [
        'The weights of the measured networks grow as D², too, so with few points the time of one probe grows faster than its memory: the claim is about ' +
          'Jacobian products, of which the exact divergence takes D and the estimate one.',
      ],
    };
  },
};

/** The estimator's variance with one probe, from the symmetric part of the Jacobian. */
function theoretical(jacobian: readonly number[][]): Record<(typeof NOISES)[number], number> {
  let [all, diagonal] = [0, 0];
  for (const [i, row] of jacobian.entries()) {
    for (const [j, value] of row.entries()) {
      const symmetric = (value + jacobian[j][i]) / 2;
      all += symmetric ** 2;
      if (i === j) diagonal += symmetric ** 2;
    }
  }
  return { rademacher: 2 * (all - diagonal), gaussian: 2 * all };
}

interface Cost {
  readonly seconds: number;
  /** Of all tensors made on the way. */
  readonly bytes: number;
}

/** Of one evaluation by one probe, and exactly. */
function measureCost(dimension: number, random: Draws, repeats: number): Cost[] {
  return scoped(() => {
    const weights = new Weights(random);
    const field = mlp(weights, { dimension, hidden: [dimension], time: 'shared' });
    const x = tf.tensor2d(
      Float32Array.from({ length: BATCH * dimension }, () => random.normal()),
      [BATCH, dimension],
    );
    const one = hutchinson({ noise: 'rademacher', draws: random });
    const costs = [one, exactDivergence].map((estimator) => leastCost(() => evaluate(estimator), repeats));
    tf.dispose(weights.variables);
    return costs;

    function evaluate(estimator: DivergenceEstimator): void {
      const probes = estimator(BATCH, dimension);
      divergenceOf(field.at(dual(x, probes.directions), 0).tangents!, probes).dataSync();
    }
  });
}

function leastCost(work: () => void, repeats: number): Cost {
  const costs = Array.from({ length: repeats }, () =>
    scoped(() => {
      const before = tf.memory().numBytes;
      const start = performance.now();
      work();
      return { seconds: (performance.now() - start) / 1000, bytes: tf.memory().numBytes - before };
    }),
  );
  return { seconds: Math.min(...costs.map(({ seconds }) => seconds)), bytes: costs[0].bytes };
}

/** Flows trained on the same data by maximum likelihood, with the exact divergence and with one probe. */
function trainBoth(dimension: number, steps: number, random: Random) {
  const base = standardNormal(dimension);
  // Coordinates on two values each with noise, sums of neighbours: neither normal nor independent.
  const sample = (points: number, from: Random) => {
    const values = new Float32Array(points * dimension);
    for (let i = 0; i < values.length; i++) {
      const own = (from.uniform() < 0.5 ? -1 : 1) + 0.4 * from.normal();
      values[i] = i % dimension === 0 ? own : 0.7 * own + 0.7 * values[i - 1];
    }
    return tf.tensor2d(values, [points, dimension]);
  };
  const runs = repeatedly(random, (own) => {
    const held = sample(400, own);
    const found = [exactDivergence, hutchinson({ noise: 'rademacher', draws: own })].map((divergence) => {
      const weights = new Weights(new Random(own.state));
      const field = mlp(weights, { dimension, hidden: [32, 32], time: 'gated' });
      const start = performance.now();
      const batch = () => sample(BATCH, own);
      const losses = fitLikelihood(cnf(field, { ...TRAINING, divergence }), base, {
        weights,
        batch,
        steps,
        rate: 0.01,
      });
      const seconds = (performance.now() - start) / 1000;
      const flow = cnf(field, { method: { solver: rk4, steps: 12 } });
      const score = mean(logDensities(flow, base, held, 100)) / dimension;
      tf.dispose(weights.variables);
      return {
        score,
        seconds,
        curve: smoothed(losses, 5).map(([step, loss]): [number, number] => [step, loss / dimension]),
      };
    });
    held.dispose();
    return found;
  });
  return {
    dimension,
    scores: [0, 1].map((i) => spreadOf(runs, (run) => run[i].score)),
    behind: spreadOf(runs, ([exact, probed]) => exact.score - probed.score),
    ratio: mean(runs.map(([exact, probed]) => exact.seconds / probed.seconds)),
    curves: runs[0].map(({ curve }) => curve),
  };
}
