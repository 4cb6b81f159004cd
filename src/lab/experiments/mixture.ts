/**
 * Continuous flows against mixtures of Gaussians, fitted by expectation maximization, with as many parameters: on sharp edges, on heavy tails, and on
 * patches of photographs. A flow of a Lipschitz field has the tails of its base (Jaini et al. 2020), so one over Student's t is in the race, too.
 */

import * as tf from '@tensorflow/tfjs-core';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { type Base, logDensities, standardNormal, studentT } from '../../cnf/base.js';
import { exactDivergence, hutchinson } from '../../cnf/divergence.js';
import { fitLikelihood, fitVelocity } from '../../cnf/fit.js';
import { type Cnf, cnf } from '../../cnf/flow.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import type { Random } from '../../train/random.js';
import { whitenedPatches } from '../data/patches.js';
import { PLANAR, type PlanarSet, studentMoons } from '../data/planar.js';
import { atLeast, type Cell, contest, type Experiment, type Lab, near, type Table } from '../experiment.js';
import { type Figure, heatMaps, lines } from '../figures.js';
import { fitMixture, type Mixture, mixtureParameters } from '../gaussian-mixture.js';
import { centres, densityOnGrid, drawnFrom, type Grid, heatMap, pointMap, truthOnGrid } from '../plane.js';
import { RUNS, repeatedly, type Spread, spread, spreadOf } from '../spread.js';
import { mean } from '../statistics.js';
import { TRAINING, TRAINING_TOLD } from '../training.js';

const BATCH = 256;
/** Degrees of freedom of the heavy-tailed noise, and of the base that has such tails. */
const FREEDOM = 3;
const HEAVY = studentMoons(FREEDOM);
const RATE = 0.01;
const LIKELIHOOD_RATE = 0.003;

const BASES = {
  normal: (dimension: number) => standardNormal(dimension),
  'Student t': (dimension: number) => studentT(dimension, FREEDOM),
};

type BaseName = keyof typeof BASES;

interface Task {
  readonly name: string;
  readonly dimension: number;
  /** Components of the mixtures, the fewest first. */
  readonly capacities: readonly number[];
  /** Bases of the flows that are fitted; the last one's is in the contest. */
  readonly bases: readonly BaseName[];
  /** With a density that is known, in the plane. */
  readonly set?: PlanarSet;
}

/** Points [count * D] to fit and to test. */
interface Data {
  readonly seen: Float64Array;
  readonly held: Float64Array;
}

interface Budget {
  readonly points: number;
  readonly iterations: number;
  readonly matching: number;
  readonly likelihood: number;
  readonly test: number;
}

