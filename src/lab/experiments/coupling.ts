/**
 * A flow of affine coupling layers (RealNVP, Dinh et al. 2017) and a continuous one with as many parameters, fitted to the same data by
 * maximum likelihood with the same number of points (Grathwohl et al. 2019, figure 2).
 */

import * as tf from '@tensorflow/tfjs-core';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { coupling } from '../../../models/layers/coupling.js';
import type { Layer } from '../../../models/layers/layer.js';
import { logDensities, standardNormal } from '../../cnf/base.js';
import { fitLikelihood } from '../../cnf/fit.js';
import { chain, cnf, jacobian } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { negativeEntropy, PLANAR, samplePlanar } from '../data/planar.js';
import { atLeast, atMost, contest, type Experiment, type Lab, near, timed } from '../experiment.js';
import { type Figure, heatMaps, lines } from '../figures.js';
import { densityOnGrid, drawnFrom, type Grid, heatMap, integral, pointMap, truthOnGrid } from '../plane.js';
import { RUNS, repeatedly, spreadOf } from '../spread.js';
import { mean, smoothed } from '../statistics.js';
import { TRAINING, TRAINING_TOLD } from '../training.js';

const BATCH = 256;
const LAYERS = 8;
const COUPLING_HIDDEN = [12, 12];
const CNF_HIDDEN = [27, 27, 27];
const base = standardNormal(2);

