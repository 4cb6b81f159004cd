/**
 * What the exact mass of a bin saves: bounds by dequantization of the very same conditional densities, the shipped one and one whose field is nonlinear,
 * importance-weighted (Burda et al. 2016), and what a later channel loses that sees an earlier one through the noise.
 */

import * as tf from '@tensorflow/tfjs-core';
import { Weights } from '../../../models/fields/weights.js';
import { scoped } from '../../cnf/scope.js';
import { modelsForEncoding } from '../../session/models.js';
import type { Random } from '../../train/random.js';
import { baseDensity, type Conditional, conditional, exactBits, solved } from '../codec-density.js';
import { type FramedBins, framed, headMoments, type Moments } from '../data/bins.js';
import { OWN_PHOTOGRAPHS, photographs, toldPhotographs } from '../data/photographs.js';
import { drawSites, joinSites, type Sites } from '../data/sites.js';
import { atLeast, atMost, contest, type Experiment, near } from '../experiment.js';
import { lines } from '../figures.js';
import { fitShape, SHAPE_FLOOR, SHAPE_TRAINING, shapeBits } from '../shape-fit.js';
import { type FlowShape, flowShape } from '../shapes.js';
import { spread } from '../spread.js';
import { mean, slope } from '../statistics.js';

const MODEL = 'default';
/** Samples of the bound; of every coordinate as many are drawn as the last. */
const SAMPLES = [1, 4, 16, 64];
const DRAWS = SAMPLES.at(-1)!;
/** Steps of the nonlinear field. */
const STEPS = 4;
/** Coordinates whose draws are computed at once. */
const CHUNK = 500;

/** Draws of the noise that later channels see earlier ones through. */
const BLURS = 4;

export const experiment: Experiment = {
  title: 'What does the exact likelihood of a bin save?',
  claim:
    'A flow of one coordinate carries both edges of a bin, so that its discrete likelihood is exact. A bound by uniform dequantization of the same density is longer, by what the density varies within the bin; with K importance ' +
    'samples the gap falls as 1/K. A channel that sees those before it through such noise costs more still.',

  async run({ quick, random, data, log }) {
    const budget = quick ? { training: 100, seen: 600, measured: 150 } : { training: 800, seen: 4000, measured: 1200 };
    const list = await photographs(data, quick ? 192 : 768, quick ? 0 : 8);
    const [model] = await modelsForEncoding(3, MODEL);
    const draw = async (most: number) => {
      const parts: Sites[] = [];
      for (const { image } of list) parts.push(await drawSites(image, model, most, random));
      return parts;
    };
    const { flow, moments } = learn(joinSites(await draw(budget.seen)), budget.training, random);
    log('a nonlinear field is trained');
    const images = (await draw(budget.measured)).map((sites): Bounded => {
      const of = conditional(sites);
      const bins = framed(sites, of, moments);
      const one = {
        shipped: bounds(exactBits(of), shippedDraws(of, random)),
        nonlinear: bounds(shapeBits(flow, bins).bits, flowDraws(flow, bins, random)),
        blur: blur(sites, of, random),
      };
      log(`gaps ${one.shipped.gaps.map((gap) => gap.toFixed(4)).join(', ')}`);
      return one;
    });
    const over = (number: (one: Bounded) => number) => spread(images.map(number));
    const gaps = (kind: Kind) => SAMPLES.map((_, k) => over((one) => one[kind].gaps[k]));
    const found = KINDS.map((kind) => gaps(kind));
    return {
      configuration: {
        images: toldPhotographs(list),
        'coordinates of an image': 3 * budget.measured,
        shipped: `model ${MODEL}: a linear field and four logistics`,
        nonlinear: `a logistic through a nonlinear field, Euler's method, ${STEPS} steps, in the frame of the shipped location and scale; ${SHAPE_TRAINING}, ${budget.training} steps, on other sites of the same images`,
        noise: `uniform, ${DRAWS} draws a coordinate`,
        spread: `over ${list.length} images`,
        data: `more photographs: PNG files in ${OWN_PHOTOGRAPHS} in the folder of --data`,
      },
      checks: KINDS.flatMap((kind, i) => [
        near(
          `${kind}: density at random points of a bin over its exact mass`,
          over((one) => one[kind].ratio),
          1,
          0.01,
        ),
        atLeast(`${kind}: added by the bound with one sample`, found[i][0], 0.01, 'bits per sample'),
        near(
          `${kind}: slope of the gap against K, both as logarithms`,
          over((one) => slope(SAMPLES.slice(1).map((k, s) => [Math.log(k), Math.log(one[kind].gaps[s + 1])]))),
          -1,
          0.25,
        ),
        atMost(
          `${kind}: gap left with ${DRAWS} samples`,
          over((one) => one[kind].gaps.at(-1)! / one[kind].gaps[0]),
          0.05,
          'of the gap with 1',
        ),
      ]).concat(
        atLeast(
          'shipped: added where channels see earlier ones through noise',
          over(({ blur }) => blur),
          0,
          'bits per sample',
        ),
      ),
      contests: [
        contest(
          'shipped: what noise hides from later channels costs more than the bound on a channel’s own bin',
          over((one) => one.blur - one.shipped.gaps[0]),
          'bits per sample',
          'Uniform noise is the crudest there is, and costs most where scales are narrower than a bin. Noise that is learned closes this gap, but not that of later channels.',
        ),
      ],
      figures: [
        lines(
          'Gap of the importance-weighted bound',
          'Bits per sample above the exact length of the same density, mean over images; bars: standard error over images.',
          {
            x: { label: 'importance samples K', type: 'log', base: 4, tickFormat: 'd', ticks: 4 },
            y: { label: 'gap, bits per sample', type: 'log', tickFormat: '~g', ticks: 6 },
          },
          KINDS.map((kind, i) => ({
            name: kind,
            points: SAMPLES.map((k, s): [number, number] => [k, found[i][s].mean]),
            errors: found[i].map(({ error }) => error),
          })),
        ),
      ],
      tables: [
        {
          title: 'Bits per sample',
          columns: ['density', 'exact', ...SAMPLES.map((k) => (k === 1 ? 'ELBO adds' : `K = ${k} adds`))],
          rows: KINDS.map((kind, i) => [kind, over((one) => one[kind].exact), ...found[i]]),
        },
        {
          title: 'Earlier channels seen through noise',
          columns: ['density', 'adds, bits per sample'],
          rows: [['shipped', over(({ blur }) => blur)]],
        },
      ],
      notes: [
        'A coder that dequantizes pays the bound with K = 1, or learns its noise; K samples would have to be coded with K times the work. The codec pays what is exact.',
        'The nonlinear density has learned from these images, other sites of theirs, which the shipped one has not: their exact lengths do not compare, their gaps do.',
      ],
    };
  },
};

