/**
 * Flows of whole images: one ODE of convolutions for each scale of an image, trained by flow matching (Lipman et al. 2023), after FFJORD (Grathwohl et al. 2019)
 * and multi-resolution continuous normalizing flows (Voleti et al. 2021). Bits per dimension come by an adaptive solver, with noise that is uniform or learned; small
 * images are coded, too.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Image } from '../../../codec/image.js';
import { logDensity, standardNormal } from '../../cnf/base.js';
import { marginalCoder } from '../../cnf/coding/marginal-coder.js';
import { pyramidCoder } from '../../cnf/coding/pyramid-coder.js';
import { type Coder, Stack } from '../../cnf/coding/stack.js';
import { uniformDequantizer } from '../../cnf/dequantization.js';
import { exactDivergence, hutchinson } from '../../cnf/divergence.js';
import { marginalBits } from '../../cnf/marginals.js';
import { scoped } from '../../cnf/scope.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import type { Method } from '../../cnf/solvers/solve.js';
import { encodePng } from '../../io/png.js';
import { Random } from '../../train/random.js';
import { digitGround, halved, type ImageGround, photographGround } from '../data/image-grounds.js';
import { atMost, type Check, type Contest, contest, type Experiment } from '../experiment.js';
import { lines, pictures } from '../figures.js';
import {
  asTensor,
  boundOf,
  detailsOf,
  drawImages,
  fitImages,
  groundMarginals,
  type ImageBudget,
  type ImageFlow,
  learnedNoise,
} from '../image-flow.js';
import { RUNS, repeatedly, type Spread, spreadOf } from '../spread.js';
import { mean, smoothed, variance } from '../statistics.js';

const TOLERANCES = [1e-2, 1e-3, 1e-4];
const FINEST = TOLERANCES.at(-1)!;
/** Fine enough for samples that are looked at. */
const DRAWING = TOLERANCES[1];
const PAIRINGS = ['independent', 'optimal'] as const;
/** Of Hutchinson's estimate, on each image that has the exact divergence, too. */
const PROBES = 8;
const [GRID_BITS, NOISE_BITS] = [14, 9];
const CODING_SOLVER: Method = { solver: rk4, steps: 10 };
/** Random words on the stack before the first image, for each of its samples. */
const FIRST_WORDS = 1.25;
/** Images of a figure, along a side. */
const SHOWN = 5;

interface Budget extends ImageBudget {
  /** Images to learn from, to measure, to take the exact divergence of, and to code. */
  readonly seen: number;
  readonly measured: number;
  readonly exact: number;
  readonly coded: number;
}

const BUDGETS: Record<'quick' | 'whole' | 'gpu', Budget> = {
  quick: { steps: 14, batch: 16, hidden: [12], noise: 2, seen: 1000, measured: 6, exact: 1, coded: 1 },
  whole: { steps: 60, batch: 24, hidden: [24, 24], noise: 5, seen: 10_000, measured: 16, exact: 2, coded: 2 },
  gpu: {
    steps: 30_000,
    batch: 128,
    hidden: [128, 128, 128],
    noise: 1000,
    seen: 50_000,
    measured: 1000,
    exact: 50,
    coded: 20,
  },
};

