/**
 * Batch normalization as a layer of a flow (Dinh et al. 2017, section 3.7): with the statistics of the batch at hand the density of a point would depend on
 * its neighbours in the batch, and the map have no inverse; with moving averages, held as constants, it is an affine layer with an exact one.
 */

import * as tf from '@tensorflow/tfjs-core';
import { matMul, scale, shift, tanh } from '../../../models/fields/dual.js';
import type { VectorField } from '../../../models/fields/field.js';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { type BatchNorm, batchNorm } from '../../../models/layers/batch-norm.js';
import type { Layer } from '../../../models/layers/layer.js';
import { logDensities, logDensity, standardNormal } from '../../cnf/base.js';
import { fitLikelihood } from '../../cnf/fit.js';
import { chain, cnf, jacobian } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { midpoint } from '../../cnf/solvers/midpoint.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import type { Method } from '../../cnf/solvers/solve.js';
import type { Random } from '../../train/random.js';
import { negativeEntropy, PLANAR, samplePlanar } from '../data/planar.js';
import { atLeast, atMost, type Cell, contest, type Experiment, near } from '../experiment.js';
import { lines } from '../figures.js';
import { centres, type Grid, integral } from '../plane.js';
import { RUNS, repeatedly, spreadOf } from '../spread.js';
import { mean, smoothed } from '../statistics.js';

/** The data: moons, stretched and shifted, so that its coordinates differ in scale as measurements in different units do. */
const SCALE = [4, 0.25];
const SHIFT = [6, -1];
const BATCH = 128;
const HIDDEN = [32, 32];
/** Every flow learns with each of these, and counts with the one that does best on points that are neither learned from nor tested on. */
const RATES = { quick: [0.01, 0.03], whole: [0.003, 0.01, 0.03] };
const SMOOTHING = 10;
/** The flows that are compared. */
const NAMES = ['with batch normalization', 'without', 'without, data standardized'];
const MAKERS: readonly ((random: Random) => Flow)[] = [
  (random) => normalizedFlow(new Weights(random)),
  (random) => plainFlow(new Weights(random)),
  standardizedFlow,
];
const base = standardNormal(2);