type Kind = 'shipped' | 'nonlinear';
const KINDS: readonly Kind[] = ['shipped', 'nonlinear'];

/** Means over coordinates, in bits per sample. */
interface Bounds {
  readonly exact: number;
  /** Of each of `SAMPLES`. */
  readonly gaps: readonly number[];
  /** Mean of the draws' densities over the exact mass: 1 but for chance, or one of both is wrong. */
  readonly ratio: number;
}

/** Of one image. */
interface Bounded extends Record<Kind, Bounds> {
  /** What later channels pay if they see earlier ones anywhere in their bins. */
  readonly blur: number;
}

/** Densities, per sample, at `DRAWS` points of the bins of coordinates from one to before another. */
type Draws = (from: number, to: number) => ArrayLike<number>;

/**
 * The mean of K densities is the bin's mass P but for chance, r P, where r is 1 on average. So the mean of r - 1 - log r is that of -log r, with far
 * less chance in it: the gap of the bound.
 *
 * @param exact bits of each coordinate
 */
function bounds(exact: Float64Array, draws: Draws): Bounds {
  const gaps = SAMPLES.map(() => 0);
  let ratios = 0;
  for (let from = 0; from < exact.length; from += CHUNK) {
    const to = Math.min(from + CHUNK, exact.length);
    const densities = draws(from, to);
    for (let at = 0; at < densities.length; at += DRAWS) {
      const mass = 2 ** -exact[from + at / DRAWS];
      for (const [s, samples] of SAMPLES.entries()) {
        for (let group = at; group < at + DRAWS; group += samples) {
          let sum = 0;
          for (let i = group; i < group + samples; i++) sum += densities[i];
          const ratio = sum / samples / mass;
          gaps[s] += ((ratio - 1 - Math.log(ratio)) / Math.LN2) * (samples / DRAWS);
          if (samples === DRAWS) ratios += ratio;
        }
      }
    }
  }
  return {
    exact: mean(exact),
    gaps: gaps.map((gap) => gap / exact.length),
    ratio: ratios / exact.length,
  };
}

function shippedDraws(of: Conditional, random: Random): Draws {
  const { lower, width, rate, share, floor } = of;
  return (from, to) =>
    Float64Array.from({ length: (to - from) * DRAWS }, (_, n) => {
      const i = from + Math.floor(n / DRAWS);
      const z = solved(of, i, lower[i] + random.uniform() * width[i]);
      return share * baseDensity(of, i, z) * Math.exp(rate[i]) * width[i] + floor;
    });
}

function flowDraws(flow: FlowShape, bins: FramedBins, random: Random): Draws {
  return (from, to) => {
    const indices = Int32Array.from({ length: (to - from) * DRAWS }, (_, n) => from + Math.floor(n / DRAWS));
    return scoped(() => {
      const { features, lower, width } = bins.take(indices);
      const within = tf.tensor2d(
        Float32Array.from(indices, () => random.uniform()),
        [indices.length, 1],
      );
      const density = flow.density(features, tf.add(lower, tf.mul(width, within)));
      return tf.add(tf.mul(density, width), SHAPE_FLOOR).dataSync<'float32'>().slice();
    });
  };
}

function blur(sites: Sites, of: Conditional, random: Random): number {
  const seen = Array.from({ length: BLURS }, () => mean(exactBits(conditional(sites, () => random.uniform()))));
  return mean(seen) - mean(exactBits(of));
}

/** The nonlinear flow, and what its features are seen by. */
function learn(sites: Sites, steps: number, random: Random): { flow: FlowShape; moments: Moments } {
  const moments = headMoments(sites);
  const bins = framed(sites, conditional(sites), moments);
  const weights = new Weights(random);
  const flow = flowShape(weights, bins.features, STEPS);
  fitShape(flow, weights, bins, steps, random);
  return { flow, moments };
}
