/**
 * Continuous flows against mixtures of Gaussians, fitted by expectation maximization, on data with sharp edges and on data with heavy tails. A flow
 * with a smooth field is a diffeomorphism of its base: it can draw edges, but its tails are those of the base as far as its field is Lipschitz (Jaini et al. 2020).
 */

import * as tf from '@tensorflow/tfjs-core';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { logDensities, standardNormal } from '../../cnf/base.js';
import { fitLikelihood, fitVelocity } from '../../cnf/fit.js';
import { type Cnf, cnf } from '../../cnf/flow.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { PLANAR, type PlanarSet, samplePlanar } from '../data/planar.js';
import { atLeast, atMost, type Experiment, type Lab, near } from '../experiment.js';
import { type Figure, heatMaps, lines } from '../figures.js';
import { fitMixture, type Mixture } from '../gaussian-mixture.js';
import { centres, densityOnGrid, type Grid, heatMap, truthOnGrid } from '../plane.js';
import { mean } from '../statistics.js';
import { TRAINING, TRAINING_TOLD } from '../training.js';

const COMPONENTS = [1, 2, 4, 8, 16, 32, 64];
const HIDDEN = [64, 64, 64];
const BATCH = 256;
/** Degrees of freedom of the heavy-tailed set. */
const FREEDOM = 3;
const base = standardNormal(2);

/** Independent Student t coordinates: density (1 + x^2 / 3)^-2 2 / (pi sqrt 3) for 3 degrees of freedom. */
const HEAVY: PlanarSet = {
  sample(random) {
    const coordinate = () => {
      const chi = Array.from({ length: FREEDOM }, () => random.normal() ** 2).reduce((a, b) => a + b);
      return random.normal() / Math.sqrt(chi / FREEDOM);
    };
    return [coordinate(), coordinate()];
  },
  density: (x, y) => studentT3(x) * studentT3(y),
};

/** The sets, and how fast a flow learns them: points far out throw a fast learner off. */
const SETS: Record<string, { set: PlanarSet; rate: number }> = {
  'sharp edges (checkerboard)': { set: PLANAR.checkerboard, rate: 0.01 },
  'heavy tails (Student t)': { set: HEAVY, rate: 0.003 },
};
/** Of the rate of flow matching. */
const LIKELIHOOD_RATE = 0.3;

export const experiment: Experiment = {
  title: 'A continuous flow or a mixture of Gaussians?',
  claim:
    'On data with sharp edges a mixture needs many components to come near what a flow reaches. On heavy-tailed data a flow over a normal base is no ' +
    'better: its field would have to stretch without bound, and a mixture of few components of different widths does as well.',

  async run(lab) {
    const { quick } = lab;
    const budget = quick
      ? { points: 2000, iterations: 20, matching: 800, likelihood: 15, test: 2000 }
      : { points: 20_000, iterations: 150, matching: 4000, likelihood: 250, test: 10_000 };
    const grid: Grid = { cells: quick ? 48 : 120, reach: 3.2 };
    const results = Object.keys(SETS).map((name) => compare(name, budget, grid, lab));
    const [sharp, heavy] = results;
    const at = (result: Result, components: number) => result.mixtures[COMPONENTS.indexOf(components)].all;
    const best = ({ mixtures }: Result) => Math.max(...mixtures.map(({ all }) => all));
    const needed = COMPONENTS.find((n) => at(sharp, n) >= sharp.flow.all) ?? 2 * COMPONENTS.at(-1)!;
    return {
      configuration: {
        cnf: `MLP, hidden ${HIDDEN.join(' ')}: flow matching, ${budget.matching} steps, then maximum likelihood, ${budget.likelihood} steps of ${BATCH}`,
        mixtures: `expectation maximization, ${budget.iterations} iterations, full covariances, k-means++ starts`,
        'solver in training': TRAINING_TOLD,
        'solver in tests': 'RK4, 32 steps',
        'training points': budget.points,
        'held-out points': budget.test,
      },
      checks: [
        atLeast(
          'sharp edges: components a mixture needs to reach the flow (128: more than 64)',
          needed,
          quick ? 8 : 16,
          'components',
        ),
        atLeast('sharp edges: gain of the flow over 4 components', sharp.flow.all - at(sharp, 4), 0, 'nats per point'),
        atLeast(
          'heavy tails: gain of the best mixture over one Gaussian',
          best(heavy) - at(heavy, 1),
          0.1,
          'nats per point',
        ),
        atMost(
          'heavy tails: gain of the flow over the best mixture',
          heavy.flow.all - best(heavy),
          0.05,
          'nats per point',
        ),
        atMost(
          'heavy tails: flow behind the truth on the nearest 99 % of points',
          heavy.truth.near - heavy.flow.near,
          0.1,
          'nats per point',
        ),
        ...results.map(({ name, gain }) =>
          near(
            `${name}: log-density of the flow by training’s solver less by a fine one`,
            gain,
            0,
            0.1,
            'nats per point',
          ),
        ),
      ],
      figures: results.flatMap(({ figures }) => figures),
      tables: results.map(({ name, mixtures, flow, truth, parameters }) => ({
        title: `${name}: held-out log-density`,
        columns: ['model', 'parameters', 'nats per point', 'behind the truth', 'behind it on the nearest 99 %'],
        rows: [
          ...COMPONENTS.map((n, i) => [`mixture of ${n}`, 6 * n - 1, ...behind(mixtures[i], truth)]),
          ['CNF', parameters, ...behind(flow, truth)],
          ['truth', '', ...behind(truth, truth)],
        ],
      })),
      notes: [
        'With thousands of parameters the flow is the larger model; the mixtures are not short of data, though, and what they lack at edges is not data but shape: ' +
          'a Gaussian falls off where a square ends. In the tails it is the other way round: a sum of a narrow and a wide Gaussian has the shape, and a bounded field over a normal base has not: on the 99 % of points nearest to 0 the flow is next to as good as the truth, ' +
          'and the one in a hundred that lies farther out costs it most of what it is behind.',
      ],
    };
  },
};

