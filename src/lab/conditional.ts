/** Flows of one variable given others: what experiments on causes are made of. */

import * as tf from '@tensorflow/tfjs-core';
import { mlp, perceptron } from '../../models/fields/mlp.js';
import { Weights } from '../../models/fields/weights.js';
import type { Layer } from '../../models/layers/layer.js';
import { logDensities, standardNormal } from '../cnf/base.js';
import { fitLikelihood, fitVelocity } from '../cnf/fit.js';
import { cnf } from '../cnf/flow.js';
import { scoped } from '../cnf/scope.js';
import { rk4 } from '../cnf/solvers/rk4.js';
import type { Random } from '../train/random.js';

/** Observations: of each the variables' values. */
export type Rows = readonly (readonly number[])[];

export interface Conditional {
  /** log p of the variable in each row, given its others, in nats. */
  logs(rows: Rows): Float32Array;
  /** The noise of each row's variable: what it is mapped on, standard normal. */
  noise(rows: Rows): Float32Array;
  /** Values of the variable with a noise each, given the others of a row each. */
  values(noise: ArrayLike<number>, rows: Rows): Float32Array;
  /** Values drawn, one for each row. */
  draw(rows: Rows, random: Random): Float32Array;
}

export interface LearnOptions {
  /** The variable, and those that it is given, by their place in a row. */
  readonly of: number;
  readonly given: readonly number[];
  readonly steps: number;
  /**
   * `free`: a continuous flow, which fits any distribution. `affine`: location and scale by a network of what is given, and normal noise (Khemakhem et al. 2021's
   * affine flows), which fits few.
   */
  readonly kind?: 'free' | 'affine';
}

export const FREE_TOLD = 'MLP on R, hidden 32 32, gated by time, the other variables as context; RK4, 12 steps';
const HIDDEN = [32, 32];
const [BATCH, RATE] = [128, 0.01];
const base = standardNormal(1);

export function learn(observed: Rows, { of, given, steps, kind = 'free' }: LearnOptions, random: Random): Conditional {
  const weights = new Weights(random);
  const column = (rows: Rows) =>
    tf.tensor2d(
      Float32Array.from(rows, (row) => row[of]),
      [rows.length, 1],
    );
  const context = (rows: Rows) =>
    given.length === 0
      ? undefined
      : tf.tensor2d(
          rows.map((row) => given.map((i) => row[i])),
          [rows.length, given.length],
        );
  const batch = () => {
    const rows = Array.from({ length: BATCH }, () => observed[random.below(observed.length)]);
    const [x, seen] = [column(rows), context(rows)];
    return seen ? { x, context: seen } : x;
  };
  const layer = kind === 'free' ? free() : locationScale(weights, given.length);
  if (kind === 'affine') fitLikelihood(layer, base, { weights, batch, steps, rate: RATE });
  const values = (noise: ArrayLike<number>, rows: Rows) =>
    scoped(() =>
      layer
        .inverse(tf.tensor2d(Float32Array.from(noise), [rows.length, 1]), context(rows))
        .dataSync<'float32'>()
        .slice(),
    );
  return {
    logs: (rows) => scoped(() => logDensities(layer, base, column(rows), 1000, context(rows))),
    noise: (rows) =>
      scoped(() =>
        layer
          .map({ value: column(rows) }, context(rows))
          .value.dataSync<'float32'>()
          .slice(),
      ),
    values,
    draw: (rows, draws) =>
      values(
        Float32Array.from(rows, () => draws.normal()),
        rows,
      ),
  };

  function free(): Layer {
    const field = mlp(weights, { dimension: 1, hidden: HIDDEN, time: 'gated', context: given.length });
    fitVelocity(field, base, { weights, batch, steps, rate: RATE }, random);
    return cnf(field, { method: { solver: rk4, steps: 12 } });
  }
}

/** y = (x - m) exp(-s) with m and s of the context. */
function locationScale(weights: Weights, context: number): Layer {
  const network = perceptron(weights, { inputs: context, outputs: 2, hidden: HIDDEN, time: 'shared' });
  const parts = (given: tf.Tensor2D) => {
    const { value } = network({ value: given }, 0);
    return [0, 1].map((i) => tf.slice(value, [0, i], [-1, 1]));
  };
  const forward: Layer['forward'] = (x, given) => {
    const [location, logScale] = parts(given!);
    return { y: tf.mul(tf.sub(x, location), tf.exp(tf.neg(logScale))), logDet: tf.neg(logScale) };
  };
  return {
    forward,
    map: ({ value }, given) => ({ value: forward(value, given).y }),
    inverse(y, given) {
      const [location, logScale] = parts(given!);
      return tf.add(tf.mul(y, tf.exp(logScale)), location);
    },
  };
}
