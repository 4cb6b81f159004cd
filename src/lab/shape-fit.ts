/** Learns shapes of densities by the exact length of bins, and measures it. */

import * as tf from '@tensorflow/tfjs-core';
import type { Weights } from '../../models/fields/weights.js';
import { scoped } from '../cnf/scope.js';
import { backpropagate, train } from '../cnf/train.js';
import type { Random } from '../train/random.js';
import type { FramedBins } from './data/bins.js';
import type { Shape } from './shapes.js';

const [BATCH, RATE] = [512, 0.01];
const CHUNK = 4096;
/** A bin has this at least, as in the codec: one of 2^24 slots. */
export const SHAPE_FLOOR = 2 ** -24;

/** For the configuration of a report. */
export const SHAPE_TRAINING = `by the exact length of bins, Adam, batches of ${BATCH} coordinates`;

/** @param steps of training */
export function fitShape(shape: Shape, weights: Weights, bins: FramedBins, steps: number, random: Random): void {
  const { variables } = weights;
  train({
    variables,
    steps,
    rate: RATE,
    gradients: () => {
      const batch = bins.take(Int32Array.from({ length: BATCH }, () => random.below(bins.count)));
      const loss = (): tf.Scalar => tf.neg(tf.div(tf.sum(tf.log(tf.add(shape.mass(batch), SHAPE_FLOOR))), BATCH));
      return backpropagate(variables, loss);
    },
  });
}

/** Exact length of every coordinate's bin in bits, and how many bins have no mass: where a step folds. */
export function shapeBits(shape: Shape, bins: FramedBins): { bits: Float64Array; folded: number } {
  const bits = new Float64Array(bins.count);
  let folded = 0;
  for (let from = 0; from < bins.count; from += CHUNK) {
    const indices = Int32Array.from({ length: Math.min(CHUNK, bins.count - from) }, (_, i) => from + i);
    const masses = scoped(() => shape.mass(bins.take(indices)).dataSync<'float32'>().slice());
    for (const [i, mass] of masses.entries()) {
      bits[from + i] = -Math.log2(Math.max(0, mass) + SHAPE_FLOOR);
      if (mass < 0) folded++;
    }
  }
  return { bits, folded };
}