export const experiment: Experiment = {
  title: 'What does batch normalization do in a flow?',
  claim:
    'With frozen statistics batch normalization is an invertible layer with a known determinant: the density stays normalized and does not depend on the batch. It takes badly scaled ' +
    'data to where a field can move them, so that training gets further in as many steps, each flow by the learning rate that suits it; between two fields it helps beyond what standardizing the data does.',

  async run({ quick, random, log }) {
    const steps = quick ? 20 : 300;
    const test = quick ? 500 : 4000;
    const grid: Grid = { cells: quick ? 40 : 200, reach: 3.6 };
    const rates = quick ? RATES.quick : RATES.whole;
    const x = sample(test, random);
    const truth = negativeEntropy(PLANAR.moons, 20_000, random) - Math.log(SCALE[0] * SCALE[1]);
    const exact = scoped(() => moments(sample(50_000, random)));
    const runs = repeatedly(random, (own, run) => {
      const chosen = MAKERS.map((make) => best(make, { rates, steps, test }, exact, own));
      const held = chosen.map(({ flow }) => mean(logDensities(flow.fine, base, x)));
      log(
        `run ${run + 1} of ${RUNS}: ${chosen.map(({ rate }, i) => `${held[i].toFixed(3)} by rate ${rate}`).join(', ')} nats`,
      );
      return { chosen, held };
    });
    const [{ chosen }] = runs;
    const [{ flow: normalized, distances }] = chosen;
    const of = (i: number) => spreadOf(runs, ({ held }) => held[i]);
    const gain = (over: number) => spreadOf(runs, ({ held }) => held[0] - held[over]);
    const part = tf.slice(x, [0, 0], [50, 2]);
    const [norm] = normalized.norms;
    const alone = properties(norm.layer, part);
    const whole = properties(normalized.fine, part);
    const drawn = (count: number) => sample(count, random);
    const batchwise = dependence(batchStatistics, drawn);
    const frozen = dependence((points) => logDensity(normalized.fine, base, points), drawn);
    const inside = (['batch', 'frozen'] as const).map((statistics) => insideField(statistics, random));
    const total = totalMass(normalized.fine, grid);
    tf.dispose([x, part]);
    return {
      configuration: {
        data: `moons, scaled by ${SCALE.join(' and ')}, shifted by ${SHIFT.join(' and ')}`,
        flow: `batch norm, CNF, batch norm, CNF; without: CNF, CNF; standardized: the data’s own mean and deviation, CNF, CNF`,
        fields: `MLP, hidden ${HIDDEN.join(' ')}, midpoint method, 2 steps each; tested with RK4, 12`,
        'moving averages': 'memory 0.95',
        training: `maximum likelihood, ${steps} steps of ${BATCH}, gradients clipped; of the rates ${rates.join(', ')} for each flow and run that which does best on ${test} points apart`,
        'held-out points': test,
        spread: `over ${RUNS} runs`,
      },
      checks: [
        atMost('the layer alone: inverse of forward, in units of the data’s scale', alone.inverse, 1e-5),
        atMost('the layer alone: log-determinant against the Jacobian’s', alone.determinant, 1e-5, 'nats'),
        atMost('the whole flow: inverse of forward, in units of the data’s scale', whole.inverse, 1e-3),
        atMost('the whole flow: log-determinant against the Jacobian’s', whole.determinant, 5e-3, 'nats'),
        atMost('frozen statistics: log-density of a point in one batch against in another', frozen, 1e-3, 'nats'),
        atLeast(
          'statistics of the batch (one such layer before a normal): the same difference',
          batchwise,
          0.05,
          'nats',
        ),
        atLeast(
          'within the field, statistics of the batch: log-density of a point in one batch against in another',
          inside[0].dependence,
          0.02,
          'nats',
        ),
        atMost('within the field, frozen statistics: the same', inside[1].dependence, 1e-3, 'nats'),
        atLeast(
          'within the field, statistics of the batch: a point brought back in other company, off by',
          inside[0].inverse,
          0.02,
        ),
        atMost('within the field, frozen statistics: the same', inside[1].inverse, 1e-3),
        near('the density integrates to', total, 1, 0.03),
        atMost('distance of the moving averages from the data’s moments', distances.at(-1)![1], 0.1, 'of the scale'),
      ],
      contests: [
        contest(
          'batch normalization is ahead of none, on data whose coordinates differ in scale',
          gain(1),
          'nats per point',
          'Scales so far apart a field learns by itself, given time and a learning rate that suits it.',
        ),
        contest(
          'batch normalization is ahead of none, on data standardized beforehand',
          gain(2),
          'nats per point',
          'Two fields suffice for such data, and what lies between them is not badly scaled: normalizing it anew, by averages that move, only adds noise.',
        ),
      ],
      figures: [
        lines(
          'Training',
          `Negative log-likelihood above the entropy of the data, means over ${SMOOTHING} batches, logarithmic; first run, best rate.`,
          {
            x: { label: 'training step' },
            y: { label: 'nats per point above the entropy', type: 'log', tickFormat: '~g', ticks: 5 },
          },
          chosen.map(({ losses }, i) => ({
            name: NAMES[i],
            points: smoothed(losses, SMOOTHING).map(([step, loss]): [number, number] => [
              step,
              Math.max(loss + truth, 0.01),
            ]),
          })),
          false,
        ),
        lines(
          'Moving averages',
          'Distance of the first layer’s averages from the mean and standard deviation of the data, in units of the latter.',
          { x: { label: 'batches observed' }, y: { label: 'distance, of the scale' } },
          [{ name: 'averages', points: distances }],
          false,
        ),
      ],
      tables: [
        {
          title: 'Held-out log-density',
          columns: ['flow', 'nats per point', 'behind the truth', 'best rates, by run'],
          rows: [
            ...NAMES.map((name, i): Cell[] => [
              name,
              of(i),
              spreadOf(runs, ({ held }) => truth - held[i]),
              runs.map(({ chosen }) => chosen[i].rate).join(', '),
            ]),
            ['truth', truth, 0, ''],
          ],
        },
      ],
      notes: [
        'The averages move while the flow trains; each step’s loss treats them as constants, so that the gradient does not know of them. Used as a layer they are frozen: only then ' +
          'is there a density to speak of. With the batch’s own mean and deviation a point’s log-density changes with the company it is in, by the difference that the check shows.',
        'Within a field the same holds: with the batch’s statistics a point’s velocity depends on its company at every moment of its path, so that there is neither a density of one point nor a way back for it alone; frozen statistics are constants of ' +
          'the network, and its divergence counts them.',
        'The first comparison is what batch normalization, or any standardization, is worth to data that comes as it is; only the second says what its layers do beyond.',
      ],
    };
  },
};

