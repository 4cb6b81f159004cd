/**
 * A flow of whole images: one ODE for all pixels of a digit together, trained by flow matching, with noise paired at random or by minibatch optimal
 * transport. Its bits per dimension come by an adaptive solver, with noise that is uniform or learned.
 */

import * as tf from '@tensorflow/tfjs-core';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import type { Layer } from '../../../models/layers/layer.js';
import { standardNormal } from '../../cnf/base.js';
import {
  type Dequantizer,
  importanceWeightedBound,
  truncatedLogisticDequantizer,
  uniformDequantizer,
} from '../../cnf/dequantization.js';
import { hutchinson } from '../../cnf/divergence.js';
import { fitVelocity } from '../../cnf/fit.js';
import { type Cnf, chain, cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { midpoint } from '../../cnf/solvers/midpoint.js';
import type { Method } from '../../cnf/solvers/solve.js';
import { backpropagate, train } from '../../cnf/train.js';
import type { Random } from '../../train/random.js';
import { installed, MNIST_SIDE, mnist } from '../data/mnist.js';
import { SIDE as DRAWN_SIDE, digit } from '../data/simple-images.js';
import { atMost, contest, type Experiment } from '../experiment.js';
import { type HeatMap, heatMaps, lines } from '../figures.js';
import { RUNS, repeatedly, type Spread, spreadOf } from '../spread.js';
import { mean, smoothed } from '../statistics.js';

/** Pixels of a side: means of two by two. */
const SIDE = MNIST_SIDE / 2;
const DIMENSION = SIDE ** 2;
const [BATCH, RATE, NOISE_RATE] = [96, 0.003, 0.003];
const PAIRINGS = ['independent', 'optimal'] as const;
type Pairing = (typeof PAIRINGS)[number];
const TOLERANCES = [1e-2, 1e-3, 1e-4, 1e-5];
const FINEST = TOLERANCES.at(-1)!;
const TRAINING_SOLVER: Method = { solver: midpoint, steps: 6 };
/** Digits of a figure, along a side. */
const SHOWN = 6;

const base = standardNormal(DIMENSION);
const NO_UNIT = { scaled: (x: tf.Tensor2D) => x, logUnit: 0 };

export const experiment: Experiment = {
  title: 'How many bits does a flow of whole digits take?',
  claim:
    'Flow matching fits one ODE to all pixels of an image together, without a solver; its likelihood comes by an adaptive one afterwards. Minibatch optimal transport pairs noise with images so that paths are straighter, ' +
    'and the solver needs fewer evaluations. Noise that is learned takes fewer bits than uniform noise.',

  async run({ quick, random, data, log }) {
    const budget: Budget = quick
      ? { steps: 100, noise: 10, test: 40, hidden: [96, 96] }
      : { steps: 1000, noise: 80, test: 200, hidden: [256, 256] };
    const { seen, held, told, missing } = await digits(data, quick ? 2000 : 20_000, random);
    const runs = repeatedly(random, (own, run) => {
      const fitted = PAIRINGS.map((pairing) => matched(seen, pairing, budget, own));
      log(`run ${run + 1} of ${RUNS}: losses ${fitted.map(({ losses }) => losses.at(-1)![1].toFixed(3)).join(', ')}`);
      return measure(fitted, { seen, held }, budget, own);
    });
    const pixels = independentPixels(seen, held);
    const of = (number: (run: Measured) => number) => spreadOf(runs, number);
    const bits = (pairing: Pairing, t: number) => of((run) => run.pairings[pairing].bits[t]);
    const evaluations = (pairing: Pairing, t: number) => of((run) => run.pairings[pairing].evaluations[t]);
    const last = TOLERANCES.length - 1;
    return {
      configuration: {
        images: `${told}, ${SIDE} x ${SIDE} pixels (means of 2 x 2), ${seen.length} seen, ${budget.test} others measured`,
        flow: `after a logit, a perceptron of all pixels with tanh units, hidden ${budget.hidden.join(' ')}, gated time; flow matching, ${budget.steps} steps of ${BATCH}`,
        likelihood:
          'Dormand-Prince 5(4), one step for all; divergence by Hutchinson’s estimate, one probe for each image',
        'learned noise': `truncated logistic, on the bound with the flow held, ${budget.noise} steps`,
        spread: `over ${RUNS} runs`,
      },
      checks: [
        atMost(
          'squared error of the velocity at the end of training: optimal pairing over independent',
          of(({ pairings: { optimal, independent } }) => optimal.losses.at(-1)![1] / independent.losses.at(-1)![1]),
          1,
          'times',
        ),
        atMost(
          `what a tolerance of ${FINEST} changes over ${TOLERANCES[last - 1]}`,
          of((run) => Math.abs(run.pairings.optimal.bits[last] - run.pairings.optimal.bits[last - 1])),
          0.1,
          'bits per dim',
        ),
        atMost(
          'forth and back: mean distance of a coordinate',
          of((run) => run.away),
          0.02,
        ),
      ],
      contests: [
        contest(
          'the flow takes fewer bits than pixels taken for themselves',
          of((run) => pixels - run.learned),
          'bits per dim',
          'Trained for too short: flow matching learns where the ink is before it learns how sharply each pixel’s values lie, and only the latter makes likelihood.',
        ),
        contest(
          'optimal pairing: the adaptive solver needs fewer evaluations',
          of((run) => 100 * (1 - run.pairings.optimal.evaluations[last] / run.pairings.independent.evaluations[last])),
          '%',
          `Of ${BATCH} noises in ${DIMENSION} dimensions none is near an image: pairing shortens paths by little.`,
        ),
        contest(
          'optimal pairing: fewer bits per dimension',
          of((run) => run.pairings.independent.bits[last] - run.pairings.optimal.bits[last]),
          'bits per dim',
          'Either pairing has the same distribution for its aim, and neither is trained on likelihood.',
        ),
        contest(
          'learned noise takes fewer bits than uniform noise',
          of((run) => run.pairings.optimal.bits[last] - run.learned),
          'bits per dim',
          'Few steps teach the noise little, and the flow has only seen uniform noise.',
        ),
      ],
      figures: [
        heatMaps(
          'Digits and samples',
          'Images that the flow was trained on, and samples: noise carried back, first run, optimal pairing.',
          { x: 'x, pixels', y: 'y, pixels', unit: 'sample' },
          [
            { name: told, ...mosaic(seen) },
            { name: 'samples', ...mosaic(runs[0].samples) },
          ],
          [0, 255],
        ),
        lines(
          'Bits against evaluations of the field',
          `By tolerances of ${TOLERANCES.join(', ')}. Bars: standard error over runs.`,
          { x: { label: 'evaluations' }, y: { label: 'bits per dim' } },
          PAIRINGS.map((pairing) => ({
            name: pairing,
            points: TOLERANCES.map((_, t): [number, number] => [evaluations(pairing, t).mean, bits(pairing, t).mean]),
            errors: TOLERANCES.map((_, t) => bits(pairing, t).error),
          })),
        ),
        lines(
          'Flow matching',
          'Mean squared error of the velocity, first run; with optimal pairing less of it is left that no field can know.',
          { x: { label: 'training step' }, y: { label: 'squared error' } },
          PAIRINGS.map((name) => ({ name, points: runs[0].pairings[name].losses })),
          false,
        ),
      ],
      tables: [
        {
          title: 'Bits per dimension',
          columns: ['pairing', ...TOLERANCES.flatMap((t) => [`tolerance ${t}`, 'evaluations'])],
          rows: PAIRINGS.map((pairing) => [
            pairing,
            ...TOLERANCES.flatMap((_, t): Spread[] => [bits(pairing, t), evaluations(pairing, t)]),
          ]),
        },
        {
          title: 'Others',
          columns: ['what', 'bits per dim'],
          rows: [
            ['optimal pairing, learned noise', of(({ learned }) => learned)],
            ['each pixel for itself, by its values’ counts', pixels],
          ],
        },
      ],
      notes: [
        'The field sees all pixels at once and knows nothing of their places: no convolutions, one scale. Figures of the literature are of 28 x 28 pixels and larger fields.',
        ...missing,
      ],
    };
  },
};

/** Images as integers 0 .. 255, row by row. */
type Digit = Uint8Array;

async function digits(
  data: string,
  most: number,
  random: Random,
): Promise<{ seen: Digit[]; held: Digit[]; told: string; missing: string[] }> {
  const [train_, test] = [await mnist(data, 'train'), await mnist(data, 't10k')];
  if (train_ && test)
    return { seen: train_.slice(0, most).map(halved), held: test.map(halved), told: 'MNIST', missing: [] };
  const border = (DRAWN_SIDE - MNIST_SIDE) / 2;
  const drawn = () => {
    const { samples } = digit(random);
    return halved(
      Uint8Array.from({ length: MNIST_SIDE ** 2 }, (_, i) => {
        const [x, y] = [(i % MNIST_SIDE) + border, Math.floor(i / MNIST_SIDE) + border];
        return samples[3 * (y * DRAWN_SIDE + x)];
      }),
    );
  };
  const make = (count: number) => Array.from({ length: count }, drawn);
  const missing = [`MNIST is not at hand; digits are drawn in its place: ${installed(data)}`];
  return { seen: make(Math.min(most, 4000)), held: make(500), told: 'drawn digits', missing };
}

function halved(image: Uint8Array): Digit {
  return Uint8Array.from({ length: DIMENSION }, (_, i) => {
    const at = 2 * (Math.floor(i / SIDE) * MNIST_SIDE + (i % SIDE));
    return (image[at] + image[at + 1] + image[at + MNIST_SIDE] + image[at + MNIST_SIDE + 1] + 2) >> 2;
  });
}

interface Budget {
  readonly steps: number;
  readonly noise: number;
  readonly test: number;
  readonly hidden: readonly number[];
}

interface Fitted {
  readonly flow: (method: Method, random: Random) => Cnf;
  readonly losses: [number, number][];
}

function matched(seen: readonly Digit[], pairing: Pairing, { steps, hidden }: Budget, random: Random): Fitted {
  const weights = new Weights(random);
  const field = mlp(weights, { dimension: DIMENSION, hidden, time: 'gated' });
  const uniform = uniformDequantizer(random);
  const batch = () => {
    const x = points(seen, BATCH, random);
    return LOGIT.forward(tf.add(x, uniform(x).u)).y;
  };
  const losses = fitVelocity(field, base, { weights, batch, steps, rate: RATE, pairing }, random);
  return {
    losses: smoothed(losses, Math.ceil(steps / 60)),
    flow: (method, draws) => cnf(field, { method, divergence: hutchinson({ noise: 'rademacher', draws }) }),
  };
}

interface Measured {
  /** By tolerance. */
  readonly pairings: Record<Pairing, { bits: number[]; evaluations: number[]; losses: [number, number][] }>;
  /** Bits per dimension with learned noise, by the flow of the optimal pairing. */
  readonly learned: number;
  readonly away: number;
  readonly samples: Digit[];
}

function measure(
  fitted: readonly Fitted[],
  { seen, held }: { seen: Digit[]; held: Digit[] },
  budget: Budget,
  random: Random,
): Measured {
  const x = points(held, budget.test, random);
  const uniform = uniformDequantizer(random);
  const [independent, optimal] = fitted.map(({ flow, losses }) => {
    const found = TOLERANCES.map((tolerance) => bitsOf(flow({ tolerance }, random), uniform, x));
    return { bits: found.map(({ bits }) => bits), evaluations: found.map(({ evaluations }) => evaluations), losses };
  });
  const [, best] = fitted;
  const noise = learnedNoise(best.flow(TRAINING_SOLVER, random), seen, budget.noise, random);
  const fine = best.flow({ tolerance: FINEST }, random);
  const learned = bitsOf(fine, noise, x).bits;
  const { away, samples } = scoped(() => {
    const start = LOGIT.forward(tf.add(x, uniform(x).u)).y;
    const back = fine.inverse(fine.path(start).state[0] as tf.Tensor2D);
    const drawn = LOGIT.inverse(fine.inverse(base.sample(SHOWN ** 2, random))).arraySync();
    return {
      away: tf.mean(tf.abs(tf.sub(back, start))).dataSync()[0],
      samples: drawn.map((row) => Uint8Array.from(row, (value) => Math.min(255, Math.max(0, Math.floor(value))))),
    };
  });
  x.dispose();
  return { pairings: { independent, optimal }, learned, away, samples };
}

/** Mean over images of the bound with one sample. */
function bitsOf(flow: Cnf, noise: Dequantizer, x: tf.Tensor2D): { bits: number; evaluations: number } {
  return scoped(() => {
    let evaluations = 0;
    const counted: Layer = {
      ...flow,
      forward(points, context) {
        const mapped = flow.forward(points, context);
        evaluations = mapped.solution.evaluations;
        return mapped;
      },
    };
    const bound = importanceWeightedBound(chain([LOGIT, counted]), base, noise, x, 1, NO_UNIT);
    return { bits: -mean(bound.dataSync<'float32'>()) / DIMENSION / Math.LN2, evaluations };
  });
}

function learnedNoise(flow: Cnf, seen: readonly Digit[], steps: number, random: Random): Dequantizer {
  const weights = new Weights(random);
  const noise = truncatedLogisticDequantizer(
    weights,
    { dimension: DIMENSION, hidden: [64], centre: 64, range: 64 },
    random,
  );
  const layer = chain([LOGIT, flow]);
  const { variables } = weights;
  train({
    variables,
    steps,
    rate: NOISE_RATE,
    gradients: () => {
      const x = points(seen, BATCH, random);
      const bound = () => tf.sum(importanceWeightedBound(layer, base, noise, x, 1, NO_UNIT));
      return backpropagate(variables, (): tf.Scalar => tf.mul(bound(), -1 / BATCH));
    },
  });
  return noise;
}

/** [count, D], drawn with replacement. */
function points(from: readonly Digit[], count: number, random: Random): tf.Tensor2D {
  const rows = new Float32Array(count * DIMENSION);
  for (let i = 0; i < count; i++) rows.set(from[random.below(from.length)], i * DIMENSION);
  return tf.tensor2d(rows, [count, DIMENSION]);
}

/** Keeps a share off 0 and 1. */
const MARGIN = 1e-6;
const [CENTRE, UNIT] = [-4, 3];

/** y = (logit(x / 256) - CENTRE) / UNIT: what is 0 in most images, plus noise, becomes as wide as the rest. */
const LOGIT: Layer = {
  forward(x) {
    return { y: logit(x), logDet: tf.sum<tf.Tensor2D>(tf.log(logitSlope(x)), 1, true) };
  },
  map: ({ value, tangents }) => ({ value: logit(value), tangents: tangents && tf.mul(tangents, logitSlope(value)) }),
  inverse: (y) => tf.div(tf.sub(tf.sigmoid(tf.add(tf.mul(y, UNIT), CENTRE)), MARGIN), SHARE),
};
/** What a sample's unit is of the share that the logit is taken of. */
const SHARE = (1 - 2 * MARGIN) / 256;

function shareOf(x: tf.Tensor2D): tf.Tensor2D {
  return tf.add(tf.mul(x, SHARE), MARGIN);
}

function logit(x: tf.Tensor2D): tf.Tensor2D {
  const share = shareOf(x);
  return tf.div(tf.sub(tf.sub(tf.log(share), tf.log(tf.sub(1, share))), CENTRE), UNIT);
}

function logitSlope(x: tf.Tensor2D): tf.Tensor2D {
  const share = shareOf(x);
  return tf.div(SHARE / UNIT, tf.mul(share, tf.sub(1, share)));
}

/** Bits per dimension of each pixel for itself: by how often it had a value, every value once more. */
function independentPixels(seen: readonly Digit[], held: readonly Digit[]): number {
  const counts = new Float64Array(DIMENSION * 256).fill(1);
  for (const image of seen) for (const [i, value] of image.entries()) counts[i * 256 + value]++;
  const all = seen.length + 256;
  return mean(held.map((image) => mean(Array.from(image, (value, i) => -Math.log2(counts[i * 256 + value] / all)))));
}

function mosaic(images: readonly Digit[]): HeatMap {
  const side = SHOWN * SIDE;
  const values = new Float64Array(side ** 2);
  for (let i = 0; i < SHOWN ** 2; i++) {
    const [left, top] = [(i % SHOWN) * SIDE, Math.floor(i / SHOWN) * SIDE];
    for (const [k, value] of images[i].entries())
      values[(top + Math.floor(k / SIDE)) * side + left + (k % SIDE)] = value;
  }
  return { values, columns: side, rows: side, x: [0, side], y: [side, 0] };
}
