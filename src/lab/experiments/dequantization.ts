/**
 * A continuous density bounds the probability of integers: log P(x) >= E_q [log p(x + u) - log q(u | x)], by a gap that is the divergence
 * KL(q(u | x) | p(u | x)) (Theis et al. 2016; Ho et al. 2019, Flow++). In the plane P(x), the integral of p over x's cell, is known by quadrature.
 */

import * as Plot from '@observablehq/plot';
import * as tf from '@tensorflow/tfjs-core';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { logDensities, standardLogistic, standardNormal } from '../../cnf/base.js';
import {
  type Dequantizer,
  importanceWeightedBound,
  truncatedLogisticDequantizer,
  uniformDequantizer,
  variationalDequantizer,
} from '../../cnf/dequantization.js';
import { fitLikelihood, fitVelocity } from '../../cnf/fit.js';
import { type Cnf, cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { midpoint } from '../../cnf/solvers/midpoint.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { backpropagate, train } from '../../cnf/train.js';
import type { Random } from '../../train/random.js';
import { PLANAR } from '../data/planar.js';
import { atLeast, atMost, type Experiment, near } from '../experiment.js';
import { colour, type Figure, figure, lines } from '../figures.js';
import { repeatedly, spreadOf } from '../spread.js';
import { mean, smoothed, variance } from '../statistics.js';

/** Cells along a side of the square of side 2 REACH. */
const LEVELS = 8;
const REACH = 3.2;
const CELL = (2 * REACH) / LEVELS;
const HIDDEN = [48, 48, 48];
const BATCH = 192;
const SAMPLES = [1, 2, 4, 8, 16, 32];
const KINDS = ['uniform', 'truncated logistic', 'variational'] as const;

/** Nodes and weights of Gauss-Legendre quadrature on 0 .. 1. */
const NODES = [
  [0.033765242898424, 0.085662246189585],
  [0.169395306766868, 0.180380786524069],
  [0.380690406958402, 0.233956967286346],
  [0.619309593041598, 0.233956967286346],
  [0.830604693233132, 0.180380786524069],
  [0.966234757101576, 0.085662246189585],
];

const base = standardNormal(2);
const units = {
  scaled: (x: tf.Tensor2D): tf.Tensor2D => tf.sub(tf.mul(x, CELL), REACH),
  logUnit: 2 * Math.log(CELL),
};

export const experiment: Experiment = {
  title: 'What does dequantization cost?',
  claim:
    'The bound that dequantization gives is below the exact discrete log-likelihood by the Kullback-Leibler divergence of the noise from the model’s own distribution within ' +
    'the cell. Noise that is learnt closes a good part of the gap that uniform noise leaves; importance weighting closes the rest as samples grow in number.',

  async run({ quick, random, log }) {
    const budget = quick
      ? { flow: 900, noise: 50, test: 400, collapse: 60 }
      : { flow: 3000, noise: 400, test: 3000, collapse: 400 };
    const flow = fitted(budget.flow, random);
    const cells = probabilities(flow);
    const x = integers(budget.test, random);
    const exact = Array.from({ length: budget.test }, (_, i) => Math.log(cells[x[2 * i + 1] * LEVELS + x[2 * i]]));
    const noises = dequantizers(flow, budget.noise, random, log);

    const points = tf.tensor2d(Float32Array.from(x), [budget.test, 2]);
    const bits = (nats: number) => nats / Math.LN2 / 2;
    /** Mean gap of the bound in bits per dimension, and its standard error. */
    const gap = (noise: Dequantizer, samples: number): [number, number] => {
      const bounds = scoped(() => bound(flow, noise, points, samples));
      const gaps = exact.map((value, i) => bits(value - bounds[i]));
      return [mean(gaps), Math.sqrt(variance(gaps) / gaps.length)];
    };
    const gaps = noises.map((noise) => SAMPLES.map((samples) => gap(noise, samples)));
    points.dispose();
    for (const [i, kind] of KINDS.entries()) log(`${kind}: ${gaps[i].map(([g]) => g.toFixed(4)).join(', ')}`);
    const collapse = repeatedly(random, (own) => collapsing(budget.collapse, own));
    const climbed = [0, 1].map((i) => spreadOf(collapse, (curves) => curves[i].at(-1)![1] - curves[i][0][1]));
    log(`without noise ${climbed[0].mean.toFixed(2)} nats more, with noise ${climbed[1].mean.toFixed(2)}`);
    const [uniform, logistic, variational] = gaps.map(([[first]]) => first);
    const lowest = Math.min(...gaps.map(([[first, error]]) => first / error));
    const last = gaps.map((row) => row.at(-1)![0]);
    return {
      configuration: {
        data: `moons, ${LEVELS} x ${LEVELS} cells, ${CELL.toFixed(3)} wide`,
        flow: `MLP, hidden ${HIDDEN.join(' ')}, flow matching on uniformly dequantized data, ${budget.flow} steps`,
        noise: `trained on the bound with the flow held, ${budget.noise} steps of ${BATCH}`,
        'exact likelihood': `Gauss-Legendre, ${2 * NODES.length}² nodes a cell`,
        'held-out points': budget.test,
      },
      checks: [
        near(
          'probabilities of all cells together',
          cells.reduce((a, b) => a + b),
          1,
          0.01,
        ),
        atLeast('gap of every bound over its standard error', lowest, -2),
        atLeast('uniform gap over truncated-logistic gap', uniform / logistic, 1, 'times'),
        atLeast('uniform gap over variational gap', uniform / variational, 1, 'times'),
        atMost(
          `uniform: gap left with ${SAMPLES.at(-1)} importance samples`,
          last[0] / uniform,
          0.35,
          'of the gap with 1',
        ),
        atLeast(
          'without noise: log-density of the integers gained by the second half of training, more than with noise',
          spreadOf(collapse, (curves) => secondHalf(curves[0]) - secondHalf(curves[1])),
          0.1,
          'nats per point',
        ),
        // A quick run ends before.
        ...(quick
          ? []
          : [
              atLeast(
                'without noise: log-density of the integers over all that a probability could be',
                spreadOf(collapse, (curves) => curves[0].at(-1)![1]),
                0,
                'nats per point',
              ),
            ]),
        atMost('variational: gap with the most samples', Math.abs(last[2]), 0.02, 'bits per dim'),
      ],
      figures: [
        lines(
          'Gap of the importance-weighted bound',
          'Exact discrete log-likelihood of the flow less the bound, mean over held-out points.',
          {
            x: { label: 'importance samples K', type: 'log', tickFormat: 'd', ticks: 6 },
            y: { label: 'gap, bits per dim' },
          },
          KINDS.map((name, i) => ({ name, points: SAMPLES.map((k, s) => [k, gaps[i][s][0]]) })),
        ),
        noiseFigure(noises),
        lines(
          'Without noise a density collapses',
          'Mean log-density, per cell, of the integers that a flow is trained on by maximum likelihood, first run: as bare points, and with uniform noise. A probability is at most 1, its logarithm at most 0 (what lies above is no probability).',
          { x: { label: 'training step' }, y: { label: 'log-density per cell, nats per point' } },
          ['bare integers', 'with uniform noise'].map((name, i) => ({ name, points: collapse[0][i] })),
          false,
        ),
      ],
      tables: [
        {
          title: 'Gap in bits per dim (standard error)',
          columns: ['samples K', ...KINDS],
          rows: SAMPLES.map((k, s) => [k, ...gaps.map((row) => `${row[s][0].toFixed(4)} (${row[s][1].toFixed(4)})`)]),
        },
        {
          title: 'Held-out code length in bits per dim, by the same flow',
          columns: ['exact', ...KINDS.map((kind) => `bound, ${kind}`)],
          rows: [[-bits(mean(exact)), ...gaps.map(([[first]]) => first - bits(mean(exact)))]],
        },
      ],
      notes: [
        'All three bounds are of one flow, so that what differs is the noise alone. With importance samples a bound rises to the exact value for any noise; ' +
          'a coder of points pays the bound with K = 1, which is why the noise is learned. (The codec needs none: its flow of one coordinate at a time has the exact probability of a bin.)',
      ],
    };
  },
};

function fitted(steps: number, random: Random): Cnf {
  const weights = new Weights(random);
  const field = mlp(weights, { dimension: 2, hidden: HIDDEN, time: 'gated' });
  const batch = () =>
    units.scaled(
      tf.tensor2d(
        Float32Array.from(integers(BATCH, random), (n) => n + random.uniform()),
        [BATCH, 2],
      ),
    );
  fitVelocity(field, base, { weights, batch, steps, rate: 0.01 }, random);
  return cnf(field, { method: { solver: midpoint, steps: 8 } });
}

/** Cells of points of the set, [points * 2]. */
function integers(points: number, random: Random): Int32Array {
  const cell = (value: number) => Math.min(LEVELS - 1, Math.max(0, Math.floor((value + REACH) / CELL)));
  return Int32Array.from(Array.from({ length: points }, () => PLANAR.moons.sample(random).map(cell)).flat());
}

/** The flow's probability of every cell, row by row. */
function probabilities(flow: Cnf): Float64Array {
  const halves = NODES.flatMap(([u, weight]) => [0, 1].map((half) => [(u + half) / 2, weight / 2]));
  const nodes = halves.flatMap(([u, a]) => halves.map(([v, b]) => ({ u, v, weight: a * b })));
  const points = Array.from({ length: LEVELS ** 2 }, (_, cell) =>
    nodes.map(({ u, v }) => [(cell % LEVELS) + u, Math.floor(cell / LEVELS) + v]),
  ).flat();
  const x = scoped(() => units.scaled(tf.tensor2d(points)).arraySync());
  const logs = logDensities(flow, base, tf.tensor2d(x));
  return new Float64Array(LEVELS ** 2).map((_, cell) =>
    nodes.reduce((sum, { weight }, i) => sum + weight * CELL ** 2 * Math.exp(logs[cell * nodes.length + i]), 0),
  );
}

/** The three kinds of noise, those that learn trained on the bound. */
function dequantizers(flow: Cnf, steps: number, random: Random, log: (line: string) => void): Dequantizer[] {
  const shape = { dimension: 2, hidden: [48, 48], centre: LEVELS / 2, range: LEVELS / 4 };
  const learnt = [
    (weights: Weights) => truncatedLogisticDequantizer(weights, shape, random),
    (weights: Weights) => {
      const field = mlp(weights, { dimension: 2, hidden: [32, 32], time: 'gated', context: 2 });
      const layer = cnf(field, { method: { solver: rk4, steps: 3 } });
      return variationalDequantizer(layer, standardLogistic(2), shape, random);
    },
  ];
  const trained = learnt.map((make) => {
    const weights = new Weights(random);
    const noise = make(weights);
    const { variables } = weights;
    const losses = train({
      variables,
      steps,
      rate: 0.01,
      gradients: () => {
        const x = tf.tensor2d(Float32Array.from(integers(BATCH, random)), [BATCH, 2]);
        const total = () => tf.sum(importanceWeightedBound(flow, base, noise, x, 1, units));
        return backpropagate(variables, () => tf.mul(total(), -1 / BATCH));
      },
    });
    log(`noise trained: ${losses[0].toFixed(3)} -> ${losses.at(-1)!.toFixed(3)} nats`);
    return noise;
  });
  return [uniformDequantizer(random), ...trained];
}

/** The bound of each point in nats, a few points at a time. */
function bound(flow: Cnf, noise: Dequantizer, x: tf.Tensor2D, samples: number): number[] {
  const rows = Math.ceil(2000 / samples);
  const found: number[] = [];
  for (let from = 0; from < x.shape[0]; from += rows) {
    const count = Math.min(rows, x.shape[0] - from);
    const part = () => importanceWeightedBound(flow, base, noise, tf.slice(x, [from, 0], [count, 2]), samples, units);
    found.push(...scoped(() => part().dataSync<'float32'>()));
  }
  return found;
}

/** Where each kind of noise puts the points of some cells. */
function noiseFigure(noises: readonly Dequantizer[]): Figure {
  const [shown, draws] = [[2, 4], 250];
  const cells = Array.from({ length: 4 }, (_, i) => [shown[0] - 1 + i, shown[1] + 1]);
  const marks = noises.flatMap((noise, kind) => {
    const x = cells.flatMap((cell) => Array.from({ length: draws }, () => cell));
    const u = scoped(() => noise(tf.tensor2d(x)).u.arraySync());
    const at = x.map(([column, row], i) => [column + u[i][0] + 5 * kind, row + u[i][1]]);
    return [Plot.dot(at, { x: '0', y: '1', r: 1.1, fill: colour(kind) })];
  });
  const frame = cells.flatMap(([column, row]) => KINDS.map((_, kind) => ({ x: column + 5 * kind, y: row })));
  const outline = Plot.rect(frame, {
    x1: 'x',
    x2: (d: { x: number }) => d.x + 1,
    y1: 'y',
    y2: (d: { y: number }) => d.y + 1,
    stroke: '#888',
    fill: 'none',
  });
  return figure(
    'The noise in four neighbouring cells',
    `${draws} draws for each cell of row ${cells[0][1]}, columns ${cells[0][0]} to ${cells[3][0]}, by each kind of noise; the panels stand side by side.`,
    {
      width: 640,
      height: 130,
      x: { label: 'column', axis: null },
      y: { label: 'row', ticks: 2 },
      marks: [outline, ...marks],
    },
    KINDS,
  );
}

/**
 * Flows trained by maximum likelihood on a lattice's points, and on the same with uniform noise: log-density per cell, in nats per point, against the step.
 * Steps are few and no penalty slows the first one down: what it can do is to grow a peak on every point.
 */
function collapsing(steps: number, random: Random): [number, number][][] {
  const SIDE = 3;
  return [0, 1].map((noise) => {
    const weights = new Weights(random);
    const field = mlp(weights, { dimension: 2, hidden: [32, 32], time: 'gated' });
    const flow = cnf(field, { method: { solver: rk4, steps: 4 } });
    const batch = () =>
      tf.tensor2d(
        Float32Array.from(
          { length: 2 * COLLAPSE_BATCH },
          () => (random.below(SIDE) - (SIDE - 1) / 2 + noise * (random.uniform() - 0.5)) * COLLAPSE_CELL,
        ),
        [COLLAPSE_BATCH, 2],
      );
    const losses = fitLikelihood(flow, base, { weights, batch, steps, rate: 0.02 });
    return smoothed(losses, 5).map(([step, loss]): [number, number] => [step, 2 * Math.log(COLLAPSE_CELL) - loss]);
  });
}

/** Width of a cell of the lattice that a density collapses on, and points of a batch. */
const [COLLAPSE_CELL, COLLAPSE_BATCH] = [1, 64];

function secondHalf(curve: readonly [number, number][]): number {
  return curve.at(-1)![1] - curve[Math.floor(curve.length / 2)][1];
}
