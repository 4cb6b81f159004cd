/** Flows of whole images by scales, as the laboratory trains and measures them. */

import * as tf from '@tensorflow/tfjs-core';
import { convolutional, convolutions } from '../../models/fields/convolutional.js';
import { straight } from '../../models/fields/straight.js';
import { Weights } from '../../models/fields/weights.js';
import { conditionalAffine } from '../../models/layers/conditional-affine.js';
import type { Layer } from '../../models/layers/layer.js';
import { standardized } from '../../models/layers/standardized.js';
import { standardLogistic, standardNormal } from '../cnf/base.js';
import {
  type Dequantizer,
  importanceWeightedBound,
  uniformDequantizer,
  variationalDequantizer,
} from '../cnf/dequantization.js';
import { type DivergenceEstimator, hutchinson } from '../cnf/divergence.js';
import { fitVelocity } from '../cnf/fit.js';
import { chain, cnf } from '../cnf/flow.js';
import { gaussianized, type Marginals, marginalsOf } from '../cnf/marginals.js';
import { type PyramidFlow, pyramid, pyramidFlow } from '../cnf/pyramid.js';
import { scoped } from '../cnf/scope.js';
import { midpoint } from '../cnf/solvers/midpoint.js';
import type { Method } from '../cnf/solvers/solve.js';
import { backpropagate, train } from '../cnf/train.js';
import type { Random } from '../train/random.js';
import type { ImageGround } from './data/image-grounds.js';

/** How much a flow of images learns. */
export interface ImageBudget {
  /** Steps of flow matching at each scale, images a step, and channels of the hidden layers. */
  readonly steps: number;
  readonly batch: number;
  readonly hidden: readonly number[];
  /** Steps of training the noise. */
  readonly noise: number;
}

const [RATE, NOISE_RATE] = [0.004, 0.003];
const VALUES = 256;
/** Images that tell the deviation of each scale's coordinates. */
const MOMENTS = 400;
/** A side is halved until it is no longer than this. */
const COARSEST = 8;
const NOISE_HIDDEN = [12];
/** Through this the noise is trained, with the flow held. */
const NOISE_SOLVER: Method = { solver: midpoint, steps: 2 };

export interface ImageFlow {
  readonly ground: ImageGround;
  /** Samples of an image. */
  readonly dimension: number;
  readonly marginals: Marginals;
  /** From integers with noise to coordinates that are each standard normal, and back. */
  readonly pixels: Layer;
  /** Squared error of the velocity, mean over scales, of every step. */
  readonly losses: readonly number[];
  /** Numbers that were trained. */
  readonly parameters: number;
  /** @param count is told the evaluations of each scale's field, where the method is an adaptive one */
  flow(method: Method, divergence?: DivergenceEstimator, count?: (evaluations: number) => void): PyramidFlow;
}

export function detailsOf(side: number): number {
  let details = 0;
  for (let left = side; left > COARSEST && left % 2 === 0; left /= 2) details++;
  return details;
}

/** How often samples have their values: those of every pixel of gray images, those of every colour of others, which have no places. */
export function groundMarginals({ side, channels, seen }: ImageGround): Marginals {
  const groupOf = channels === 3 ? (i: number) => i % channels : undefined;
  return marginalsOf(seen, { dimension: side * side * channels, values: VALUES, groupOf });
}

/** Trains a flow on what a ground has to be seen, scale by scale, by flow matching. */
export function fitImages(
  ground: ImageGround,
  pairing: 'independent' | 'optimal',
  { steps, batch, hidden }: ImageBudget,
  random: Random,
): ImageFlow {
  const { side, channels, seen } = ground;
  const dimension = side * side * channels;
  const marginals = groundMarginals(ground);
  const pixels = gaussianized(marginals);
  const parts = pyramid({ side, channels, details: detailsOf(side) });
  const uniform = uniformDequantizer(random);
  const normal = (count: number) => {
    const x = someImages(seen, count, random);
    return pixels.forward(tf.add(x, uniform(x).u)).y;
  };
  const scales = scoped(() => parts.bands(normal(MOMENTS)).map(({ own }) => standardized(own)));
  let parameters = 0;
  const trained = parts.scales.map((scale, k) => {
    const weights = new Weights(random);
    const { side: height, channels: own, context } = scale;
    const shape = { height, width: height, channels: own, hidden, context, placed: channels === 1, outputGain: 0.01 };
    const field = straight(convolutional(weights, shape));
    const draw = () => {
      const band = parts.bands(normal(batch))[k];
      const x = scales[k].forward(band.own).y;
      return band.context ? { x, context: band.context } : x;
    };
    const options = { weights, batch: draw, steps, rate: RATE, pairing };
    const losses = fitVelocity(field, standardNormal(field.dimension), options, random);
    parameters += weights.count;
    return { field, losses };
  });
  const losses = trained[0].losses.map((_, step) =>
    trained.reduce((sum, one) => sum + one.losses[step] / trained.length, 0),
  );
  return {
    ground,
    dimension,
    marginals,
    pixels,
    losses,
    parameters,
    flow: (method, divergence, count = () => {}) =>
      pyramidFlow(
        parts,
        trained.map(({ field }, k) => {
          const flow = cnf(field, { method, divergence });
          const counted: Layer = {
            ...flow,
            forward(x, context) {
              const mapped = flow.forward(x, context);
              count(mapped.solution.evaluations);
              return mapped;
            },
          };
          return chain([scales[k], counted]);
        }),
      ),
  };
}