export const experiment: Experiment = {
  title: 'How many bits does a flow of whole images take?',
  claim:
    'Flow matching fits ODEs of convolutions to whole images, scale by scale, without a solver; their likelihood comes by an adaptive one afterwards, and is a length that files come near to. Minibatch optimal transport ' +
    'pairs noise with images so that the solver needs fewer evaluations. Noise that is learned takes fewer bits than uniform noise.',

  async run({ quick, random, data, log }) {
    const strong = tf.getBackend() === 'tensorflow';
    const budget = BUDGETS[strong && !quick ? 'gpu' : quick ? 'quick' : 'whole'];
    const found = [await digitGround(data, budget.seen, random), await photographGround(data, budget.seen, random)];
    const grounds = quick ? found.map(halved) : found;
    const small = halved(grounds[0]);
    const runs = repeatedly(random, (own, run) => {
      log(`run ${run + 1} of ${RUNS}`);
      const large = grounds.map((ground) => {
        const found = measure(fitImages(ground, 'optimal', budget, own), budget, run === 0, own);
        log(
          `${ground.name}: ${found.bits.at(-1)!.toFixed(3)} bits per dim, ${found.learned.toFixed(3)} with learned noise`,
        );
        return found;
      });
      const pairs = PAIRINGS.map((pairing) => fitImages(small, pairing, budget, own));
      return { large, small: measureSmall(pairs, budget, own), fitted: pairs[1] };
    });
    const coded = await Promise.all(runs.map(({ fitted }) => code(fitted, budget.coded, random)));
    log(`coded: ${coded.map(({ bits, ideal }) => `${bits.toFixed(3)} (${ideal.toFixed(3)})`).join(', ')} bits per dim`);
    const of = (number: (run: (typeof runs)[number], i: number) => number) =>
      spreadOf(
        runs.map((run, i) => number(run, i)),
        (x) => x,
      );
    const plain = [...grounds, small].map((ground) => plainly(ground, budget));
    const parameters = runs[0].large.map((one) => one.parameters);
    const ofGround = (g: number) => ({
      name: grounds[g].name,
      bits: TOLERANCES.map((_, t) => of(({ large }) => large[g].bits[t])),
      evaluations: TOLERANCES.map((_, t) => of(({ large }) => large[g].evaluations[t])),
      off: TOLERANCES.slice(0, -1).map((_, t) => of(({ large }) => Math.abs(large[g].bits[t] - large[g].bits.at(-1)!))),
      learned: of(({ large }) => large[g].learned),
      away: of(({ large }) => large[g].away),
      changed: of(({ large }) => Math.abs(large[g].bits.at(-1)! - large[g].bits.at(-2)!)),
      overImages: runs[0].large[g].overImages,
    });
    const measured = grounds.map((_, g) => ofGround(g));
    const codedBits = spreadOf(coded, ({ bits }) => bits);
    const last = TOLERANCES.length - 1;
    return {
      configuration: {
        ...Object.fromEntries(
          [...grounds, small].map((ground, g) => [
            `${ground.name}, ${ground.side} x ${ground.side}`,
            `${ground.seen.length} seen, ${g < grounds.length ? budget.measured : budget.coded} others ${g < grounds.length ? 'measured' : 'coded'}; ${detailsOf(ground.side) + 1} scales${g < grounds.length ? `, ${parameters[g]} weights` : ''}`,
          ]),
        ),
        flow: `each sample standard normal by its own distribution (of its pixel, or of its colour), then means and differences by scales (determinant 1); of each scale an ODE of 3 x 3 convolutions, hidden ${budget.hidden.join(' ')}, tanh, given the next coarser image`,
        training: `flow matching, ${budget.steps} steps of ${budget.batch} at each scale, minibatch optimal transport`,
        likelihood:
          'Dormand-Prince 5(4), one step for all; divergence by Hutchinson’s estimate, one probe for each image',
        'learned noise': `a logistic number scaled and shifted by convolutions of the image, on the bound with the flow held, ${budget.noise} steps`,
        code: `Local Bits-Back, scale by scale, cells of 2^-${GRID_BITS}, noise of 2^-${NOISE_BITS}; RK4, 10 steps`,
        backend: tf.getBackend(),
        spread: `over ${RUNS} runs`,
      },
      checks: [
        ...measured.flatMap(({ name, changed, away }): Check[] => [
          atMost(
            `${name}: what a tolerance of ${FINEST} changes over ${TOLERANCES[last - 1]}`,
            changed,
            0.05,
            'bits per dim',
          ),
          atMost(`${name}: forth and back, mean distance of a coordinate`, away, 0.02),
        ]),
        atMost(
          'Hutchinson’s estimate off the exact divergence, on the same points',
          Math.max(...runs.map((run) => run.small.off)),
          4,
          'standard errors',
        ),
        atMost(
          'coded images that do not come back',
          coded.reduce((sum, { wrong }) => sum + wrong, 0),
          0,
        ),
        atMost(
          'code: bits above -log2 of the flow’s density at the same points',
          spreadOf(coded, ({ above }) => above),
          0.05,
          'bits per dim',
        ),
        atMost(
          'squared error of the velocity at the end of training: optimal pairing over independent',
          of((run) => run.small.losses[1] / run.small.losses[0]),
          1,
          'times',
        ),
      ],
      contests: [
        ...measured.flatMap(({ name, bits, learned }, g): Contest[] => [
          contest(
            `${name}: the flow takes fewer bits than samples taken for themselves`,
            shifted(bits[last], plain[g].independent),
            'bits per dim',
            'Trained for too short: the flow begins as the model of samples for themselves, and what it learns first is not what makes likelihood.',
          ),
          contest(
            `${name}: the flow takes fewer bits than PNG’s compressed samples`,
            shifted(bits[last], plain[g].png),
            'bits per dim',
            'PNG predicts each sample from its neighbours, and knows of exact repetition; a flow trained for minutes knows less of neighbours than that.',
          ),
          contest(
            `${name}: learned noise takes fewer bits than uniform noise`,
            of((run) => run.large[g].bits[last] - run.large[g].learned),
            'bits per dim',
            `Each sample’s own distribution, the flow’s first layer, is flat between integers: there is little that noise can gain, and ${budget.noise} steps on the bound teach it less than they disturb (${learned.mean.toFixed(3)} bits per dimension).`,
          ),
        ]),
        contest(
          `${small.side} x ${small.side}: optimal pairing needs fewer evaluations`,
          of((run) => 100 * (1 - run.small.evaluations[1] / run.small.evaluations[0])),
          '%',
          'In so many dimensions no noise of a batch is near an image, and paths are hardly shorter.',
        ),
        contest(
          `${small.side} x ${small.side}: optimal pairing takes fewer bits`,
          of((run) => run.small.bits[0] - run.small.bits[1]),
          'bits per dim',
          'Either pairing has the same distribution for its aim, and neither is trained on likelihood.',
        ),
        contest(
          `${small.side} x ${small.side}: the code is shorter than that of samples taken for themselves`,
          spreadOf(coded, ({ bits, independent }) => independent - bits),
          'bits per dim',
          'What the flow gains does not make up for what Local Bits-Back adds.',
        ),
      ],
      figures: [
        ...grounds.map((ground, g) =>
          pictures(
            `${ground.name} and samples`,
            'Images of those that the flow has seen, and samples: noise carried back, first run.',
            [
              { name: ground.name, image: mosaic(ground, ground.seen) },
              { name: 'samples', image: mosaic(ground, runs[0].large[g].samples) },
            ],
          ),
        ),
        lines(
          'Bits against evaluations of the fields',
          `Uniform noise: how far bits per dimension by larger tolerances are off those by ${FINEST}, with the same noise and probes, mean over runs; evaluations of all scales together.`,
          { x: { label: 'evaluations' }, y: { label: 'bits per dim', type: 'log', tickFormat: '.0e', ticks: 6 } },
          measured.map(({ name, off, evaluations }) => ({
            name,
            points: off.map((one, t): [number, number] => [evaluations[t].mean, one.mean]),
          })),
        ),
        lines(
          'Flow matching',
          'Mean squared error of the velocity, mean over scales, first run. Much of it no field can know.',
          { x: { label: 'training step' }, y: { label: 'squared error' } },
          measured.map(({ name }, g) => ({
            name,
            points: smoothed(runs[0].large[g].losses, Math.ceil(budget.steps / 60)),
          })),
          false,
        ),
      ],
      tables: [
        {
          title: 'Bits per dimension',
          columns: [
            'images',
            'samples for themselves',
            'PNG',
            'flow, uniform noise',
            'learned noise',
            'error over images',
          ],
          rows: measured.map(({ name, bits, learned, overImages }, g) => [
            name,
            plain[g].independent,
            plain[g].png,
            bits[last],
            learned,
            overImages,
          ]),
        },
        {
          title: 'By tolerance of the solver',
          columns: ['images', ...TOLERANCES.flatMap((t) => [`tolerance ${t}`, 'evaluations'])],
          rows: measured.map(({ name, bits, evaluations }) => [
            name,
            ...TOLERANCES.flatMap((_, t): Spread[] => [bits[t], evaluations[t]]),
          ]),
        },
        {
          title: `Coded images, ${small.name} at ${small.side} x ${small.side}, bits per dimension`,
          columns: [
            'samples for themselves',
            'PNG’s samples',
            '-log2 of the density',
            'code, net',
            'file with its first words',
          ],
          rows: [
            [
              spreadOf(coded, ({ independent }) => independent),
              spreadOf(coded, ({ png }) => png),
              spreadOf(coded, ({ ideal }) => ideal),
              codedBits,
              spreadOf(coded, ({ file }) => file),
            ],
          ],
        },
        {
          title: `Divergence and pairing, ${small.side} x ${small.side}`,
          columns: ['pairing', 'exact, bits per dim', 'Hutchinson less exact', 'its standard error', 'evaluations'],
          rows: PAIRINGS.map((pairing, p) => [
            pairing,
            of((run) => run.small.bits[p]),
            of((run) => run.small.difference[p]),
            of((run) => run.small.error[p]),
            of((run) => run.small.evaluations[p]),
          ]),
        },
      ],
      notes: [
        'A flow that has learned nothing is the model of samples taken for themselves: its distributions are the flow’s first layer. What it takes less is what it knows of how samples go together.',
        `PNG’s length is that of its compressed samples: files have ${PNG_FIXED} bytes more.`,
        'Figures of the literature (FFJORD 0.99 bits per dimension on MNIST and 3.40 on CIFAR-10) come of days on GPUs. With @tensorflow/tfjs-node-gpu the same command trains a larger field for longer.',
        ...new Set(grounds.flatMap(({ missing }) => missing)),
      ],
    };
  },
};