export const experiment: Experiment = {
  title: 'Coupling layers or a continuous flow, at equal parameters?',
  claim:
    'With as many parameters and the same data, a continuous flow fits densities with many modes or gaps (checkerboard, rings) better than affine coupling layers, whose maps ' +
    'change one coordinate at a time by a scale and a shift; on two bent threads (moons) both do. It pays for that in time. A coupling layer’s Jacobian is triangular, a continuous flow’s is full.',

  async run(lab) {
    const { quick, random } = lab;
    const names = quick ? ['checkerboard'] : ['checkerboard', 'rings', 'moons'];
    const grid: Grid = { cells: quick ? 48 : 120, reach: 3.2 };
    const steps = quick ? 90 : 500;
    const results = names.map((name) => ({
      name,
      runs: repeatedly(random, (own, run) =>
        compare(name, { steps, test: quick ? 1000 : 4000, grid, shown: run === 0 }, { ...lab, random: own }),
      ),
    }));
    const [{ runs: first }] = results;
    const { sizes, triangle, field } = first[0];
    const over = (of: (run: Run) => number) => results.map(({ runs }) => spreadOf(runs, of));
    const gains = over(({ held }) => held[1] - held[0]);
    const seconds = [0, 1].map((i) =>
      results.flatMap(({ runs }) => runs).reduce((sum, run) => sum + run.seconds[i], 0),
    );
    const pick = (i: number, of: (run: Run) => readonly number[]) => over((run) => of(run)[i]);
    return {
      configuration: {
        coupling: `${LAYERS} affine layers, hidden ${COUPLING_HIDDEN.join(' ')}`,
        cnf: `MLP, hidden ${CNF_HIDDEN.join(' ')}, gated by time`,
        'solver in training': TRAINING_TOLD,
        'solver in tests': 'RK4, 12 steps',
        training: `maximum likelihood, ${steps} steps of ${BATCH} points, Adam, cosine schedule`,
        'runs of each': RUNS,
      },
      contests: names.map((name, i) =>
        contest(
          `${name}: the CNF is ahead of coupling layers of as many parameters`,
          gains[i],
          'nats per point',
          'Both had as many steps, and these were few for the one or the other, or the data suits both: its modes hang together.',
        ),
      ),
      checks: [
        near('parameters of the CNF over those of the coupling flow', sizes[1] / sizes[0], 1, 0.1),
        atMost('one coupling layer: largest derivative above the diagonal of its Jacobian', triangle.above, 0),
        atMost(
          'one coupling layer: log-determinant less the sum of logarithms on the diagonal',
          triangle.apart,
          1e-5,
          'nats',
        ),
        atLeast('the CNF’s map: largest derivative above the diagonal of its Jacobian', field.above, 0.01),
        ...names.flatMap((name, i) => [
          atMost(
            `${name}: CNF behind the true density`,
            over(({ truth, held }) => truth - held[1])[i],
            0.6,
            'nats per point',
          ),
          near(`${name}: the coupling flow’s density integrates to`, pick(0, ({ totals }) => totals)[i], 1, 0.03),
          near(`${name}: the CNF’s density integrates to`, pick(1, ({ totals }) => totals)[i], 1, 0.03),
          near(
            `${name}: log-density of the CNF by training’s solver less by a fine one`,
            over(({ error }) => error)[i],
            0,
            0.1,
            'nats per point',
          ),
        ]),
        timed(atLeast('training time of the CNF over the coupling flow’s', seconds[1] / seconds[0], 1, 'times')),
      ],
      figures: results.flatMap(({ runs }) => runs[0].figures),
      tables: [
        {
          title: `Held-out log-density in nats per point, and the time that training took: mean ± standard error of ${RUNS} runs`,
          columns: ['set', 'coupling', 'CNF', 'CNF ahead by', 'truth', 'coupling, s', 'CNF, s'],
          rows: names.map((name, i) => [
            name,
            ...[0, 1].map((k) => pick(k, ({ held }) => held)[i]),
            gains[i],
            over(({ truth }) => truth)[i],
            ...[0, 1].map((k) => pick(k, (run) => run.seconds)[i]),
          ]),
        },
        {
          title: 'Parameters',
          columns: ['flow', 'parameters'],
          rows: [
            ['coupling', sizes[0]],
            ['CNF', sizes[1]],
          ],
        },
        {
          title: 'Jacobians at one point of the data: rows are outputs, the coordinate that stays comes first',
          columns: ['map', 'output', 'by the first input', 'by the second'],
          rows: [
            ['one coupling layer', triangle.matrix],
            ['the CNF', field.matrix],
          ].flatMap(([name, matrix]) =>
            (matrix as number[][]).map((row, i) => [name as string, ['first', 'second'][i], ...row]),
          ),
        },
      ],
      notes: [
        'A coupling layer’s Jacobian is triangular, whatever its network: the half that stays has the identity’s, the half that moves has its scales on the diagonal. That makes the determinant a product, and is ' +
          'what a layer cannot do: it takes two layers for each coordinate to see the other. The continuous flow’s Jacobian is full, and its determinant is the integral of the trace.',
        'Both see the same number of points. The CNF’s step costs more: it evaluates its field and the field’s divergence at every stage of the solver. ' +
          'Threads of mass between the modes are what a continuous map of a connected base cannot avoid; the coupling flow draws more of them.',
        'Likelihood alone would teach the CNF to profit from the error of its solver’s few steps: its log-density would seem to pass the truth, and a fine solver find nothing of it. Small penalties on the ' +
          'length of paths and on the Jacobian (Finlay et al. 2020) keep the field so smooth that the two solvers agree.',
      ],
    };
  },
};

interface Run {
  readonly truth: number;
  /** Of the coupling flow and of the CNF. */
  readonly held: number[];
  readonly seconds: number[];
  readonly sizes: number[];
  readonly totals: number[];
  /** Log-density of the CNF by training's solver less by a fine one. */
  readonly error: number;
  readonly triangle: Derivatives;
  readonly field: Derivatives;
  readonly figures: Figure[];
}

interface Budget {
  readonly steps: number;
  readonly test: number;
  readonly grid: Grid;
  /** Whether its figures are wanted. */
  readonly shown: boolean;
}

