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
import type { Random } from '../../train/random.js';
import { PLANAR, samplePlanar } from '../data/planar.js';
import { atLeast, contest, type Experiment, type Table } from '../experiment.js';
import { lines } from '../figures.js';
import { RUNS, repeatedly, spreadOf } from '../spread.js';
import { mean } from '../statistics.js';

const STEPS = 8;
const BATCH = 128;
const HIDDEN = [48];
const base = standardNormal(2);

export const experiment: Experiment = {
  title: 'What does stochastic depth do to the likelihood?',
  claim:
    'The mean log-likelihood under random masks, which training sees, is a biased measure: it lies below that of the mixture of the masks (Jensen’s inequality), and below that of ' +
    'the whole depth, and falls as more steps are left out. As regularization it fits few training points less closely, and at a suitable p can narrow the gap to held-out data.',

  async run({ quick, random, log }) {
    const budget = quick
      ? { steps: 80, points: 40, test: 300, masks: 12 }
      : { steps: 1000, points: 100, test: 4000, masks: 32 };
    const rates = quick ? [0, 0.4] : [0, 0.1, 0.2, 0.4];
    const runs = repeatedly(random, (own, number) => {
      const few = samplePlanar(PLANAR.moons, budget.points, own);
      const x = samplePlanar(PLANAR.moons, budget.test, own);
      const learn = (batch: () => tf.Tensor2D) => rates.map((rate) => measure(rate, batch, [few, x], budget, own));
      const found = {
        plenty: learn(() => samplePlanar(PLANAR.moons, BATCH, own)),
        few: learn(() => few.clone()),
      };
      tf.dispose([few, x]);
      const told = Object.values(found).map((results) => results.map(({ held }) => held.toFixed(3)).join(', '));
      log(`run ${number + 1} of ${RUNS}, held-out: ${told.join('; few points: ')} nats per point`);
      return found;
    });
    type Data = 'plenty' | 'few';
    const of = (data: Data, number: (results: readonly Result[]) => number) =>
      spreadOf(runs, (run) => number(run[data]));
    const at = (data: Data, r: number, number: (result: Result) => number) => of(data, (all) => number(all[r]));
    const last = rates.length - 1;
    const gap = ({ seen, held }: Result) => seen - held;
    const curves = (data: Data, shown: readonly (readonly [string, keyof Result])[]) =>
      shown.map(([name, key]) => {
        const spreads = rates.map((_, r) => at(data, r, (result) => result[key]));
        return {
          name,
          points: spreads.map((one, r): [number, number] => [rates[r], one.mean]),
          errors: spreads.map(({ error }) => error),
        };
      });
    const table = (title: string, data: Data): Table => ({
      title,
      columns: ['p', 'the training points', 'held-out', 'gap', 'mixture of masks', 'mean over masks', 'bias'],
      rows: rates.map((rate, r) => [
        rate,
        at(data, r, ({ seen }) => seen),
        at(data, r, ({ held }) => held),
        at(data, r, gap),
        at(data, r, ({ mixed }) => mixed),
        at(data, r, ({ masked }) => masked),
        at(data, r, ({ held, masked }) => held - masked),
      ]),
    });
    const axes = { x: { label: 'p, the share of steps left out' }, y: { label: 'log-density, nats per point' } };
    const jensen = (data: Data) =>
      Math.min(...runs.flatMap((run) => run[data].slice(1).map(({ mixed, masked }) => mixed - masked)));
    return {
      configuration: {
        data: `moons; plenty: ${BATCH} new points a step; few: the same ${budget.points} in all steps; ${budget.test} held out`,
        field: `affine-split, hidden ${HIDDEN.join(' ')}, gated by time; splitting method, ${STEPS} steps`,
        training: `maximum likelihood, ${budget.steps} steps, rate 0.01, a new mask each step`,
        masks: budget.masks,
        spread: `over ${RUNS} runs, each with points of its own`,
      },
      checks: [
        ...(['plenty', 'few'] as const).map((data) =>
          atLeast(
            `${data === 'few' ? 'few points' : 'plenty of data'}: mixture of the drawn masks over their mean (Jensen: never less), least for any p above 0 and any run`,
            jensen(data),
            0.005,
            'nats per point',
          ),
        ),
        atLeast(
          'few points: gap between training and held-out at p = 0, or there is nothing to regularize',
          at('few', 0, gap),
          0.1,
          'nats per point',
        ),
      ],
      contests: [
        contest(
          `plenty of data, p = ${rates[last]}: the whole depth is ahead of the mean under masks`,
          at('plenty', last, ({ held, masked }) => held - masked),
          'nats per point',
          'Trained under masks, the flow is at its best with as many steps as training had on average, not with all.',
        ),
        contest(
          `plenty of data: without masks the flow is ahead of that by p = ${rates[last]}, whole depth`,
          of('plenty', (results) => results[0].held - results[last].held),
          'nats per point',
          'What masks cost is less than what two trainings differ by.',
        ),
        contest(
          `few points: p = ${rates[last]} fits them less closely`,
          of('few', (results) => results[0].seen - results[last].seen),
          'nats per point',
          'Training was too short to fit them closely without masks.',
        ),
        contest(
          `few points: p = ${rates[last]} narrows the gap to held-out data`,
          of('few', (results) => gap(results[0]) - gap(results[last])),
          'nats per point',
          'The gap is the mean of a few points that a flow gives next to no density, which masks move as chance has it.',
        ),
        contest(
          `few points: held-out data is likelier by p = ${rates[last]}`,
          of('few', (results) => results[last].held - results[0].held),
          'nats per point',
          'What masks save of overfitting they cost in fit.',
        ),
      ],
      figures: [
        lines(
          'Plenty of data',
          'Of flows each trained with its own p. Bars: standard error over runs.',
          axes,
          curves('plenty', SHOWN.slice(1)),
        ),
        lines(
          `${budget.points} training points`,
          'Of flows each trained with its own p. Bars: standard error over runs.',
          axes,
          curves('few', SHOWN),
        ),
      ],
      tables: [
        table('Plenty of data: log-density, nats per point', 'plenty'),
        table(`${budget.points} training points: log-density, nats per point`, 'few'),
      ],
      notes: [
        'A training curve under stochastic depth shows the mean over masks. That understates the flow that is used afterwards, the whole depth, and the mixture of the drawn masks, which is a proper density, too. ' +
          'The field is an affine-split one because its splitting steps have exact densities with any mask: with few steps of Euler’s method training would learn to exploit the error of the divergence integral instead.',
        'The gap to held-out data does not follow p smoothly: it is the mean of a few points that a flow gives next to no density, and too large a p makes a worse flow besides. Runs differ in their few points, too: errors say how far the effect holds for any.',
      ],
    };
  },
};