/** What a number is ahead of a constant by. */
function shifted({ error, mean: own, values }: Spread, constant: number): Spread {
  return { mean: constant - own, error, values: values.map((value) => constant - value) };
}

function plainly(ground: ImageGround, { measured }: Budget): { independent: number; png: number } {
  const { side, channels, held } = ground;
  const marginals = groundMarginals(ground);
  const dimension = side * side * channels;
  const images = held.slice(0, measured);
  return {
    independent: mean(images.map((image) => marginalBits(marginals, image) / dimension)),
    png: mean(images.map((samples) => pngBits(ground, samples))),
  };
}

/** What every PNG file of one chunk of data has: signature, header, and the chunks' lengths, names and checksums. */
const PNG_FIXED = 57;

/** A PNG file of an image without what every such file has, bits per sample: of images so small that would be a good part. */
function pngBits(ground: ImageGround, samples: Uint8Array): number {
  return (8 * (encodePng(imageOf(ground, samples)).length - PNG_FIXED)) / samples.length;
}

function imageOf({ side, channels }: ImageGround, samples: Uint8Array): Image {
  return { width: side, height: side, channels, samples };
}

interface Measured {
  /** With uniform noise, by tolerance: bits per dimension, and evaluations of all fields. */
  readonly bits: readonly number[];
  readonly evaluations: readonly number[];
  /** Standard error of the finest over images. */
  readonly overImages: number;
  readonly learned: number;
  readonly away: number;
  readonly samples: readonly Uint8Array[];
  readonly losses: readonly number[];
  readonly parameters: number;
}