export const experiment: Experiment = {
  title: 'A continuous flow or a mixture of Gaussians?',
  claim:
    'Both approximate any density as they grow. At equal parameters the flow is said to be ahead where density lies along curved sheets with sharp edges, and in more dimensions, where a Gaussian’s ' +
    'covariance takes D² / 2 numbers; a flow over a normal base cannot have heavy tails, one over Student’s t has them from its base.',

  async run(lab) {
    const { quick, random, log } = lab;
    const budget: Budget = quick
      ? { points: 2000, iterations: 15, matching: 500, likelihood: 10, test: 600 }
      : { points: 20_000, iterations: 60, matching: 3000, likelihood: 120, test: 4000 };
    const capacities = quick ? [16, 64] : [4, 16, 64, 256];
    const both: BaseName[] = ['normal', 'Student t'];
    const sides = quick
      ? [{ side: 4, components: 4 }]
      : [
          { side: 2, components: 16 },
          { side: 4, components: 16 },
          { side: 8, components: 4 },
        ];
    const tasks: Task[] = [
      { name: 'sharp edges (checkerboard)', dimension: 2, capacities, bases: ['normal'], set: PLANAR.checkerboard },
      {
        name: 'heavy tails (moons, Student t noise)',
        dimension: 2,
        capacities: quick ? [64] : capacities,
        bases: both,
        set: HEAVY,
      },
      ...sides.map(
        ({ side, components }): Task => ({
          name: `patches of ${side} x ${side} pixels`,
          dimension: side ** 2,
          capacities: [components],
          bases: quick ? ['Student t'] : both,
        }),
      ),
    ];
    const results: Result[] = [];
    for (const task of tasks) {
      const runs: Run[] = [];
      for (const own of repeatedly(random, (forked) => forked)) runs.push(await compare(task, budget, lab, own));
      const result = { task, runs, points: budget.test };
      results.push(result);
      log(
        `${task.name}: ${rowsOf(result)
          .map((row) => `${row.name} ${row.score.mean.toFixed(3)}`)
          .join(', ')}`,
      );
    }
    const [sharp, heavy] = results;
    const tailGain = spreadOf(heavy.runs, ({ levels }) => best(levels).flows[1].score - best(levels).flows[0].score);
    const growth = spreadOf(sharp.runs, ({ levels }) => best(levels).flows[0].score - levels[0].flows[0].score);
    return {
      configuration: {
        cnf: 'MLP with three hidden layers, gated by time, as wide as the mixture’s parameters allow',
        'training of flows': `flow matching, ${budget.matching} steps of ${BATCH}, then maximum likelihood, ${budget.likelihood} steps (in more than 2 dimensions with one Rademacher probe)`,
        mixtures: `expectation maximization, ${budget.iterations} iterations, full covariances, k-means++ starts`,
        'heavy tails': `moons with noise of Student’s t, ${FREEDOM} degrees of freedom`,
        patches:
          'luma of three fixtures, tested on kodim23, dequantized, whitened by mean and covariance: both models have those for nothing',
        'solver in training': TRAINING_TOLD,
        'solver in tests': 'RK4, 16 steps, exact divergence',
        'training points': budget.points,
        'held-out points': budget.test,
        'runs of each': `${RUNS}, each with data, starts and batches of its own`,
      },
      contests: [
        ...results.map(({ task, runs }) => {
          const largest = task.capacities.at(-1)!;
          return contest(
            `${task.name}: a flow over a ${task.bases.at(-1)} base is ahead of ${largest} Gaussians of as many parameters (${mixtureParameters(task.dimension, largest)})`,
            spreadOf(runs, ({ levels }) => best(levels).flows.at(-1)!.score - best(levels).mixture.score),
            'nats per point',
            `${WHY[task.dimension > 2 ? 'patches' : task.bases.length > 1 ? 'tails' : 'edges']}${quick ? EARLY : ''}`,
          );
        }),
        contest(
          'heavy tails: a flow over a Student t base is ahead of one over a normal base',
          tailGain,
          'nats per point',
          `The few points far out decide; before the flow has learned the moons, a wider base costs more near the centre than it gains there.${quick ? EARLY : ''}`,
        ),
      ],
      checks: [
        atLeast('sharp edges: what the largest flow gains over the smallest', growth, 0.05, 'nats per point'),
        ...[sharp, heavy].map(({ task, runs }) =>
          atLeast(
            `${task.name}: the largest mixture behind the truth (never ahead, but for chance)`,
            spreadOf(runs, ({ levels, truth }) => truth! - best(levels).mixture.score),
            -0.02,
            'nats per point',
          ),
        ),
        ...[sharp, heavy].map(({ task, runs }) =>
          near(
            `${task.name}: log-density of the largest flow by training’s solver less by a fine one`,
            spreadOf(runs, ({ levels }) => best(levels).flows[0].apart),
            0,
            0.1,
            'nats per point',
          ),
        ),
      ],
      figures: [sharp, heavy].flatMap((result) => [
        ...(result.task.capacities.length > 1 ? [capacityCurve(result)] : []),
        result.runs[0].figure!,
      ]),
      tables: results.map(table),
      notes: [
        'A mixture has the local pieces that such densities consist of, and is fitted by closed formulas in a fraction of the time. What speaks for a flow is what a mixture has not: one map between data and ' +
          'noise, in both directions, which coders, conditions and symmetries can be built on.',
        'Times are of one thread beside whatever else the machine does; scoring a flow means integrating its divergence, D products at every stage of every step.',
      ],
    };
  },
};

const EARLY = ' In a quick run the flow stops learning early; a whole run is fairer to it.';

const WHY = {
  edges:
    'Sixty-four Gaussians tile eight squares with eight each; a flow of as few parameters has a dozen units a layer to bend one connected bump around eight squares, and pays for every thread between them.',
  tails:
    'The density is a smooth band, which a mixture covers with pieces of the band’s width, and heavy tails along the axes are wide pieces. The flow has to bend the base to the band with the few units that it has.',
  patches:
    'Whitened patches are nearly a mixture of Gaussians of one shape and many sizes (Wainwright, Simoncelli 2000): flat ones and busy ones. That is what a mixture is, and what a flow has to make from one base by stretching along every direction.',
};

interface Fitted {
  /** Mean held-out log-density, nats per point. */
  readonly score: number;
  readonly parameters: number;
  readonly fitSeconds: number;
  /** To score the held-out points. */
  readonly scoreSeconds: number;
}

