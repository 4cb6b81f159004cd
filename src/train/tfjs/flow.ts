/** The negative evidence lower bound of a site (`codec/kernels/assembly/loss.ts`) in TensorFlow.js ops. */

import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import {
  type FieldParameters,
  headLayout,
  type ModelDefinition,
  type ModelParameters,
  type Parameter,
} from '../../../models/definition.js';
import type { SiteBatch } from './batch.js';
import { bounded, piecewise } from './custom-ops.js';
import type { Matrices } from './parameters.js';
import type { TensorFlow } from './tensorflow.js';

// The constants of `site.ts`, `field.ts` and `loss.ts` among the kernels, which say what they are for.
const MEAN_LIMIT = 2048;
const LOG_SCALE_CENTRE = -0.5;
const LOG_SCALE_BOUND = 3;
const LOWEST_LOG_SCALE = -2.7;
const HIGHEST_LOG_SCALE = 4.1;
const BIN_CENTRE_BOUND = 4;
const BIN_LOG_SCALE_BOUND = 1;
const SHEAR_BOUND = 4;
const MIX_MEAN_BOUND = 12;
const MIX_LOG_SCALE_BOUND = 3.5;
const RATE_BOUND = 2.4;
const CLAMP = 8;
const WINDOW = 16;
const FLOOR_DENSITY = 1.52587890625e-5;
const BASE_SHARE = 0.999267578125;
const TAIL_DENSITY = 9.085973236e-6;

/** Below this, exp(x) - 1 is taken from its series, whose slope does not cancel. */
const SERIES_LIMIT = 0.1;

/** Loss of each site in nats, from the head's raw outputs: sites x head size. */
export function siteLosses(
  tf: TensorFlow,
  definition: ModelDefinition,
  { field }: ModelParameters,
  matrix: Matrices,
  rows: Tensor2D,
  sites: SiteBatch,
): Tensor1D {
  const { channels: d } = definition;
  const raw = splitHead(tf, definition, rows);
  const data = (values: Float32Array) => tf.tensor2d(values, [rows.shape[0], d]);
  const samples = data(sites.samples);
  const spreads = data(sites.spreads);
  const centres = tf.add(data(sites.means), tf.mul(raw.mean, spreads));
  const means = tf.clipByValue(centres, -MEAN_LIMIT, MEAN_LIMIT);
  const relative: Tensor2D = tf.add(bounded(tf, raw.logScale, LOG_SCALE_BOUND), LOG_SCALE_CENTRE);
  const logScales: Tensor2D = tf.clipByValue(tf.add(relative, tf.log(spreads)), LOWEST_LOG_SCALE, HIGHEST_LOG_SCALE);
  const distances: Tensor2D = tf.sub(samples, means);
  const { u, logQ } = dequantize(tf, raw, distances, logScales, data(sites.uniforms));
  const normalised: Tensor2D = tf.div(tf.add(distances, u), tf.exp(logScales));
  const z = shear(tf, tf.split<Tensor2D>(normalised, d, 1), raw.shear);
  const logDeterminants = integrate(tf, definition, field, matrix, z, raw.projections);
  const dequantization = tf.sum(tf.add(logQ, logScales), 1, true);
  const latent: Tensor2D = tf.concat(z, 1);
  const base = tf.sum(baseLogDensity(tf, latent, raw), 1, true);
  return tf.reshape(tf.sub(tf.sub(dequantization, logDeterminants), base), [-1]);
}

/** The head's raw outputs: sites x channels; coefficients sites x 1; logistics sites x channels x mixtures. */
interface RawOutputs {
  readonly mean: Tensor2D;
  readonly logScale: Tensor2D;
  readonly binCentre: Tensor2D;
  readonly binLogScale: Tensor2D;
  readonly shear: readonly Tensor2D[];
  readonly mixLogit: Tensor3D;
  readonly mixMean: Tensor3D;
  readonly mixLogScale: Tensor3D;
  /** Of each coordinate, sites x hidden. */
  readonly projections: readonly Tensor2D[];
}