/** @param drawing whether samples are wanted, which take longer than all else */
function measure(of: ImageFlow, budget: Budget, drawing: boolean, random: Random): Measured {
  const images = of.ground.held.slice(0, budget.measured);
  // The same noise and probes throughout: what is compared then differs by what is compared alone.
  const seed = random.word();
  const divergence = () => hutchinson({ noise: 'rademacher', draws: new Random(seed ^ 1) });
  const uniform = () => uniformDequantizer(new Random(seed));
  const found = TOLERANCES.map((tolerance) => {
    let evaluations = 0;
    const flow = of.flow({ tolerance }, divergence(), (own) => {
      evaluations += own;
    });
    return { bits: boundOf(of, flow, uniform(), images), evaluations };
  });
  const fine = of.flow({ tolerance: FINEST }, divergence());
  const noise = learnedNoise(of, budget, random);
  const finest = found.at(-1)!.bits;
  const away = scoped(() => {
    const x = asTensor(images.slice(0, 4));
    const y = of.pixels.forward(tf.add(x, uniform()(x).u)).y;
    return tf.mean(tf.abs(tf.sub(fine.inverse(fine.forward(y).y), y))).dataSync()[0];
  });
  return {
    bits: found.map(({ bits }) => mean(bits)),
    evaluations: found.map(({ evaluations }) => evaluations),
    overImages: Math.sqrt(variance(finest) / finest.length),
    learned: mean(boundOf(of, fine, noise, images)),
    away,
    samples: drawing ? drawImages(of, of.flow({ tolerance: DRAWING }), SHOWN ** 2, random) : [],
    losses: of.losses,
    parameters: of.parameters,
  };
}