interface FittedFlow extends Fitted {
  /** Log-density by training's solver less that by a fine one. */
  readonly apart: number;
}

/** One capacity. */
interface Level {
  readonly components: number;
  readonly mixture: Fitted;
  /** One for each base. */
  readonly flows: readonly FittedFlow[];
}

interface Run {
  readonly levels: readonly Level[];
  readonly truth?: number;
  readonly figure?: Figure;
}

interface Result {
  readonly task: Task;
  readonly runs: readonly Run[];
  /** Held-out points. */
  readonly points: number;
}

function best(levels: readonly Level[]): Level {
  return levels.at(-1)!;
}

async function compare(task: Task, budget: Budget, { quick }: Lab, random: Random): Promise<Run> {
  const { set, dimension, bases } = task;
  const data = await drawn(task, budget, random);
  const x = tf.tensor2d(Float32Array.from(data.held), [budget.test, dimension]);
  const fitted = task.capacities.map((components) => {
    const mixture = timed(() =>
      fitMixture(data.seen, { dimension, components, iterations: budget.iterations }, random),
    );
    const scored = timed(() => mean(rows(data.held, dimension).map((row) => mixture.result.logDensity(row))));
    const target = mixture.result.parameters;
    const flows = bases.map((name) =>
      fitFlow({ dimension, base: BASES[name](dimension), data, target, budget }, x, random),
    );
    return {
      models: { mixture: mixture.result, flow: flows.at(-1)!.flow },
      level: {
        components,
        mixture: {
          score: scored.result,
          parameters: target,
          fitSeconds: mixture.seconds,
          scoreSeconds: scored.seconds,
        },
        flows: flows.map((flow) => flow.fitted),
      },
    };
  });
  x.dispose();
  const { models } = fitted.at(-1)!;
  const grid: Grid = { cells: quick ? 48 : 120, reach: 3.2 };
  return {
    levels: fitted.map(({ level }) => level),
    truth: set && mean(rows(data.held, 2).map(([a, b]) => Math.log(set.density(a, b)))),
    figure: set && densityMaps({ ...task, set }, models, grid, random),
  };
}

async function drawn({ set, dimension }: Task, { points, test }: Budget, random: Random): Promise<Data> {
  if (!set) return whitenedPatches(Math.sqrt(dimension), { seen: points, held: test }, random);
  const many = (count: number) => Float64Array.from(Array.from({ length: count }, () => set.sample(random)).flat());
  return { seen: many(points), held: many(test) };
}

interface FlowTask {
  readonly dimension: number;
  readonly base: Base;
  readonly data: Data;
  /** Parameters that it may have. */
  readonly target: number;
  readonly budget: Budget;
}

function fitFlow({ dimension, base, data, target, budget }: FlowTask, x: tf.Tensor2D, random: Random) {
  const weights = new Weights(random);
  const width = widthFor(dimension, target);
  const field = mlp(weights, { dimension, hidden: [width, width, width], time: 'gated' });
  const seen = data.seen.length / dimension;
  const batch = () => {
    const values = new Float32Array(BATCH * dimension);
    for (let i = 0; i < BATCH; i++) {
      const at = dimension * random.below(seen);
      values.set(data.seen.subarray(at, at + dimension), i * dimension);
    }
    return tf.tensor2d(values, [BATCH, dimension]);
  };
  const divergence = dimension > 2 ? hutchinson({ noise: 'rademacher', draws: random }) : exactDivergence;
  const trained = cnf(field, { ...TRAINING, divergence });
  const { seconds: fitSeconds } = timed(() => {
    fitVelocity(field, base, { weights, batch, steps: budget.matching, rate: RATE }, random);
    fitLikelihood(trained, base, { weights, batch, steps: budget.likelihood, rate: LIKELIHOOD_RATE });
  });
  const flow = cnf(field, { method: { solver: rk4, steps: 16 } });
  const scored = timed(() => mean(logDensities(flow, base, x, 500)));
  const apart = mean(logDensities(cnf(field, TRAINING), base, x, 500)) - scored.result;
  const fitted: FittedFlow = {
    score: scored.result,
    parameters: weights.count,
    fitSeconds,
    scoreSeconds: scored.seconds,
    apart,
  };
  return { flow, fitted };
}

/** The widest three hidden layers, gated by time, that have no more than so many parameters: each layer has four rows besides its matrix. */
function widthFor(dimension: number, parameters: number): number {
  const count = (h: number) => 2 * h * h + 12 * h + 2 * dimension * h + 4 * dimension;
  let width = 1;
  while (count(width + 1) <= parameters) width++;
  return width;
}

