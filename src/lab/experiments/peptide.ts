/**
 * Alanine dipeptide, 22 atoms, by a Boltzmann generator (Noe et al. 2019): a flow trained on molecules in equilibrium, whose density reweighs what it draws. In internal
 * coordinates it knows the molecule's hand; an equivariant flow on positions (Koehler, Klein, Noe 2020) has the symmetries and does not.
 */

import * as tf from '@tensorflow/tfjs-core';
import { equivariant } from '../../../models/fields/equivariant.js';
import type { VectorField } from '../../../models/fields/field.js';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { type Base, logDensities, standardNormal } from '../../cnf/base.js';
import { type DivergenceEstimator, exactDivergence, hutchinson, hutchPlusPlus } from '../../cnf/divergence.js';
import { fitLikelihood, fitVelocity } from '../../cnf/fit.js';
import { cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { midpoint } from '../../cnf/solvers/midpoint.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import type { Random } from '../../train/random.js';
import { centred, subspace } from '../data/molecules.js';
import { type Chart, chartOf } from '../data/peptide/chart.js';
import { energy } from '../data/peptide/energy.js';
import { at, INTERNALS, internalsOf, positionsOf } from '../data/peptide/internal.js';
import { samplePeptide } from '../data/peptide/sample.js';
import { ATOMS, BOLTZMANN, CENTRE, PHI, PSI } from '../data/peptide/topology.js';
import { atLeast, atMost, type Cell, contest, type Experiment, near, timed } from '../experiment.js';
import { type Figure, heatMaps, histogram } from '../figures.js';
import { boltzmannGap, effectiveShare } from '../importance.js';
import { RUNS, repeatedly, type Spread, spreadOf } from '../spread.js';
import { mean, median, variance } from '../statistics.js';
import { TRAINING, TRAINING_TOLD } from '../training.js';

/** Kelvin: hot enough for every torsion to cross its barriers in a short run. */
const TEMPERATURE = 600;
const HEAT = BOLTZMANN * TEMPERATURE;
const [BATCH, RATE] = [128, 0.004];
const STEPS = 6;
/** Molecules that a symmetry or a solver is tried on. */
const FEW = 10;
/** Units of the equivariant flow's space to a nanometre: coordinates there vary by about 1. */
const UNITS = 6;
const POSITIONS = 3 * ATOMS.length;
const FREE = POSITIONS - 3;

interface Budget {
  readonly molecules: number;
  readonly held: number;
  readonly drawn: number;
  readonly hidden: readonly number[];
  readonly matching: number;
  /** Steps of maximum likelihood behind them, with one probe. */
  readonly likelihood: number;
  /** Of the equivariant flow. */
  readonly equivariant: {
    readonly hidden: number;
    readonly steps: number;
    readonly batch: number;
    readonly tested: number;
  };
  /** Molecules that the estimates of the divergence are compared on. */
  readonly compared: number;
}

export const experiment: Experiment = {
  title: 'Can a flow draw a molecule of 22 atoms, its energy, and its hand?',
  claim:
    'In internal coordinates a flow fits alanine dipeptide better than a Gaussian, and its draws, weighed by exp(-E / kT) over their density, are effectively more. ' +
    'An equivariant flow on positions needs no coordinates but cannot tell a molecule from its mirror image: half of what it draws has the wrong hand. One random probe of the ' +
    'divergence instead of 60 products pays for mean likelihoods, and not for weights.',

  async run(lab) {
    const { quick, random, log } = lab;
    const budget: Budget = quick
      ? {
          molecules: 600,
          held: 40,
          drawn: 60,
          hidden: [32, 32],
          matching: 60,
          likelihood: 20,
          equivariant: { hidden: 4, steps: 12, batch: 16, tested: 40 },
          compared: 24,
        }
      : {
          molecules: 6000,
          held: 300,
          drawn: 600,
          hidden: [96, 96],
          matching: 2000,
          likelihood: 150,
          equivariant: { hidden: 12, steps: 250, batch: 32, tested: 300 },
          compared: 100,
        };
    const runs = repeatedly(random, (own, run) => {
      const found = study(budget, own);
      log(
        `run ${run + 1}: flow ${found.flow.score.toFixed(2)}, Gaussian ${found.gaussian.score.toFixed(2)}, equivariant ${found.equivariant.score.toFixed(2)} nats; effective ${(100 * found.flow.effective).toFixed(2)} and ${(100 * found.gaussian.effective).toFixed(2)} %`,
      );
      return found;
    });
    const [first] = runs;
    const over = (number: (run: Run) => number) => spreadOf(runs, number);
    const models = ['flow', 'gaussian', 'equivariant'] as const;
    const named = {
      flow: 'flow, internal coordinates',
      gaussian: 'Gaussian there, full covariance',
      equivariant: 'equivariant flow, positions',
    };
    return {
      configuration: {
        molecule: `acetyl-alanine-methylamide (L), ${ATOMS.length} atoms, AMBER ff96 in vacuum, ${TEMPERATURE} K`,
        data: `Metropolis sampling of internal coordinates; ${budget.molecules} molecules and ${budget.held} held out, for each run its own`,
        coordinates: `${INTERNALS} internal ones, freely turning torsions on a line by the logistic function, whitened by mean and covariance`,
        flow: `MLP, hidden ${budget.hidden.join(' ')}, gated by time; flow matching, ${budget.matching} steps of ${BATCH}, then maximum likelihood, ${budget.likelihood} steps with one Rademacher probe (${TRAINING_TOLD})`,
        equivariant: `hidden ${budget.equivariant.hidden}, ${budget.equivariant.steps} steps of ${budget.equivariant.batch}; Rademacher estimate of the divergence`,
        drawn: budget.drawn,
        solver: `RK4, ${STEPS} steps`,
      },
      contests: [
        contest(
          'the flow in internal coordinates fits better than a Gaussian there',
          over(({ flow, gaussian }) => flow.score - gaussian.score),
          'nats per molecule',
          'The Gaussian has the covariance of everything for nothing; a flow of few steps has to learn the valleys of phi and psi before its noise in 58 other directions is paid for.',
        ),
        contest(
          'its draws are effectively more than the Gaussian’s',
          over(({ flow, gaussian }) => Math.log10(flow.effective / gaussian.effective)),
          'powers of ten of the effective share',
          'The effective share is ruled by the largest weight: as long as a few draws of either have all the weight, it says little.',
        ),
        contest(
          'it fits better than the equivariant flow, whose training takes as long or longer',
          over(({ flow, equivariant }) => flow.score - equivariant.score),
          'nats per molecule',
          'Positions have no stiff directions taken out.',
        ),
      ],
      checks: [
        atMost(
          'data: share of the wrong hand',
          over(({ data }) => data.wrongHand),
          0,
          'of all',
        ),
        atMost(
          'flow in internal coordinates: share of the wrong hand',
          over(({ flow }) => flow.wrongHand),
          0.02,
          'of draws',
        ),
        near(
          'equivariant flow: share of the wrong hand',
          over(({ equivariant }) => equivariant.wrongHand),
          0.5,
          quick ? 0.12 : 0.05,
          'of draws',
        ),
        atMost(
          'equivariant flow: log-density of a mirror image less that of the molecule, largest',
          Math.max(...runs.map(({ equivariant }) => equivariant.mirrored)),
          5e-3,
          'nats',
        ),
        atMost(
          'flow in internal coordinates: log-density of a mirror image less that of the molecule',
          over(({ flow }) => flow.mirrored),
          -10,
          'nats',
        ),
        atMost(
          'flow: log-density by training’s steps less by twice as many, off by',
          Math.max(...runs.map(({ solverError }) => solverError)),
          0.1,
          'nats per molecule',
        ),
        atLeast(
          'the truth ahead of the flow (Kullback-Leibler divergence, by Bennett’s ratio)',
          over(({ flow }) => flow.behind),
          0,
          'nats per molecule',
        ),
        atMost(
          'one probe: mean less that of the exact divergence',
          Math.max(...runs.map(({ estimates }) => Math.abs(estimates[0].bias))),
          4,
          'standard errors',
        ),
        timed(
          atLeast(
            'a mean log-density as sure as this one: time with the exact divergence over that with one probe',
            over(({ estimates }) => estimates.at(-1)!.cost / estimates[0].cost),
            1,
            'times',
          ),
        ),
        atMost(
          'effective share that one probe’s noise leaves, at the most, of that with the exact divergence',
          over(({ estimates }) => Math.exp(-estimates[0].noise)),
          0.9,
          'of it',
        ),
      ],
      tables: [
        {
          title: `Models: mean ± standard error of ${RUNS} runs; log-density of positions about their mean, lengths in nanometres`,
          columns: [
            'model',
            'held-out, nats',
            'behind the truth',
            'effective draws, %',
            'median energy, kT',
            'wrong hand, %',
            'to train, s',
          ],
          rows: [
            ...models.map((name) => [
              named[name],
              over((run) => run[name].score),
              over((run) => run[name].behind),
              over((run) => 100 * run[name].effective),
              told(over((run) => run[name].energy)),
              over((run) => 100 * run[name].wrongHand),
              over((run) => run[name].seconds),
            ]),
            ['data', '', '', '', over(({ data }) => data.energy), over(({ data }) => 100 * data.wrongHand), ''],
          ],
        },
        {
          title: `Estimates of the flow’s divergence in ${INTERNALS} dimensions, ${budget.compared} held-out molecules`,
          columns: [
            'divergence',
            'products',
            'ms per molecule',
            'noise of a log-density, nats',
            'error of a mean in equal time (exact: 1)',
            'effective draws left',
          ],
          rows: first.estimates.map(({ name, products }, i) => [
            name,
            products,
            over(({ estimates }) => estimates[i].milliseconds),
            over(({ estimates }) => Math.sqrt(estimates[i].noise)),
            over(({ estimates }) => Math.sqrt(estimates[i].cost / estimates.at(-1)!.cost)),
            over(({ estimates }) => Math.exp(-estimates[i].noise)),
          ]),
        },
      ],
      figures: first.figures,
      notes: [
        'The effective share of n draws is 1 / n where one has all the weight. Density, energy and weight belong to positions of the atoms about their mean: internal coordinates come with their volume (twice the logarithms of lengths, and those of the angles’ sines) and with that of all orientations, so that all three models are ' +
          'measured in one unit. The truth’s own constant, log of the partition function, comes from data and draws together (Bennett 1976).',
        'Hutchinson’s noise adds to the spread of log-densities over molecules, which is there anyway: a mean over as many molecules as fit into the time gains. A weight is an exponential of one log-density: noise of variance v takes exp(-v) of the effective ' +
          'share, however many draws there are. Hutch++ spends products on the directions in which the Jacobian is largest where the path begins, and pays where those stay.',
        'The equivariant field asks each of the 462 ordered pairs of atoms; its exact divergence would take 66 products of that. Its likelihood here is that of a short training: what it needs in time is the finding.',
      ],
    };
  },
};

/** Atoms that lie in each other have energies of many digits. */
function told(energy: Spread): Cell {
  return energy.mean < 1e5 ? energy : energy.mean.toExponential(1);
}

interface Model {
  /** Mean held-out log-density. */
  readonly score: number;
  /** Of the truth, by Bennett's ratio. */
  readonly behind: number;
  /** Kish's effective sample size over that of draws. */
  readonly effective: number;
  /** Median of draws, in kT. */
  readonly energy: number;
  readonly wrongHand: number;
  readonly seconds: number;
}

/** One estimator of the divergence. */
interface Estimate {
  readonly name: string;
  readonly products: number;
  readonly milliseconds: number;
  /** Variance about the exact log-density, in nats². */
  readonly noise: number;
  /** Mean less the exact one's, in standard errors. */
  readonly bias: number;
  /** Time times the variance of a log-density over molecules: what a mean of a given error costs. */
  readonly cost: number;
}

interface Run {
  readonly flow: Model & { readonly mirrored: number };
  readonly gaussian: Model;
  readonly equivariant: Model & { readonly mirrored: number };
  readonly data: Pick<Model, 'energy' | 'wrongHand'>;
  readonly solverError: number;
  readonly estimates: readonly Estimate[];
  readonly figures: readonly Figure[];
}

function study(budget: Budget, random: Random): Run {
  const data = samplePeptide(TEMPERATURE, budget.molecules + budget.held, random);
  const seen = data.subarray(0, budget.molecules * INTERNALS);
  const held = data.subarray(seen.length);
  const chart = chartOf(seen);
  const base = standardNormal(INTERNALS);
  const points = chart.points(seen);
  const weights = new Weights(random);
  const field = mlp(weights, { dimension: INTERNALS, hidden: budget.hidden, time: 'gated' });
  const batch = batchOf(points, INTERNALS, BATCH, random);
  const trained = cnf(field, { ...TRAINING, divergence: hutchinson({ noise: 'rademacher', draws: random }) });
  const seconds = timeOf(() => {
    fitVelocity(field, base, { weights, batch, steps: budget.matching, rate: RATE }, random);
    fitLikelihood(trained, base, { weights, batch, steps: budget.likelihood, rate: RATE });
  });
  const inside = (model: Inside) => judge(model, chart, { held, drawn: budget.drawn }, random);
  const flow = inside({ field, base, divergence: exactDivergence });
  const gaussian = inside({ base });
  const outside = studyPositions(budget, { seen, held }, random);
  const x = toTensor(chart.points(held), INTERNALS);
  const few = held.subarray(0, FEW * INTERNALS);
  const ofFew = meanLog({ field, base }, chart, few);
  const mirrored = meanLog({ field, base }, chart, mirrorImages(few)) - ofFew;
  const solverError = Math.abs(meanLog({ field, base, steps: 2 * STEPS }, chart, few) - ofFew);
  const estimates = compareEstimates(
    field,
    base,
    tf.slice(x, [0, 0], [Math.min(budget.compared, budget.held), -1]),
    random,
  );
  x.dispose();
  tf.dispose(weights.variables);
  return {
    flow: { ...flow.model, seconds, mirrored },
    gaussian: { ...gaussian.model, seconds: 0 },
    equivariant: outside.model,
    data: { energy: median(energies(held)), wrongHand: wrongHand(held) },
    solverError,
    estimates,
    figures: figuresOf(held, flow.drawn, gaussian.drawn, outside.drawn),
  };
}

/** A model in whitened internal coordinates; without a field the base itself. */
interface Inside {
  readonly field?: VectorField;
  readonly base: Base;
  readonly divergence?: DivergenceEstimator;
  readonly steps?: number;
}

/** Log-densities of positions, of molecules by internal coordinates. */
function logsOf(
  { field, base, divergence, steps = STEPS }: Inside,
  chart: Chart,
  internals: Float64Array,
): Float64Array {
  const x = toTensor(chart.points(internals), INTERNALS);
  const logs = field
    ? logDensities(cnf(field, { method: { solver: rk4, steps }, divergence }), base, x, 100)
    : scoped(() => base.logDensity(x).dataSync<'float32'>().slice());
  x.dispose();
  const units = chart.logUnits(internals);
  return Float64Array.from(logs, (log, i) => log + units[i]);
}

function meanLog(model: Inside, chart: Chart, internals: Float64Array): number {
  return mean(logsOf(model, chart, internals));
}

function judge(
  model: Inside,
  chart: Chart,
  { held, drawn: count }: { held: Float64Array; drawn: number },
  random: Random,
): { model: Omit<Model, 'seconds'>; drawn: Float64Array } {
  const { field, base } = model;
  const drawn = scoped(() => {
    const z = base.sample(count, random);
    const x = field ? cnf(field, { method: { solver: rk4, steps: STEPS } }).inverse(z) : z;
    return chart.internals(x.dataSync<'float32'>());
  });
  return { model: verdictOf(logsOf(model, chart, held), logsOf(model, chart, drawn), held, drawn), drawn };
}

/** What log-densities of held-out molecules and of draws say together with their energies. */
function verdictOf(
  heldLogs: Float64Array,
  drawnLogs: Float64Array,
  held: Float64Array,
  drawn: Float64Array,
): Omit<Model, 'seconds'> {
  const weigh = (logs: Float64Array, of: Float64Array) => {
    const own = energies(of);
    // A draw whose lengths or angles are no molecule's has no weight.
    return logs.map((log, i) => (Number.isFinite(log) ? -own[i] - log : Number.NEGATIVE_INFINITY));
  };
  const [ofData, ofDraws] = [weigh(heldLogs, held), weigh(drawnLogs, drawn)];
  return {
    score: mean(heldLogs),
    behind: boltzmannGap(ofData, ofDraws),
    effective: effectiveShare(ofDraws),
    energy: median(energies(drawn)),
    wrongHand: wrongHand(drawn),
  };
}

/** The equivariant flow on positions about their mean. */
function studyPositions(
  { equivariant: own, drawn: count }: Budget,
  { seen, held }: { seen: Float64Array; held: Float64Array },
  random: Random,
): { model: Run['equivariant']; drawn: Float64Array } {
  const kinds = ATOMS.map(({ kind }) => kind);
  const base = standardNormal(FREE, tf.keep(subspace(ATOMS.length)));
  const weights = new Weights(random);
  const field = equivariant(weights, { kinds, space: 3, hidden: own.hidden });
  const scale = (internals: Float64Array): Float64Array =>
    Float64Array.from(each(internals).flatMap((own) => centred(Array.from(positionsOf(own))).map((v) => v * UNITS)));
  const points = scale(seen);
  const seconds = timeOf(() =>
    fitVelocity(
      field,
      base,
      { weights, batch: batchOf(points, POSITIONS, own.batch, random), steps: own.steps, rate: 0.01 },
      random,
    ),
  );
  const method = { solver: rk4, steps: 3 };
  const estimated = cnf(field, { method, divergence: hutchinson({ noise: 'rademacher', draws: random }) });
  const logs = (of: Float64Array) => {
    const x = toTensor(of, POSITIONS);
    const found = Float64Array.from(logDensities(estimated, base, x, 20), (log) => log + FREE * Math.log(UNITS));
    x.dispose();
    return found;
  };
  const drawnAt = scoped(() => {
    const parts = Array.from({ length: Math.ceil(own.tested / 20) }, () =>
      Array.from(estimated.inverse(base.sample(20, random)).dataSync<'float32'>()),
    );
    return Float64Array.from(parts.flat());
  });
  const drawn = allInternals(drawnAt.map((v) => v / UNITS));
  const tested = held.subarray(0, Math.min(own.tested, held.length / INTERNALS) * INTERNALS);
  const model = verdictOf(logs(scale(tested)), logs(drawnAt), tested, drawn);
  const one = scale(tested.subarray(0, INTERNALS));
  // A symmetry holds for every step of any solver: one is enough, for the exact divergence is dear.
  const exact = cnf(field, { method: { solver: midpoint, steps: 1 } });
  const pair = toTensor([...one, ...one.map((v, i) => (i % 3 === 0 ? -v : v))], POSITIONS);
  const [straight, mirror] = logDensities(exact, base, pair, 1);
  pair.dispose();
  tf.dispose(weights.variables);
  return {
    model: { ...model, seconds, mirrored: Math.abs(straight - mirror) },
    drawn: drawn.subarray(0, count * INTERNALS),
  };
}

function compareEstimates(field: VectorField, base: Base, x: tf.Tensor2D, random: Random): Estimate[] {
  const probes = (count: number) => hutchinson({ noise: 'rademacher', probes: count, draws: random });
  const estimators: [string, number, DivergenceEstimator][] = [
    ['one Rademacher probe', 1, probes(1)],
    ['8 probes', 8, probes(8)],
    ['Hutch++, 6 directions and 2 probes', 8, hutchPlusPlus({ rank: 6, probes: 2, draws: random })],
    ['exact', INTERNALS, exactDivergence],
  ];
  const measured = estimators.map(([name, products, divergence]) => {
    const flow = cnf(field, { method: { solver: rk4, steps: STEPS }, divergence });
    let logs: Float32Array = new Float32Array(0);
    const seconds = timeOf(() => {
      logs = logDensities(flow, base, x, 100);
    });
    return { name, products, milliseconds: (1000 * seconds) / x.shape[0], logs };
  });
  const exact = measured.at(-1)!.logs;
  return measured.map(({ logs, ...rest }) => {
    const away = Array.from(logs, (log, i) => log - exact[i]);
    const noise = logs === exact ? 0 : variance(away);
    return {
      ...rest,
      noise,
      bias: noise > 0 ? mean(away) / Math.sqrt(noise / away.length) : 0,
      cost: rest.milliseconds * (variance(exact) + noise),
    };
  });
}

function batchOf(points: ArrayLike<number>, dimension: number, size: number, random: Random): () => tf.Tensor2D {
  const all = Float32Array.from(points);
  return () => {
    const values = new Float32Array(size * dimension);
    for (let i = 0; i < size; i++) {
      const begin = dimension * random.below(all.length / dimension);
      values.set(all.subarray(begin, begin + dimension), i * dimension);
    }
    return tf.tensor2d(values, [size, dimension]);
  };
}

function toTensor(values: ArrayLike<number>, dimension: number): tf.Tensor2D {
  return tf.tensor2d(Float32Array.from(values), [values.length / dimension, dimension]);
}

function timeOf(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

function each(internals: Float64Array): Float64Array[] {
  return Array.from({ length: internals.length / INTERNALS }, (_, i) =>
    internals.subarray(i * INTERNALS, (i + 1) * INTERNALS),
  );
}

/** In kT. */
function energies(internals: Float64Array): number[] {
  return each(internals).map((own) => energy(positionsOf(own)) / HEAT);
}

function allInternals(positions: Float64Array): Float64Array {
  const count = positions.length / POSITIONS;
  const found = new Float64Array(count * INTERNALS);
  for (let i = 0; i < count; i++)
    found.set(internalsOf(positions.slice(i * POSITIONS, (i + 1) * POSITIONS)), i * INTERNALS);
  return found;
}

/** The same molecules in a mirror: all torsions with the other sign. */
function mirrorImages(internals: Float64Array): Float64Array {
  return internals.map((value, i) => (i % INTERNALS < at.torsion(3) ? value : -value));
}

/** Share of molecules whose alpha carbon has the right hand's neighbours (D). */
function wrongHand(internals: Float64Array): number {
  const { carbon, neighbours } = CENTRE;
  return mean(
    each(internals).map((own) => {
      const x = positionsOf(own);
      const [a, b, c] = neighbours.map((i) => [0, 1, 2].map((k) => x[3 * i + k] - x[3 * carbon + k]));
      const triple =
        a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
      return triple > 0 ? 0 : 1;
    }),
  );
}

function figuresOf(held: Float64Array, flow: Float64Array, gaussian: Float64Array, positions: Float64Array): Figure[] {
  const degrees = (of: Float64Array) =>
    each(of).map((own) => [PHI, PSI].map((atom) => (own[at.torsion(atom)] * 180) / Math.PI));
  const circle: [number, number] = [-180, 180];
  const map = (name: string, of: Float64Array) => ({ name, points: degrees(of), x: circle, y: circle });
  return [
    heatMaps(
      'Backbone torsions',
      'Phi and psi of each molecule of the first run: the valleys that the chain of atoms lies in.',
      { x: 'phi, degrees', y: 'psi, degrees', unit: '' },
      [map('data', held), map('flow', flow), map('Gaussian', gaussian), map('equivariant flow', positions)],
    ),
    histogram(
      'Energies',
      'Of the first run’s molecules; what lies farther right is not shown.',
      'energy, kT',
      [
        { name: 'data', values: energies(held) },
        { name: 'flow', values: energies(flow) },
        { name: 'Gaussian', values: energies(gaussian) },
        { name: 'equivariant flow', values: energies(positions) },
      ],
      [-20, 120],
      35,
    ),
  ];
}