interface SmallMeasured {
  /** Each of `PAIRINGS`: bits per dimension by the exact divergence, evaluations, the loss at the end. */
  readonly bits: readonly number[];
  readonly evaluations: readonly number[];
  readonly losses: readonly number[];
  /** Of Hutchinson's estimate against it, bits per dimension, mean over images, with its standard error, and the one in the other. */
  readonly difference: readonly number[];
  readonly error: readonly number[];
  readonly off: number;
}

function measureSmall(pairs: readonly ImageFlow[], budget: Budget, random: Random): SmallMeasured {
  const found = pairs.map((of) => {
    const images = asTensor(of.ground.held.slice(0, budget.exact));
    const { y, logDet } = of.pixels.forward(tf.add(images, uniformDequantizer(random)(images).u));
    const base = standardNormal(of.dimension);
    let evaluations = 0;
    const bitsBy = (divergence: Parameters<ImageFlow['flow']>[1], points: tf.Tensor2D) =>
      scoped(() => {
        evaluations = 0;
        const flow = of.flow({ tolerance: FINEST }, divergence, (own) => {
          evaluations += own;
        });
        return Array.from(logDensity(flow, base, points).dataSync(), (log) => -log / of.dimension / Math.LN2);
      });
    const exact = bitsBy(exactDivergence, y);
    const exactEvaluations = evaluations;
    const repeated = tf.tile<tf.Tensor2D>(y, [PROBES, 1]);
    const estimates = bitsBy(hutchinson({ noise: 'rademacher', draws: random }), repeated);
    const differences = estimates.map((bits, k) => bits - exact[k % exact.length]);
    const volume = mean(logDet.dataSync<'float32'>());
    tf.dispose([images, y, logDet, repeated]);
    return {
      bits: mean(exact) - volume / of.dimension / Math.LN2,
      evaluations: exactEvaluations,
      loss: mean(of.losses.slice(-Math.ceil(of.losses.length / 10))),
      difference: mean(differences),
      error: Math.sqrt(variance(differences) / differences.length),
    };
  });
  return {
    bits: found.map(({ bits }) => bits),
    evaluations: found.map(({ evaluations }) => evaluations),
    losses: found.map(({ loss }) => loss),
    difference: found.map(({ difference }) => difference),
    error: found.map(({ error }) => error),
    off: Math.max(...found.map(({ difference, error }) => Math.abs(difference) / error)),
  };
}

