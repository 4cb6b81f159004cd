/**
 * Continuous flows against mixtures of Gaussians, fitted by expectation maximization, on data with sharp edges and on data with heavy tails. A flow
 * with a smooth field is a diffeomorphism of its base: it can draw edges, but its tails are those of the base as far as its field is Lipschitz (Jaini et al. 2020).
 */

import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { logDensities, standardNormal } from '../../cnf/base.js';
import { fitLikelihood, fitVelocity } from '../../cnf/fit.js';
import { type Cnf, cnf } from '../../cnf/flow.js';
import { midpoint } from '../../cnf/solvers/midpoint.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { negativeEntropy, PLANAR, type PlanarSet, samplePlanar } from '../data/planar.js';
import { atLeast, atMost, type Experiment, type Lab } from '../experiment.js';
import { type Figure, heatMaps, lines } from '../figures.js';
import { fitMixture, type Mixture } from '../gaussian-mixture.js';
import { centres, densityOnGrid, type Grid, heatMap, truthOnGrid } from '../plane.js';
import { mean } from '../statistics.js';

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

const SETS: Record<string, PlanarSet> = {
  'sharp edges (checkerboard)': PLANAR.checkerboard,
  'heavy tails (Student t)': HEAVY,
};

export const experiment: Experiment = {
  title: 'A continuous flow or a mixture of Gaussians?',
  claim:
    'On data with sharp edges a mixture needs many components to come near what a flow reaches. On heavy-tailed data a flow over a normal base is no ' +
    'better: its field would have to stretch without bound, and a mixture of few components of different widths does as well.',

  async run(lab) {
    const { quick } = lab;
    const budget = quick
      ? { points: 2000, iterations: 25, matching: 1200, likelihood: 20, test: 2000 }
      : { points: 20_000, iterations: 150, matching: 4000, likelihood: 250, test: 10_000 };
    const grid: Grid = { cells: quick ? 80 : 120, reach: 3.2 };
    const results = Object.entries(SETS).map(([name, set]) => compare(name, set, budget, grid, lab));
    const [sharp, heavy] = results;
    const at = (result: Result, components: number) => result.mixtures[COMPONENTS.indexOf(components)];
    const needed = COMPONENTS.find((n) => at(sharp, n) >= sharp.flow) ?? 2 * COMPONENTS.at(-1)!;
    return {
      configuration: {
        cnf: `MLP, hidden ${HIDDEN.join(' ')}: flow matching, ${budget.matching} steps, then maximum likelihood, ${budget.likelihood} steps of ${BATCH}`,
        mixtures: `expectation maximization, ${budget.iterations} iterations, full covariances, k-means++ starts`,
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
        atLeast('sharp edges: gain of the flow over 4 components', sharp.flow - at(sharp, 4), 0, 'nats per point'),
        atLeast(
          'heavy tails: gain of the best mixture over one Gaussian',
          Math.max(...heavy.mixtures) - at(heavy, 1),
          0.1,
          'nats per point',
        ),
        atMost(
          'heavy tails: gain of the flow over the best mixture',
          heavy.flow - Math.max(...heavy.mixtures),
          0.05,
          'nats per point',
        ),
      ],
      figures: results.flatMap(({ figures }) => figures),
      tables: results.map(({ name, mixtures, flow, truth, parameters }) => ({
        title: `${name}: held-out log-density`,
        columns: ['model', 'parameters', 'nats per point', 'behind the truth'],
        rows: [
          ...COMPONENTS.map((n, i) => [`mixture of ${n}`, 6 * n - 1, mixtures[i], truth - mixtures[i]]),
          ['CNF', parameters, flow, truth - flow],
          ['truth', '', truth, 0],
        ],
      })),
      notes: [
        'With thousands of parameters the flow is the larger model; the mixtures are not short of data, though, and what they lack at edges is not data but shape: ' +
          'a Gaussian falls off where a square ends. In the tails it is the other way round: a sum of a narrow and a wide Gaussian has the shape, and a bounded field over a normal base has not: the few points farthest out cost the flow most of what it is behind.',
      ],
    };
  },
};

interface Result {
  readonly name: string;
  readonly mixtures: number[];
  readonly flow: number;
  readonly truth: number;
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

function compare(name: string, set: PlanarSet, budget: Budget, grid: Grid, { random, log }: Lab): Result {
  const training = Array.from({ length: budget.points }, () => set.sample(random));
  const drawn = (): PlanarSet => ({ ...set, sample: (from) => training[from.below(training.length)] });
  const x = samplePlanar(set, budget.test, random);
  const held = x.arraySync() as [number, number][];
  const truth = negativeEntropy(set, 40_000, random);
  const fitted = COMPONENTS.map((n) => fitMixture(training.flat(), n, budget.iterations, random));
  const mixtures = fitted.map((mixture) => mean(held.map(([a, b]) => mixture.logDensity(a, b))));

  const weights = new Weights(random);
  const field = mlp(weights, { dimension: 2, hidden: HIDDEN, time: 'gated' });
  const batch = () => samplePlanar(drawn(), BATCH, random);
  fitVelocity(field, base, { weights, batch, steps: budget.matching, rate: 0.01 }, random);
  const coarse = cnf(field, { method: { solver: midpoint, steps: 8 } });
  fitLikelihood(coarse, base, { weights, batch, steps: budget.likelihood, rate: 3e-3 });
  const flow = cnf(field, { method: { solver: rk4, steps: 32 } });
  const reached = mean(logDensities(flow, base, x));
  x.dispose();
  log(
    `${name}: mixtures ${mixtures.map((value) => value.toFixed(3)).join(', ')}; CNF ${reached.toFixed(3)}; truth ${truth.toFixed(3)}`,
  );
  const curve: Figure = lines(
    `${name}: held-out log-density`,
    'Of mixtures by their number of components (logarithmic axis); the flow and the truth as lines across.',
    { x: { label: 'components', type: 'log', tickFormat: 'd', ticks: 6 }, y: { label: 'log-density, nats per point' } },
    [
      { name: 'mixture of Gaussians', points: COMPONENTS.map((n, i) => [n, mixtures[i]]) },
      { name: 'CNF', points: [COMPONENTS[0], COMPONENTS.at(-1)!].map((n) => [n, reached]) },
      { name: 'truth', points: [COMPONENTS[0], COMPONENTS.at(-1)!].map((n) => [n, truth]) },
    ],
  );
  const maps = densityMaps(name, set, [fitted[3], fitted[6]], flow, grid);
  return { name, mixtures, flow: reached, truth, parameters: weights.count, figures: [curve, maps] };
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