function compare(name: string, { steps, test, grid, shown }: Budget, { random, log }: Lab): Run {
  const set = PLANAR[name];
  const makers = [
    (weights: Weights): Made => {
      // The first one moves the second coordinate.
      const layer = (i: number) =>
        coupling(weights, { dimension: 2, hidden: COUPLING_HIDDEN, parity: i % 2 === 0 ? 1 : 0 });
      const layers = Array.from({ length: LAYERS }, (_, i) => layer(i));
      const flow = chain(layers);
      return { trained: flow, tested: flow, map: layers[0] };
    },
    (weights: Weights): Made => {
      const field = mlp(weights, { dimension: 2, hidden: CNF_HIDDEN, time: 'gated' });
      const fine = cnf(field, { method: { solver: rk4, steps: 12 } });
      return { trained: cnf(field, TRAINING), tested: fine, map: fine };
    },
  ];
  const x = samplePlanar(set, test, random);
  const truth = negativeEntropy(set, 20_000, random);
  const fitted = makers.map((make) => {
    const weights = new Weights(random);
    const { trained, tested, map } = make(weights);
    const start = performance.now();
    const losses = fitLikelihood(trained, base, {
      weights,
      batch: () => samplePlanar(set, BATCH, random),
      steps,
      rate: 0.01,
    });
    const seconds = (performance.now() - start) / 1000;
    const held = mean(logDensities(tested, base, x));
    const error = mean(logDensities(trained, base, x)) - held;
    log(`${name}: ${held.toFixed(3)} nats of ${truth.toFixed(3)}, ${seconds.toFixed(1)} s`);
    const values = densityOnGrid(tested, base, grid);
    const drawn = shown ? drawnFrom(tested, base, 2000, random) : [];
    return { losses, seconds, held, error, size: weights.count, values, drawn, derivatives: derivatives(map, x) };
  });
  x.dispose();
  return {
    truth,
    held: fitted.map(({ held }) => held),
    seconds: fitted.map(({ seconds }) => seconds),
    sizes: fitted.map(({ size }) => size),
    error: fitted[1].error,
    totals: fitted.map(({ values }) => integral(values, grid)),
    triangle: fitted[0].derivatives,
    field: fitted[1].derivatives,
    figures: shown
      ? [
          curves(
            name,
            fitted.map(({ losses }) => losses),
            truth,
          ),
          densities(name, fitted, grid),
        ]
      : [],
  };
}

interface Made {
  readonly trained: Layer;
  readonly tested: Layer;
  /** Whose Jacobian is looked at. */
  readonly map: Layer;
}

interface Derivatives {
  /** At one point. */
  readonly matrix: number[][];
  /** Largest |dy1 / dx2| over points. */
  readonly above: number;
  /** Largest difference of the log-determinant from the sum of the logarithms on the diagonal. */
  readonly apart: number;
}

function derivatives(map: Layer, x: tf.Tensor2D): Derivatives {
  return scoped(() => {
    const points = tf.slice(x, [0, 0], [200, 2]);
    const matrices = jacobian(map, points).jacobian.arraySync();
    const logs = map.forward(points).logDet.dataSync();
    const apart = matrices.map(([[a], [, d]], i) => Math.abs(Math.log(Math.abs(a * d)) - logs[i]));
    return {
      matrix: matrices[0],
      above: Math.max(...matrices.map(([[, b]]) => Math.abs(b))),
      apart: Math.max(...apart),
    };
  });
}

/** Means over `SMOOTHING` steps each. */
function curves(name: string, losses: readonly number[][], truth: number): Figure {
  const SMOOTHING = 10;
  const series = losses.map((values, i) => ({
    name: ['coupling', 'CNF'][i],
    points: smoothed(values, SMOOTHING).map(([step, loss]): [number, number] => [step, -loss]),
  }));
  const limit = { name: 'truth', points: [0, losses[0].length].map((step): [number, number] => [step, truth]) };
  const axes = { x: { label: 'training step' }, y: { label: 'log-density, nats per point' } };
  return lines(
    `${name}: training`,
    `Means over ${SMOOTHING} steps; of the CNF less its penalties.`,
    axes,
    [...series, limit],
    false,
  );
}

function densities(
  name: string,
  fitted: readonly { values: Float32Array; drawn: readonly (readonly number[])[] }[],
  grid: Grid,
): Figure {
  const truth = truthOnGrid(PLANAR[name], grid);
  const brightest = truth.reduce((a, b) => Math.max(a, b));
  const maps = [
    heatMap('truth', truth, grid),
    ...['coupling', 'CNF'].flatMap((flow, i) => [
      heatMap(flow, fitted[i].values, grid),
      pointMap(`drawn: ${flow}`, fitted[i].drawn, grid),
    ]),
  ];
  const caption =
    'Of the first run, the truth’s largest value as the brightest; beside each density 2000 points that the flow draws.';
  return heatMaps(`${name}: density`, caption, { x: 'x', y: 'y', unit: 'density' }, maps, [0, brightest]);
}