interface Coded {
  /** Bits per dimension: net on the stack, of a file with the words that were on it first, of samples for themselves, and of PNG's compressed samples. */
  readonly bits: number;
  readonly file: number;
  readonly independent: number;
  readonly png: number;
  /** -log2 of the flow's density at the points that were coded, with the marginal lengths; and what the code has above it. */
  readonly ideal: number;
  readonly above: number;
  /** Images that came back otherwise. */
  readonly wrong: number;
}

/** Codes images on one stack, makes a file of it, and decodes that. */
async function code(of: ImageFlow, count: number, random: Random): Promise<Coded> {
  const { ground, dimension, marginals } = of;
  const images = ground.held.slice(0, count).map((samples) => Int32Array.from(samples));
  const flow = of.flow(CODING_SOLVER, exactDivergence);
  const inner = pyramidCoder(flow, { gridBits: GRID_BITS, noiseBits: NOISE_BITS });
  let [paid, due] = [0, 0];
  const weighed: Coder<Int32Array> = {
    push(stack, cells) {
      const before = stack.bits;
      inner.push(stack, cells);
      paid += stack.bits - before;
      due += dimension * GRID_BITS + densityBits(of, cells);
    },
    pop: (stack) => inner.pop(stack),
  };
  const words = Math.ceil(FIRST_WORDS * dimension);
  const capacity = 4 * words + 4 * count * dimension;
  const stack = await Stack.create(capacity, words, () => random.word());
  const first = stack.bits;
  const coder = marginalCoder(weighed, marginals, GRID_BITS);
  for (const image of images) coder.push(stack, image);
  const net = stack.bits - first;
  const file = new Uint8Array(stack.contents().buffer);
  const opened = await Stack.of(new Uint32Array(file.slice().buffer), capacity);
  const reading = marginalCoder(inner, marginals, GRID_BITS);
  let wrong = 0;
  for (const image of images.reverse()) {
    const decoded = reading.pop(opened);
    if (!decoded.every((value, i) => value === image[i])) wrong++;
  }
  const all = count * dimension;
  const plain = images.reduce((sum, image) => sum + marginalBits(marginals, image), 0);
  return {
    bits: net / all,
    file: (8 * file.length) / all,
    independent: plain / all,
    png: mean(images.map((image) => pngBits(ground, Uint8Array.from(image)))),
    ideal: (net - (paid - due)) / all,
    above: (paid - due) / all,
    wrong,
  };
}

/** -log2 of the density at the middles of cells, by a fine solver. */
function densityBits(of: ImageFlow, cells: Int32Array): number {
  return scoped(() => {
    const y = tf.tensor2d(
      Float32Array.from(cells, (cell) => cell * 2 ** -GRID_BITS),
      [1, cells.length],
    );
    const flow = of.flow({ tolerance: 1e-5 }, exactDivergence);
    return -logDensity(flow, standardNormal(of.dimension), y).dataSync()[0] / Math.LN2;
  });
}

/** Images side by side, `SHOWN` by `SHOWN`. */
function mosaic(ground: ImageGround, images: readonly Uint8Array[]): Image {
  const { side, channels } = ground;
  const width = SHOWN * side;
  const samples = new Uint8Array(width * width * channels);
  for (let i = 0; i < SHOWN ** 2; i++) {
    const [left, top] = [(i % SHOWN) * side, Math.floor(i / SHOWN) * side];
    for (let row = 0; row < side; row++) {
      const from = images[i].subarray(row * side * channels, (row + 1) * side * channels);
      samples.set(from, ((top + row) * width + left) * channels);
    }
  }
  return { width, height: width, channels, samples };
}