interface Result {
  /** Log-densities in nats per point: whole depth on training and held-out data. */
  readonly seen: number;
  readonly held: number;
  /** Held-out: of the mean density over masks, and the mean log-density. */
  readonly mixed: number;
  readonly masked: number;
}

const SHOWN: readonly (readonly [string, keyof Result])[] = [
  ['the training points, whole depth', 'seen'],
  ['held-out, whole depth', 'held'],
  ['held-out, mixture of masks', 'mixed'],
  ['held-out, mean over masks', 'masked'],
];

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
  random: Random,
): Result {
  const weights = new Weights(random);
  const field = affineSplit(weights, { dimension: 2, hidden: HIDDEN, time: 'gated' });
  const whole = cnf(field, { method: { solver: splitting, steps: STEPS } });
  fitLikelihood(stochasticDepth(whole, { rate, draws: random }), base, { weights, batch, steps, rate: 0.01 });
  const drawn = () => masked(whole, drawMask(STEPS, rate, random));
  const found = Array.from({ length: rate > 0 ? masks : 1 }, () => logDensities(drawn(), base, x));
  const mixture = Float64Array.from({ length: x.shape[0] }, (_, i) => logMeanExp(found.map((logs) => logs[i])));
  return {
    seen: mean(logDensities(whole, base, seen)),
    held: mean(logDensities(whole, base, x)),
    mixed: mean(mixture),
    masked: mean(found.map(mean)),
  };
}

function logMeanExp(values: readonly number[]): number {
  const largest = Math.max(...values);
  return largest + Math.log(mean(values.map((value) => Math.exp(value - largest))));
}