function splitHead(tf: TensorFlow, definition: ModelDefinition, rows: Tensor2D): RawOutputs {
  const { channels: d, mixtures, hidden } = definition;
  const { projection, size } = headLayout(definition);
  const shears = (d * (d - 1)) / 2;
  const ones = Array<number>(shears).fill(1);
  const padding = size - projection - d * hidden;
  const sizes = [d, d, d, d, ...ones, ...Array<number>(3).fill(d * mixtures), ...Array<number>(d).fill(hidden)];
  const parts = tf.split<Tensor2D>(rows, padding > 0 ? [...sizes, padding] : sizes, 1);
  const [mean, logScale, binCentre, binLogScale, ...rest] = parts;
  const [mixLogit, mixMean, mixLogScale] = rest
    .slice(shears, shears + 3)
    .map((part): Tensor3D => tf.reshape(part, [-1, d, mixtures]));
  return {
    mean,
    logScale,
    binCentre,
    binLogScale,
    shear: rest.slice(0, shears),
    mixLogit,
    mixMean,
    mixLogScale,
    projections: rest.slice(shears + 3, shears + 3 + d),
  };
}

/**
 * Draws u from q(u | x, c), a logistic truncated to the sample's bin, by its quantile function in log space; the bin is
 * mirrored when it lies right of the logistic's centre, where the quantile would cancel.
 */
function dequantize(
  tf: TensorFlow,
  raw: RawOutputs,
  distances: Tensor2D,
  logScales: Tensor2D,
  uniforms: Tensor2D,
): { u: Tensor2D; logQ: Tensor2D } {
  const offset = bounded(tf, raw.binLogScale, BIN_LOG_SCALE_BOUND);
  const width = tf.exp(tf.neg(tf.add(logScales, offset)));
  const centre = tf.mul(bounded(tf, raw.binCentre, BIN_CENTRE_BOUND), tf.exp(tf.neg(offset)));
  const start = tf.sub(tf.mul(distances, width), centre);
  const mirrored = tf.greater(tf.add(start, tf.mul(width, 0.5)), 0);
  const a = piecewise(tf, mirrored, tf.neg(tf.add(start, width)), start);
  const eA = tf.exp(a);
  const eWidth = tf.exp(width);
  const mass = tf.sub(eWidth, 1);
  const c = tf.div(tf.mul(uniforms, mass), tf.add(1, tf.mul(eA, eWidth)));
  const w = tf.sub(tf.log(tf.add(1, c)), tf.log(tf.sub(1, tf.mul(c, eA))));
  const share: Tensor2D = tf.div(w, width);
  const u: Tensor2D = piecewise(tf, mirrored, tf.sub(1, share), share);
  const density = tf.sub(tf.add(tf.log(width), w), tf.mul(tf.softplus(tf.add(a, w)), 2));
  const ends = tf.add(tf.softplus(a), tf.softplus(tf.add(a, width)));
  const logQ: Tensor2D = tf.add(density, tf.sub(ends, tf.log(mass)));
  return { u, logQ };
}

/** Adds to each coordinate, one after the other, a combination of those before it. */
function shear(tf: TensorFlow, z: readonly Tensor2D[], coefficients: readonly Tensor2D[]): Tensor2D[] {
  const sheared: Tensor2D[] = [];
  for (const [k, own] of z.entries()) {
    const row = coefficients.slice((k * (k - 1)) / 2, (k * (k + 1)) / 2);
    const terms = row.map((r, o) => tf.mul(bounded(tf, r, SHEAR_BOUND), sheared[o]));
    sheared.push(terms.reduce<Tensor2D>((sum, term) => tf.add(sum, term), own));
  }
  return sheared;
}

