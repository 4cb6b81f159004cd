/**
 * Stochastic depth (Huang et al. 2016) for a continuous flow (src/cnf/stochastic-depth.ts). By the splitting method every mask makes a flow of its own with an
 * exact density; what those say of the whole flow is the question.
 */

import * as tf from '@tensorflow/tfjs-core';
import { affineSplit } from '../../../models/fields/affine-split.js';
import { Weights } from '../../../models/fields/weights.js';
import { logDensities, standardNormal } from '../../cnf/base.js';
import { fitLikelihood } from '../../cnf/fit.js';
import { cnf } from '../../cnf/flow.js';
import { splitting } from '../../cnf/solvers/splitting.js';
import { drawMask, masked, stochasticDepth } from '../../cnf/stochastic-depth.js';
import { PLANAR, samplePlanar } from '../data/planar.js';
import { atLeast, type Experiment, type Lab, type Table } from '../experiment.js';
import { lines } from '../figures.js';
import { mean, variance } from '../statistics.js';

const STEPS = 8;
const BATCH = 128;
const HIDDEN = [48, 48];
const base = standardNormal(2);

export const experiment: Experiment = {
  title: 'What does stochastic depth do to the likelihood?',
  claim:
    'The mean log-likelihood under random masks, which training sees, is a biased measure: it lies below that of the mixture of the masks (Jensen’s inequality), and below that of ' +
    'the whole depth, and falls as more steps are left out. As regularization it fits few training points less closely, and at a suitable p can narrow the gap to held-out data.',

  async run(lab) {
    const { quick, random, log } = lab;
    const budget = quick
      ? { steps: 120, points: 60, test: 500, masks: 12 }
      : { steps: 1000, points: 100, test: 4000, masks: 32 };
    const rates = quick ? [0, 0.4] : [0, 0.1, 0.2, 0.4];
    const few = samplePlanar(PLANAR.moons, budget.points, random);
    const x = samplePlanar(PLANAR.moons, budget.test, random);
    const fresh = () => samplePlanar(PLANAR.moons, BATCH, random);
    const run = (name: string, batch: () => tf.Tensor2D) =>
      rates.map((rate) => {
        const result = measure(rate, batch, [few, x], budget, lab);
        const told = [result.seen, result.held, result.mixed, result.masked].map((value) => value.toFixed(3));
        log(`${name}, p = ${rate}: few points, held-out, mixture, masks: ${told.join(', ')}`);
        return result;
      });
    const plenty = run('plenty of data', fresh);
    const scarce = run('few points', () => few.clone());
    tf.dispose([few, x]);
    const gaps = scarce.map(({ seen, held }) => seen - held);
    const cost = plenty.map(({ masked }) => plenty[0].masked - masked);
    const biases = plenty.map(({ held, masked }) => held - masked);
    const told = (results: readonly Result[]) => [
      {
        name: 'the training points, whole depth',
        points: at(
          rates,
          results.map(({ seen }) => seen),
        ),
      },
      {
        name: 'held-out, whole depth',
        points: at(
          rates,
          results.map(({ held }) => held),
        ),
      },
      {
        name: 'held-out, mixture of masks',
        points: at(
          rates,
          results.map(({ mixed }) => mixed),
        ),
      },
      {
        name: 'held-out, mean over masks',
        points: at(
          rates,
          results.map(({ masked }) => masked),
        ),
      },
    ];
    const axes = { x: { label: 'p, the share of steps left out' }, y: { label: 'log-density, nats per point' } };
    const jensen = [plenty, scarce].flatMap((results) => results.slice(1).map(({ mixed, masked }) => mixed - masked));
    return {
      configuration: {
        data: `moons; plenty: ${BATCH} new points a step; few: the same ${budget.points} in all steps; ${budget.test} held out`,
        field: `affine-split, hidden ${HIDDEN.join(' ')}, gated by time; splitting method, ${STEPS} steps`,
        training: `maximum likelihood, ${budget.steps} steps, rate 0.01, a new mask each step`,
        masks: budget.masks,
      },
      checks: [
        atLeast(
          'mixture of the drawn masks over their mean (Jensen: never less), least for any p above 0',
          Math.min(...jensen),
          0.005,
          'nats per point',
        ),
        atLeast(
          'plenty of data: bias, whole depth over mean under masks, at the largest p',
          biases.at(-1)!,
          0,
          'nats per point',
        ),
        atLeast(
          'plenty of data: cost of the largest p in mean log-likelihood under masks',
          cost.at(-1)!,
          0.02,
          'nats per point',
        ),
        atLeast(
          'few points: log-density of the training points, p = 0 less largest p',
          scarce[0].seen - scarce.at(-1)!.seen,
          0,
          'nats per point',
        ),
        atLeast(
          'few points: gap between training and held-out, p = 0 less the best p',
          gaps[0] - Math.min(...gaps.slice(1)),
          0,
          'nats per point',
        ),
      ],
      figures: [
        lines('Plenty of data', 'Of flows each trained with its own p.', axes, told(plenty).slice(1)),
        lines(`${budget.points} training points`, 'Of flows each trained with its own p.', axes, told(scarce)),
      ],
      tables: [
        table('Plenty of data: log-density, nats per point', rates, plenty),
        table(`${budget.points} training points: log-density, nats per point`, rates, scarce),
      ],
      notes: [
        'A training curve under stochastic depth shows the mean over masks. That understates the flow that is used afterwards, the whole depth, and the mixture of the drawn masks, which is a proper density, too. ' +
          'The field is an affine-split one because its splitting steps have exact densities with any mask: with few steps of Euler’s method training would learn to exploit the error of the divergence integral instead.',
        'On few points the fit to these always loosens as p grows. The gap to held-out data does not follow as smoothly: it is the mean of a few points that a flow gives next to no density, and too large a p makes a ' +
          'worse flow besides. One seed shows the kind of the effect, not its size.',
      ],
    };
  },
};