/** Mean log-density of held-out points, in nats: of all, and of the 99 % nearest to 0. */
interface Score {
  readonly all: number;
  readonly near: number;
}

/** @param logs of points by their distance from 0 */
function score(logs: readonly number[]): Score {
  return { all: mean(logs), near: mean(logs.slice(0, Math.round(0.99 * logs.length))) };
}

function behind(model: Score, truth: Score): number[] {
  return [model.all, truth.all - model.all, truth.near - model.near];
}

interface Result {
  readonly name: string;
  readonly mixtures: readonly Score[];
  readonly flow: Score;
  /** Log-density by training's solver less that by a fine one, mean over the nearest points. */
  readonly gain: number;
  readonly truth: Score;
  readonly parameters: number;
  readonly figures: Figure[];
}

interface Budget {
  readonly points: number;
  readonly iterations: number;
  readonly matching: number;
  readonly likelihood: number;
  readonly test: number;
}

function compare(name: string, budget: Budget, grid: Grid, { random, log }: Lab): Result {
  const { set, rate } = SETS[name];
  const training = Array.from({ length: budget.points }, () => set.sample(random));
  const drawn = (): PlanarSet => ({ ...set, sample: (from) => training[from.below(training.length)] });
  const held = Array.from({ length: budget.test }, () => set.sample(random)).sort(
    (a, b) => Math.hypot(...a) - Math.hypot(...b),
  );
  const truth = score(held.map(([a, b]) => Math.log(set.density(a, b))));
  const fitted = COMPONENTS.map((n) => fitMixture(training.flat(), n, budget.iterations, random));
  const mixtures = fitted.map((mixture) => score(held.map(([a, b]) => mixture.logDensity(a, b))));

  const weights = new Weights(random);
  const field = mlp(weights, { dimension: 2, hidden: HIDDEN, time: 'gated' });
  const batch = () => samplePlanar(drawn(), BATCH, random);
  fitVelocity(field, base, { weights, batch, steps: budget.matching, rate }, random);
  const trained = cnf(field, TRAINING);
  fitLikelihood(trained, base, { weights, batch, steps: budget.likelihood, rate: LIKELIHOOD_RATE * rate });
  const flow = cnf(field, { method: { solver: rk4, steps: 32 } });
  const x = tf.tensor2d(held);
  const [reached, seen] = [flow, trained].map((layer) => score([...logDensities(layer, base, x)]));
  x.dispose();
  const told = [...mixtures, reached, truth].map(({ all }) => all.toFixed(3));
  log(`${name}: mixtures, CNF, truth: ${told.join(', ')}`);
  const curve: Figure = lines(
    `${name}: held-out log-density`,
    'Of mixtures by their number of components (logarithmic axis); the flow and the truth as lines across.',
    { x: { label: 'components', type: 'log', tickFormat: 'd', ticks: 6 }, y: { label: 'log-density, nats per point' } },
    [
      { name: 'mixture of Gaussians', points: COMPONENTS.map((n, i) => [n, mixtures[i].all]) },
      { name: 'CNF', points: [COMPONENTS[0], COMPONENTS.at(-1)!].map((n) => [n, reached.all]) },
      { name: 'truth', points: [COMPONENTS[0], COMPONENTS.at(-1)!].map((n) => [n, truth.all]) },
    ],
  );
  const maps = densityMaps(name, set, [fitted[3], fitted[6]], flow, grid);
  const gain = seen.near - reached.near;
  return { name, mixtures, flow: reached, gain, truth, parameters: weights.count, figures: [curve, maps] };
}

/** Logarithms of densities, which show edges and tails. */
function densityMaps(name: string, set: PlanarSet, mixtures: readonly Mixture[], flow: Cnf, grid: Grid): Figure {
  const FLOOR = 1e-4;
  const log = (values: ArrayLike<number>) => Array.from(values, (value) => Math.log10(Math.max(value, FLOOR)));
  const maps = [
    heatMap('truth', log(truthOnGrid(set, grid)), grid),
    ...mixtures.map((mixture) => {
      const values = centres(grid).map(([x, y]) => Math.exp(mixture.logDensity(x, y)));
      return heatMap(`mixture of ${mixture.components}`, log(values), grid);
    }),
    heatMap('CNF', log(densityOnGrid(flow, base, grid)), grid),
  ];
  const caption = `Logarithmic: dark: ${FLOOR} or less per unit of area; bright: 0.3.`;
  return heatMaps(`${name}: density`, caption, { x: 'x', y: 'y' }, maps, [Math.log10(FLOOR), Math.log10(0.3)]);
}

function studentT3(x: number): number {
  return 2 / (Math.PI * Math.sqrt(3) * (1 + (x * x) / 3) ** 2);
}