/** Carries the coordinates (sites x 1 each), in place, through the splitting integrator; returns the log-determinants. */
function integrate(
  tf: TensorFlow,
  { channels: d, sweeps, tied }: ModelDefinition,
  field: FieldParameters,
  matrix: Matrices,
  z: Tensor2D[],
  projections: readonly Tensor2D[],
): Tensor2D {
  const row = (parameter: Parameter, at: number, count = 1): Tensor2D => {
    const values = matrix(parameter);
    return tf.slice(values, [at, 0], [count, values.shape[1]]);
  };
  const element = (parameter: Parameter, n: number, k: number): Tensor2D => tf.slice(matrix(parameter), [n, k], [1, 1]);
  const column = (matrix: Tensor2D): Tensor2D => tf.reshape(matrix, [-1, 1]);
  const step = 1 / sweeps;
  let logDeterminants: Tensor2D = tf.zeros(z[0].shape);
  for (let n = 0; n < sweeps; n++) {
    for (let i = 0; i < d; i++) {
      const k = n % 2 === 1 ? d - 1 - i : i;
      const set = (tied ? 0 : n * d) + k;
      let inputs: Tensor2D = tf.add(projections[k], row(field.bias, n * d + k));
      if (d > 1) {
        const others = tf.clipByValue(
          tf.concat(
            z.filter((_, o) => o !== k),
            1,
          ),
          -CLAMP,
          CLAMP,
        );
        inputs = tf.add(inputs, tf.matMul(others, row(field.others, set * (d - 1), d - 1)));
      }
      const outputs = tf.concat([column(row(field.a, set)), column(row(field.b, set))], 1);
      const [a, b] = tf.split(tf.matMul(bounded(tf, inputs, 1), outputs), 2, 1);
      const alpha = tf.mul(bounded(tf, tf.add(a, element(field.aBias, n, k)), RATE_BOUND), step);
      const beta = tf.mul(tf.add(b, element(field.bBias, n, k)), step);
      z[k] = tf.add(tf.mul(z[k], tf.exp(alpha)), tf.mul(beta, phi(tf, alpha)));
      logDeterminants = tf.add(logDeterminants, alpha);
    }
  }
  return logDeterminants;
}

/** (exp(x) - 1) / x. */
function phi(tf: TensorFlow, x: Tensor): Tensor {
  const small = tf.less(tf.abs(x), SERIES_LIMIT);
  const safe = piecewise(tf, small, tf.ones(x.shape), x);
  let series: Tensor = tf.add(tf.mul(x, 1 / 120), 1 / 24);
  for (const coefficient of [1 / 6, 1 / 2, 1]) series = tf.add(tf.mul(series, x), coefficient);
  return piecewise(tf, small, series, tf.div(tf.sub(tf.exp(safe), 1), safe));
}

/** log p(z(1) | c), sites x channels: mixtures of logistics over a floor within the window, the escape's density outside. */
function baseLogDensity(tf: TensorFlow, z: Tensor2D, raw: RawOutputs): Tensor {
  const weights = tf.softmax(raw.mixLogit);
  const inverseScales = tf.exp(tf.neg(bounded(tf, raw.mixLogScale, MIX_LOG_SCALE_BOUND)));
  const inside = tf.less(tf.abs(z), WINDOW);
  const each = tf.reshape(z, [...z.shape, 1]);
  const t = tf.mul(tf.sub(each, bounded(tf, raw.mixMean, MIX_MEAN_BOUND)), inverseScales);
  const logistic = tf.mul(inverseScales, tf.mul(tf.sigmoid(t), tf.sigmoid(tf.neg(t))));
  const mixture = tf.mul(tf.sum(tf.mul(weights, logistic), 2), BASE_SHARE);
  const farSquared = piecewise(tf, inside, tf.fill(z.shape, WINDOW * WINDOW), tf.mul(z, z));
  const tail = tf.sub(Math.log(TAIL_DENSITY), tf.mul(tf.log(farSquared), 0.5));
  return piecewise(tf, inside, tf.log(tf.add(mixture, FLOOR_DENSITY)), tail);
}