/** [count, D], drawn with replacement. */
export function someImages(from: readonly Uint8Array[], count: number, random: Random): tf.Tensor2D {
  return asTensor(Array.from({ length: count }, () => from[random.below(from.length)]));
}

export function asTensor(images: readonly Uint8Array[]): tf.Tensor2D {
  const size = images[0].length;
  const rows = new Float32Array(images.length * size);
  for (const [i, image] of images.entries()) rows.set(image, i * size);
  return tf.tensor2d(rows, [images.length, size]);
}

/** log p of integers with noise. */
function whole({ pixels }: ImageFlow, flow: PyramidFlow): Pick<Layer, 'forward'> {
  return {
    forward(x) {
      const { y, logDet } = pixels.forward(x);
      const mapped = flow.forward(y);
      return { y: mapped.y, logDet: tf.add(logDet, mapped.logDet) };
    },
  };
}

const NO_UNIT = { scaled: (x: tf.Tensor2D) => x, logUnit: 0 };

/** The bound with one sample of the noise, bits per dimension of each image. */
export function boundOf(of: ImageFlow, flow: PyramidFlow, noise: Dequantizer, images: readonly Uint8Array[]): number[] {
  return scoped(() => {
    const base = standardNormal(of.dimension);
    const bound = importanceWeightedBound(whole(of, flow), base, noise, asTensor(images), 1, NO_UNIT);
    return Array.from(bound.dataSync(), (log) => -log / of.dimension / Math.LN2);
  });
}

/**
 * Learns noise on the bound, with the flow held: each sample's place between two integers is a logistic number, scaled and shifted as convolutions of the
 * image say, through the logistic function (after Ho et al. 2019). It begins as nearly uniform noise.
 */
export function learnedNoise(of: ImageFlow, { noise: steps, batch }: ImageBudget, random: Random): Dequantizer {
  const { side, channels, seen } = of.ground;
  const weights = new Weights(random);
  const shape = { height: side, width: side, inputs: channels, outputs: 2 * channels, hidden: NOISE_HIDDEN };
  const network = convolutions(weights, { ...shape, time: 'shared', placed: channels === 1, outputGain: 1e-4 });
  const noise = variationalDequantizer(
    conditionalAffine(network),
    standardLogistic(of.dimension),
    { centre: 128, range: 64 },
    random,
  );
  const layer = whole(of, of.flow(NOISE_SOLVER, hutchinson({ noise: 'rademacher', draws: random })));
  const base = standardNormal(of.dimension);
  const { variables } = weights;
  train({
    variables,
    steps,
    rate: NOISE_RATE,
    gradients: () => {
      const x = someImages(seen, batch, random);
      const bound = () => tf.sum(importanceWeightedBound(layer, base, noise, x, 1, NO_UNIT));
      return backpropagate(variables, (): tf.Scalar => tf.mul(bound(), -1 / (batch * of.dimension)));
    },
  });
  return noise;
}

/** New images: noise carried back. */
export function drawImages(of: ImageFlow, flow: PyramidFlow, count: number, random: Random): Uint8Array[] {
  const rows = scoped(() => {
    const noise = standardNormal(of.dimension).sample(count, random);
    return of.pixels.inverse(flow.inverse(noise)).arraySync();
  });
  return rows.map((row) => Uint8Array.from(row, (value) => Math.min(VALUES - 1, Math.max(0, Math.floor(value)))));
}