interface Result {
  /** Log-densities in nats per point: whole depth on training and held-out data. */
  readonly seen: number;
  readonly held: number;
  /** Held-out: of the mean density over masks, and the mean log-density with its standard error. */
  readonly mixed: number;
  readonly masked: number;
  readonly error: number;
}

interface Budget {
  readonly steps: number;
  readonly masks: number;
}

/** @param batch the training data of a step */
function measure(
  rate: number,
  batch: () => tf.Tensor2D,
  [seen, x]: readonly tf.Tensor2D[],
  { steps, masks }: Budget,
  { random }: Lab,
): Result {
  const weights = new Weights(random);
  const field = affineSplit(weights, { dimension: 2, hidden: HIDDEN, time: 'gated' });
  const whole = cnf(field, { method: { solver: splitting, steps: STEPS } });
  fitLikelihood(stochasticDepth(whole, { rate, draws: random }), base, { weights, batch, steps, rate: 0.01 });
  const drawn = () => masked(whole, drawMask(STEPS, rate, random));
  const found = Array.from({ length: rate > 0 ? masks : 1 }, () => logDensities(drawn(), base, x));
  const means = found.map(mean);
  const mixture = Float64Array.from({ length: x.shape[0] }, (_, i) => logMeanExp(found.map((logs) => logs[i])));
  return {
    seen: mean(logDensities(whole, base, seen)),
    held: mean(logDensities(whole, base, x)),
    mixed: mean(mixture),
    masked: mean(means),
    error: means.length > 1 ? Math.sqrt(variance(means) / means.length) : 0,
  };
}

function logMeanExp(values: readonly number[]): number {
  const largest = Math.max(...values);
  return largest + Math.log(mean(values.map((value) => Math.exp(value - largest))));
}

function at(x: readonly number[], y: readonly number[]): [number, number][] {
  return x.map((value, i) => [value, y[i]]);
}

function table(title: string, rates: readonly number[], results: readonly Result[]): Table {
  return {
    title,
    columns: [
      'p',
      'the training points',
      'held-out',
      'gap',
      'mixture of masks',
      'mean over masks',
      'standard error',
      'bias',
    ],
    rows: results.map(({ seen, held, mixed, masked, error }, i) => [
      rates[i],
      seen,
      held,
      seen - held,
      mixed,
      masked,
      error,
      held - masked,
    ]),
  };
}
