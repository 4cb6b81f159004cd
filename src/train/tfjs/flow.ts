/** The negative log-likelihood of a site (`codec/kernels/assembly/loss.ts`) in TensorFlow.js ops. */

import type { Rank, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import {
  type FieldParameters,
  headLayout,
  type ModelDefinition,
  type ModelParameters,
  type Parameter,
} from '../../../models/definition.js';
import type { Constants, SiteBatch } from './batch.js';
import { bounded, piecewise } from './custom-ops.js';
import type { Matrices } from './parameters.js';
import type { TensorFlow } from './tensorflow.js';

/** Below this, exp(x) - 1 is taken from its series, whose slope does not cancel. */
const SERIES_LIMIT = 0.1;

/**
 * Loss of each site in nats, from the head's raw outputs: sites x head size. Samples have 8 bits, so that no bin is wider than one.
 * The escape is left out: a sample of 8 bits lies outside the window only where the location is 1,800 or more away.
 */
export function siteLosses(
  tf: TensorFlow,
  definition: ModelDefinition,
  constant: Constants,
  { field }: ModelParameters,
  matrix: Matrices,
  rows: Tensor2D,
  sites: SiteBatch,
): Tensor1D {
  const { channels: d } = definition;
  const raw = splitHead(tf, definition, rows);
  const columns = (values: Float32Array) => tf.split<Tensor2D>(tf.tensor2d(values, [rows.shape[0], d]), d, 1);
  const [samples, means, spreads] = [sites.samples, sites.means, sites.spreads].map(columns);
  const limit = constant('meanLimit');
  const centres: Tensor2D[] = [];
  let loss: Tensor2D = tf.zeros(samples[0].shape);
  for (let k = 0; k < d; k++) {
    const mean = tf.clipByValue(tf.add(means[k], tf.mul(raw.mean[k], spreads[k])), -limit, limit);
    const relative = tf.add(bounded(tf, raw.logScale[k], constant('LOG_SCALE_BOUND')), constant('LOG_SCALE_CENTRE'));
    const inverse = tf.exp(
      tf.neg(
        tf.clipByValue(tf.add(relative, tf.log(spreads[k])), constant('LOWEST_LOG_SCALE'), constant('highestLogScale')),
      ),
    );
    const shears = raw.shear.slice((k * (k - 1)) / 2, (k * (k + 1)) / 2);
    const terms = shears.map((r, o) => tf.mul(bounded(tf, r, constant('SHEAR_BOUND')), centres[o]));
    const shear = terms.reduce<Tensor2D>((sum, term) => tf.add(sum, term), tf.zeros(samples[k].shape));
    const { rate, drift } = fieldAt(tf, constant, field, matrix, k, raw.projections[k], centres);
    const growth = tf.exp(rate);
    const slope: Tensor2D = tf.mul(growth, inverse);
    const distance = tf.sub(samples[k], mean);
    const lower: Tensor2D = tf.add(
      tf.mul(slope, distance),
      tf.add(tf.mul(growth, shear), tf.mul(drift, phi(tf, rate))),
    );
    loss = tf.add(loss, binLoss(tf, constant, raw, k, lower, tf.add(lower, slope)));
    centres.push(tf.add(tf.mul(tf.add(distance, 0.5), inverse), shear));
  }
  return tf.reshape(loss, [-1]);
}

/** The head's raw outputs: of each coordinate sites x 1; logistics sites x channels x mixtures. */
interface RawOutputs {
  readonly mean: readonly Tensor2D[];
  readonly logScale: readonly Tensor2D[];
  readonly shear: readonly Tensor2D[];
  readonly mixLogit: Tensor3D;
  readonly mixMean: Tensor3D;
  readonly mixLogScale: Tensor3D;
  /** Of each coordinate, sites x hidden. */
  readonly projections: readonly Tensor2D[];
}

function splitHead(tf: TensorFlow, definition: ModelDefinition, rows: Tensor2D): RawOutputs {
  const { channels: d, mixtures, hidden } = definition;
  const layout = headLayout(definition);
  const count = rows.shape[0];
  const part = (start: number, size: number): Tensor2D => tf.slice(rows, [0, start], [count, size]);
  const each = (start: number, parts: number, size = 1) =>
    Array.from({ length: parts }, (_, i) => part(start + i * size, size));
  const logistics = (start: number): Tensor3D => tf.reshape(part(start, d * mixtures), [-1, d, mixtures]);
  return {
    mean: each(layout.mean, d),
    logScale: each(layout.logScale, d),
    shear: each(layout.shear, (d * (d - 1)) / 2),
    mixLogit: logistics(layout.mixLogit),
    mixMean: logistics(layout.mixMean),
    mixLogScale: logistics(layout.mixLogScale),
    projections: each(layout.projection, d, hidden),
  };
}

/** Rate and drift of coordinate k's field, given the centres before it: sites x 1. */
function fieldAt(
  tf: TensorFlow,
  constant: Constants,
  field: FieldParameters,
  matrix: Matrices,
  k: number,
  projection: Tensor2D,
  centres: readonly Tensor2D[],
): { rate: Tensor2D; drift: Tensor2D } {
  const row = (parameter: Parameter, at: number, count = 1): Tensor2D => {
    const values = matrix(parameter);
    return tf.slice(values, [at, 0], [count, values.shape[1]]);
  };
  const column = (values: Tensor2D): Tensor2D => tf.reshape(values, [-1, 1]);
  const element = (parameter: Parameter): Tensor2D => tf.slice(column(matrix(parameter)), [k, 0], [1, 1]);
  let inputs: Tensor2D = tf.add(projection, row(field.bias, k));
  if (k > 0) {
    const clamp = constant('CLAMP');
    const known = tf.clipByValue(tf.concat([...centres], 1), -clamp, clamp);
    inputs = tf.add(inputs, tf.matMul(known, row(field.others, (k * (k - 1)) / 2, k)));
  }
  const outputs = tf.concat([column(row(field.a, k)), column(row(field.b, k))], 1);
  const [a, b] = tf.split<Tensor2D>(tf.matMul(bounded(tf, inputs, 1), outputs), 2, 1);
  const rawRate: Tensor2D = tf.add(a, element(field.aBias));
  return { rate: bounded(tf, rawRate, constant('RATE_BOUND')), drift: tf.add(b, element(field.bBias)) };
}

/** (exp(x) - 1) / x. */
function phi(tf: TensorFlow, x: Tensor2D): Tensor2D {
  const small = tf.less(tf.abs(x), SERIES_LIMIT);
  const safe = piecewise(tf, small, tf.ones<Rank.R2>(x.shape), x);
  let series: Tensor2D = tf.add(tf.mul(x, 1 / 120), 1 / 24);
  for (const coefficient of [1 / 6, 1 / 2, 1]) series = tf.add(tf.mul(series, x), coefficient);
  const closed: Tensor2D = tf.div(tf.sub(tf.exp(safe), 1), safe);
  return piecewise(tf, small, series, closed);
}

/** -log P of coordinate k: what the mixture of logistics has between the images of the bin's edges (sites x 1). */
function binLoss(
  tf: TensorFlow,
  constant: Constants,
  { mixLogit, mixMean, mixLogScale }: RawOutputs,
  k: number,
  lower: Tensor2D,
  upper: Tensor2D,
): Tensor2D {
  const [count, , mixtures] = mixLogit.shape;
  const of = (all: Tensor3D): Tensor2D => tf.reshape(tf.slice(all, [0, k, 0], [count, 1, mixtures]), [count, mixtures]);
  const weights = tf.softmax(of(mixLogit));
  const inverses = tf.exp(tf.neg(bounded(tf, of(mixLogScale), constant('MIX_LOG_SCALE_BOUND'))));
  const middles = bounded(tf, of(mixMean), constant('MIX_MEAN_BOUND'));
  const [a, b] = [lower, upper].map((edge): Tensor2D => tf.mul(tf.sub(edge, middles), inverses));
  // The difference is taken on the side where both sigmoids are small.
  const above: Tensor2D = tf.sub(tf.sigmoid(tf.neg(a)), tf.sigmoid(tf.neg(b)));
  const mass: Tensor2D = piecewise(tf, tf.greater(a, 0), above, tf.sub(tf.sigmoid(b), tf.sigmoid(a)));
  const sum: Tensor2D = tf.sum(tf.mul(weights, mass), 1, true);
  const share: Tensor2D = tf.mul(sum, constant('BASE_SHARE'));
  return tf.neg(tf.log(tf.add(share, constant('FLOOR'))));
}
