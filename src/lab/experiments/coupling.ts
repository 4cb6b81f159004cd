/**
 * A flow of affine coupling layers (RealNVP, Dinh et al. 2017) and a continuous one with as many parameters, fitted to the same data by
 * maximum likelihood with the same number of points (Grathwohl et al. 2019, figure 2).
 */

import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { coupling } from '../../../models/layers/coupling.js';
import type { Layer } from '../../../models/layers/layer.js';
import { logDensities, standardNormal } from '../../cnf/base.js';
import { fitLikelihood } from '../../cnf/fit.js';
import { chain, cnf } from '../../cnf/flow.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { negativeEntropy, PLANAR, samplePlanar } from '../data/planar.js';
import { atLeast, atMost, type Experiment, type Lab, near, timed } from '../experiment.js';
import { type Figure, heatMaps, lines } from '../figures.js';
import { densityOnGrid, type Grid, heatMap, integral, truthOnGrid } from '../plane.js';
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
    'change one coordinate at a time by a scale and a shift; on two bent threads (moons) both do. It pays for that in time.',

  async run(lab) {
    const { quick } = lab;
    const names = quick ? ['checkerboard'] : ['checkerboard', 'rings', 'moons'];
    const grid: Grid = { cells: quick ? 48 : 120, reach: 3.2 };
    const steps = quick ? 100 : 700;
    const results = names.map((name) => compare(name, steps, quick ? 1000 : 4000, grid, lab));
    const [{ sizes }] = results;
    const seconds = [0, 1].map((i) => results.reduce((sum, result) => sum + result.seconds[i], 0));
    const gains = results.map(({ held }) => held[1] - held[0]);
    return {
      configuration: {
        coupling: `${LAYERS} affine layers, hidden ${COUPLING_HIDDEN.join(' ')}`,
        cnf: `MLP, hidden ${CNF_HIDDEN.join(' ')}, gated by time`,
        'solver in training': TRAINING_TOLD,
        'solver in tests': 'RK4, 24 steps',
        training: `maximum likelihood, ${steps} steps of ${BATCH} points, Adam, cosine schedule`,
      },
      checks: [
        near('parameters of the CNF over those of the coupling flow', sizes[1] / sizes[0], 1, 0.1),
        ...results.flatMap(({ name, held, truth, totals, error }, i) => [
          name === 'moons'
            ? near(`${name}: held-out gain of the CNF, on data that suits both`, gains[i], 0, 0.15, 'nats per point')
            : atLeast(`${name}: held-out gain of the CNF`, gains[i], 0, 'nats per point'),
          atMost(`${name}: CNF behind the true density`, truth - held[1], 0.6, 'nats per point'),
          near(`${name}: the coupling flow’s density integrates to`, totals[0], 1, 0.03),
          near(`${name}: the CNF’s density integrates to`, totals[1], 1, 0.03),
          near(
            `${name}: log-density of the CNF by training’s solver less by a fine one`,
            error,
            0,
            0.1,
            'nats per point',
          ),
        ]),
        timed(atLeast('training time of the CNF over the coupling flow’s', seconds[1] / seconds[0], 1, 'times')),
      ],
      figures: results.flatMap(({ figures }) => figures),
      tables: [
        {
          title: 'Held-out log-density in nats per point, and the time that training took',
          columns: ['set', 'coupling', 'CNF', 'truth', 'coupling, s', 'CNF, s'],
          rows: results.map(({ name, held, truth, seconds }) => [name, ...held, truth, ...seconds]),
        },
        {
          title: 'Parameters',
          columns: ['flow', 'parameters'],
          rows: [
            ['coupling', sizes[0]],
            ['CNF', sizes[1]],
          ],
        },
      ],
      notes: [
        'Both see the same number of points. The CNF’s step costs more: it evaluates its field and the field’s divergence at every stage of the solver. ' +
          'Threads of mass between the modes are what a continuous map of a connected base cannot avoid; the coupling flow draws more of them.',
        'Likelihood alone would teach the CNF to profit from the error of its solver’s few steps: its log-density would seem to pass the truth, and a fine solver find nothing of it. Small penalties on the ' +
          'length of paths and on the Jacobian (Finlay et al. 2020) keep the field so smooth that the two solvers agree.',
      ],
    };
  },
};

function compare(name: string, steps: number, test: number, grid: Grid, { random, log }: Lab) {
  const set = PLANAR[name];
  const makers = [
    (weights: Weights): [Layer, Layer] => {
      const layer = (i: number) =>
        coupling(weights, { dimension: 2, hidden: COUPLING_HIDDEN, parity: i % 2 === 0 ? 0 : 1 });
      const flow = chain(Array.from({ length: LAYERS }, (_, i) => layer(i)));
      return [flow, flow];
    },
    (weights: Weights): [Layer, Layer] => {
      const field = mlp(weights, { dimension: 2, hidden: CNF_HIDDEN, time: 'gated' });
      return [cnf(field, TRAINING), cnf(field, { method: { solver: rk4, steps: 24 } })];
    },
  ];
  const x = samplePlanar(set, test, random);
  const truth = negativeEntropy(set, 20_000, random);
  const fitted = makers.map((make) => {
    const weights = new Weights(random);
    const [trained, tested] = make(weights);
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
    return { losses, seconds, held, error, size: weights.count, values: densityOnGrid(tested, base, grid) };
  });
  x.dispose();
  return {
    name,
    truth,
    held: fitted.map(({ held }) => held),
    seconds: fitted.map(({ seconds }) => seconds),
    sizes: fitted.map(({ size }) => size),
    error: fitted[1].error,
    totals: fitted.map(({ values }) => integral(values, grid)),
    figures: [
      curves(
        name,
        fitted.map(({ losses }) => losses),
        truth,
      ),
      densities(
        name,
        fitted.map(({ values }) => values),
        grid,
      ),
    ],
  };
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

function densities(name: string, values: readonly Float32Array[], grid: Grid): Figure {
  const truth = truthOnGrid(PLANAR[name], grid);
  const brightest = truth.reduce((a, b) => Math.max(a, b));
  const maps = [heatMap('truth', truth, grid), heatMap('coupling', values[0], grid), heatMap('CNF', values[1], grid)];
  const caption = `Dark: 0; bright: ${brightest.toPrecision(2)} or more per unit of area.`;
  return heatMaps(`${name}: density`, caption, { x: 'x', y: 'y' }, maps, [0, brightest]);
}