interface Flow {
  readonly layer: Layer;
  /** The same integrated finely, to be tested. */
  readonly fine: Layer;
  readonly weights: Weights;
  /** Layers that observe, with what leads up to each. */
  readonly norms: readonly { readonly layer: BatchNorm; readonly before: Layer }[];
}

const COARSE: Method = { solver: midpoint, steps: 2 };
const FINE: Method = { solver: rk4, steps: 12 };

function blocks(weights: Weights): { coarse: Layer; fine: Layer } {
  const field = mlp(weights, { dimension: 2, hidden: HIDDEN, time: 'gated' });
  return { coarse: cnf(field, { method: COARSE }), fine: cnf(field, { method: FINE }) };
}

function normalizedFlow(weights: Weights): Flow {
  const norms = [0, 1].map(() => batchNorm(weights, { dimension: 2 }));
  const [first, second] = [blocks(weights), blocks(weights)];
  const before = [chain([]), chain([norms[0], first.coarse])];
  return {
    layer: chain([norms[0], first.coarse, norms[1], second.coarse]),
    fine: chain([norms[0], first.fine, norms[1], second.fine]),
    weights,
    norms: norms.map((layer, i) => ({ layer, before: before[i] })),
  };
}

function plainFlow(weights: Weights): Flow {
  const [first, second] = [blocks(weights), blocks(weights)];
  return { layer: chain([first.coarse, second.coarse]), fine: chain([first.fine, second.fine]), weights, norms: [] };
}

/** The plain flow behind an affine layer of the data's own moments, which is not trained. */
function standardizedFlow(random: Random): Flow {
  const fixed = batchNorm(new Weights(random), { dimension: 2 });
  scoped(() => fixed.observe(sample(50_000, random)));
  const { layer, fine, ...plain } = plainFlow(new Weights(random));
  return { layer: chain([fixed, layer]), fine: chain([fixed, fine]), ...plain };
}

/** A flow that has learned. */
interface Trained {
  readonly flow: Flow;
  readonly rate: number;
  readonly losses: readonly number[];
  /** How far the first layer's averages were from the data's moments, after each batch. */
  readonly distances: readonly [number, number][];
}

/** Learns with each of several rates, and takes what is best on points of its own. */
function best(
  make: (random: Random) => Flow,
  { rates, steps, test }: { rates: readonly number[]; steps: number; test: number },
  exact: Moments,
  random: Random,
): Trained {
  const apart = sample(test, random);
  const tried = rates.map((rate) => {
    const flow = make(random);
    const { layer, weights, norms } = flow;
    const distances: [number, number][] = [];
    const batch = () => {
      const drawn = sample(BATCH, random);
      observe(norms, drawn);
      if (norms.length > 0) distances.push([distances.length + 1, distanceOfAverages(norms[0].layer, exact)]);
      return drawn;
    };
    const losses = fitLikelihood(layer, base, { weights, batch, steps, rate });
    return { flow, rate, losses, distances, value: mean(logDensities(flow.fine, base, apart)) };
  });
  apart.dispose();
  return tried.reduce((one, other) => (other.value > one.value ? other : one));
}

function observe(norms: Flow['norms'], x: tf.Tensor2D): void {
  for (const { layer, before } of norms) scoped(() => layer.observe(before.map({ value: x }).value));
}

function sample(points: number, random: Random): tf.Tensor2D {
  return tf.tidy(() => tf.add<tf.Tensor2D>(tf.mul(samplePlanar(PLANAR.moons, points, random), [SCALE]), [SHIFT]));
}

/**
 * A field whose hidden units are normalized before their nonlinearity, by the moments of the batch at hand or by such of a large one, as constants. What company does to a
 * point there: mean change of its log-density, and how far off it is when it is brought back in other company.
 */