function timed<T>(work: () => T): { result: T; seconds: number } {
  const start = performance.now();
  const result = work();
  return { result, seconds: (performance.now() - start) / 1000 };
}

function rows(points: Float64Array, dimension: number): Float64Array[] {
  return Array.from({ length: points.length / dimension }, (_, i) =>
    points.subarray(i * dimension, (i + 1) * dimension),
  );
}

interface Row {
  readonly name: string;
  readonly fitted: readonly Fitted[];
  readonly score: Spread;
}

function flowName(base: BaseName): string {
  return `CNF, ${base} base`;
}

function rowsOf({ task, runs }: Result): Row[] {
  return task.capacities.flatMap((components, i) => {
    const row = (name: string, of: (level: Level) => Fitted) => {
      const fitted = runs.map(({ levels }) => of(levels[i]));
      return { name, fitted, score: spreadOf(fitted, ({ score }) => score) };
    };
    return [
      row(`${components} Gaussians`, ({ mixture }) => mixture),
      ...task.bases.map((name, base) => row(flowName(name), ({ flows }) => flows[base])),
    ];
  });
}

function table(result: Result): Table {
  const { task, runs } = result;
  const known = task.set !== undefined;
  const truth = known ? spreadOf(runs, (run) => run.truth!) : undefined;
  return {
    title: `${task.name}: held-out log-density, nats per point in ${task.dimension} dimensions, mean ± standard error of ${RUNS} runs`,
    columns: [
      'model',
      'parameters',
      'nats per point',
      ...(known ? ['behind the truth (KL)'] : []),
      'to fit, s',
      'to score 1000 points, s',
    ],
    rows: [
      ...rowsOf(result).map(({ name, fitted, score }): Cell[] => [
        name,
        fitted[0].parameters,
        score,
        ...(known ? [spread(fitted.map((one, i) => runs[i].truth! - one.score))] : []),
        spreadOf(fitted, ({ fitSeconds }) => fitSeconds),
        spreadOf(fitted, ({ scoreSeconds }) => (1000 * scoreSeconds) / result.points),
      ]),
      ...(truth ? [['truth', '', truth, '', '', '']] : []),
    ],
  };
}

function capacityCurve(result: Result): Figure {
  const { task, runs } = result;
  const names = ['mixture of Gaussians', ...task.bases.map(flowName)];
  const rowsHere = rowsOf(result);
  const series = names.map((name, kind) => {
    const own = rowsHere.filter((_, i) => i % names.length === kind);
    const gaps = own.map(({ fitted }) => spread(fitted.map(({ score }, run) => runs[run].truth! - score)));
    return {
      name,
      points: own.map(({ fitted }, i): [number, number] => [fitted[0].parameters, gaps[i].mean]),
      errors: gaps.map(({ error }) => error),
    };
  });
  return lines(
    `${task.name}: distance from the truth against capacity`,
    `Kullback-Leibler divergence from the truth, on held-out points, mean and standard error of ${RUNS} runs; both ways approximate any density as they grow.`,
    {
      x: { label: 'parameters', type: 'log', tickFormat: 'd', ticks: 6 },
      y: { label: 'behind the truth, nats per point' },
    },
    series,
  );
}

/** Logarithms of densities, which show edges and tails, and points that the flow draws. */
function densityMaps(
  { name, set, bases }: Task & { set: PlanarSet },
  { mixture, flow }: { mixture: Mixture; flow: Cnf },
  grid: Grid,
  random: Random,
): Figure {
  const base = BASES[bases.at(-1)!](2);
  const FLOOR = 1e-4;
  const log = (values: ArrayLike<number>) => Array.from(values, (value) => Math.log10(Math.max(value, FLOOR)));
  const maps = [
    heatMap('truth', log(truthOnGrid(set, grid)), grid),
    heatMap(`${mixture.components} Gaussians`, log(centres(grid).map((at) => Math.exp(mixture.logDensity(at)))), grid),
    heatMap(flowName(bases.at(-1)!), log(densityOnGrid(flow, base, grid)), grid),
    pointMap('drawn from the CNF', drawnFrom(flow, base, 2000, random), grid),
    pointMap(
      'data',
      Array.from({ length: 2000 }, () => set.sample(random)),
      grid,
    ),
  ];
  return heatMaps(
    `${name}: density`,
    `Of the first run’s largest models. Logarithmic: dark is ${FLOOR} or less per unit of area.`,
    { x: 'x', y: 'y', unit: 'log10 density' },
    maps,
    [Math.log10(FLOOR), Math.log10(0.3)],
  );
}