function insideField(statistics: 'batch' | 'frozen', random: Random): { dependence: number; inverse: number } {
  const weights = new Weights(random);
  const [into, out] = [weights.matrix(2, HIDDEN[0]), weights.matrix(HIDDEN[0], 2)];
  const draw = (points: number) => samplePlanar(PLANAR.moons, points, random);
  const momentsOf = (hidden: tf.Tensor2D) => tf.moments(hidden, 0, true);
  const frozen = tf.tidy(() => momentsOf(tf.matMul(draw(5000), into)));
  const field: VectorField = {
    dimension: 2,
    at(x) {
      const hidden = matMul(x, into);
      const { mean: centre, variance } = statistics === 'batch' ? momentsOf(hidden.value) : frozen;
      const normalized = scale(shift(hidden, tf.neg(centre)), tf.rsqrt(tf.add(variance, 1e-4)));
      return matMul(tanh(normalized), out);
    },
  };
  const flow = cnf(field, { method: { solver: rk4, steps: 12 } });
  const densities = dependence((points) => logDensity(flow, base, points), draw);
  const away = Array.from({ length: 8 }, () =>
    scoped(() => {
      const x = draw(32);
      const point = (of: tf.Tensor2D) => tf.slice(of, [0, 0], [1, 2]);
      const image = point(flow.forward(x).y);
      const other = flow.forward(draw(31)).y;
      const back = point(flow.inverse(tf.concat([image, other]) as tf.Tensor2D));
      return tf.max(tf.abs(tf.sub(back, point(x)))).dataSync()[0];
    }),
  );
  return { dependence: densities, inverse: mean(away) };
}

/** Largest distance of the averages from the data's mean and standard deviation, in units of the latter. */
function distanceOfAverages(layer: BatchNorm, { centre, deviation }: Moments): number {
  return scoped(() => {
    const [found, spread] = [layer.mean.dataSync(), tf.sqrt(layer.variance).dataSync()];
    const apart = centre.map((value, i) => Math.abs(found[i] - value) / deviation[i]);
    return Math.max(...apart, ...deviation.map((value, i) => Math.abs(spread[i] / value - 1)));
  });
}

interface Moments {
  readonly centre: number[];
  readonly deviation: number[];
}

function moments(x: tf.Tensor2D): Moments {
  return scoped(() => {
    const { mean: centre, variance } = tf.moments(x, 0);
    return { centre: [...centre.dataSync()], deviation: [...tf.sqrt(variance).dataSync()] };
  });
}

/** Largest errors of inverse and log-determinant at points. */
function properties(layer: Layer, x: tf.Tensor2D): { inverse: number; determinant: number } {
  return scoped(() => {
    const { y, logDet } = layer.forward(x);
    const away = tf.div(tf.sub(layer.inverse(y), x), [SCALE]);
    const matrices = jacobian(layer, x).jacobian.arraySync();
    const logs = logDet.dataSync();
    const errors = matrices.map(([[a, b], [c, d]], i) => Math.abs(Math.log(Math.abs(a * d - b * c)) - logs[i]));
    return { inverse: tf.max(tf.abs(away)).dataSync()[0], determinant: Math.max(...errors) };
  });
}

/** log-densities under a normal distribution after normalization by the batch's own moments: what frozen statistics avoid. */
function batchStatistics(x: tf.Tensor2D): tf.Tensor2D {
  const { mean: centre, variance } = tf.moments(x, 0);
  const y = tf.div<tf.Tensor2D>(tf.sub(x, centre), tf.sqrt(variance));
  return tf.sub(base.logDensity(y), tf.mul(0.5, tf.sum(tf.log(variance))));
}

/** How far the log-density of a point differs between two batches that it is in, mean of several points. */
function dependence(densities: (x: tf.Tensor2D) => tf.Tensor2D, draw: (points: number) => tf.Tensor2D): number {
  const differences = Array.from({ length: 16 }, () =>
    scoped(() => {
      const point = draw(1);
      const company = [0, 1].map(() => tf.concat([point, draw(31)]) as tf.Tensor2D);
      const [one, other] = company.map((x) => densities(x).dataSync()[0]);
      return Math.abs(one - other);
    }),
  );
  return mean(differences);
}

/** The integral of the density over a rectangle around the data. */
function totalMass(layer: Layer, grid: Grid): number {
  const points = centres(grid).map((point) => point.map((value, i) => value * SCALE[i] + SHIFT[i]));
  const x = tf.tensor2d(points);
  const densities = logDensities(layer, base, x).map((log) => Math.exp(log) * SCALE[0] * SCALE[1]);
  x.dispose();
  return integral(densities, grid);
}
