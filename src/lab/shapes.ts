/**
 * Densities of one coordinate given what a model's heads say: a base pushed through a nonlinear ODE, or a mixture. Each is read by a small network from
 * the same features, and is exact for bins: what the base has between the images of a bin's edges.
 */

import * as tf from '@tensorflow/tfjs-core';
import { type Dual, dual, linearly, matMul, mul, shift, tanh } from '../../models/fields/dual.js';
import type { Time, VectorField } from '../../models/fields/field.js';
import { perceptron } from '../../models/fields/mlp.js';
import type { Weights } from '../../models/fields/weights.js';
import { cnf } from '../cnf/flow.js';
import { euler } from '../cnf/solvers/euler.js';
import { piecewise } from '../train/tfjs/custom-ops.js';

/** Bins of coordinates: each with its features [B, F] and, in the frame of its density, its lower edge and its width [B, 1]. */
export interface Bins {
  readonly features: tf.Tensor2D;
  readonly lower: tf.Tensor2D;
  readonly width: tf.Tensor2D;
}

export interface Shape {
  /** Mass of each bin, [B, 1]. */
  mass(bins: Bins): tf.Tensor2D;
  /** Multiply-adds of both edges of a bin, beside the network's. */
  readonly cost: number;
}

/** One whose density is known, too, and that can be integrated more finely than it was trained. */
export interface FlowShape extends Shape {
  /** The same weights with another number of steps. */
  withSteps(steps: number): FlowShape;
  /** Density in the frame at points [B, 1]: that of the discretized map, exact. */
  density(features: tf.Tensor2D, z: tf.Tensor2D): tf.Tensor2D;
}

/** Numbers that the network gives to each density. */
const OUTPUTS = 16;
const HIDDEN = 32;
const UNITS = (OUTPUTS - 2) / 2;
const LOGISTICS = Math.floor(OUTPUTS / 3);
/** Where units and logistics begin, in the frame, whose unit is the scale of a logistic. */
const REACH = 3;
/** How much of what would make a step fold a step contracts by, at most. */
const CONTRACTION = 0.9;

function network(weights: Weights, features: number, hidden = HIDDEN): (features: tf.Tensor2D) => tf.Tensor2D {
  const apply = perceptron(weights, { inputs: features, outputs: OUTPUTS, hidden: [hidden], time: 'shared' });
  return (given) => apply(dual(given), 0).value;
}

/** Multiply-adds of the network that all shapes have. */
export function networkCost(features: number, hidden = HIDDEN): number {
  return hidden * (features + OUTPUTS);
}

/** Hidden units with which a network takes so many multiply-adds, nearly. */
export function hiddenFor(cost: number, features: number): number {
  return Math.max(1, Math.round(cost / (features + OUTPUTS)));
}

/**
 * dz/dt = sum_h A_h tanh(v_h z + p_h + tau_h t): nonlinear in its own coordinate. A and p come from the network, v and tau are weights. Euler's
 * method, of as many steps as the flow is coded with; A_h v_h is held above what keeps every step increasing, and nothing else is.
 */
export function flowShape(weights: Weights, features: number, steps: number): FlowShape {
  const read = network(weights, features);
  const logRates = weights.row(UNITS);
  const drifts = weights.row(UNITS);
  const starts = tf.keep(evenly(UNITS));
  const most = (CONTRACTION * steps) / UNITS;
  const field: VectorField = {
    dimension: 1,
    context: 2 * UNITS,
    at(x: Dual, t: Time, context?: tf.Tensor2D) {
      const rates: tf.Tensor2D = tf.exp(logRates);
      const [raw, phase] = tf.split<tf.Tensor2D>(context!, 2, 1);
      const slopes = tf.sub(tf.softplus(tf.add(raw, Math.log(Math.expm1(most)))), most);
      const moved = shift(matMul(x, rates), tf.sub(tf.add(phase, tf.mul(drifts, t)), tf.mul(rates, starts)));
      const units = mul(tanh(moved), dual(tf.div<tf.Tensor2D>(slopes, rates)));
      return linearly(units, (rows) => tf.sum<tf.Tensor2D>(rows, 1, true));
    },
  };
  const of = (count: number): FlowShape => {
    const flow = cnf(field, { method: { solver: euler, steps: count } });
    /** Where the coordinates' own scale and location put them at first, and the field's context. */
    const start = (given: tf.Tensor2D) => {
      const [place, context] = tf.split<tf.Tensor2D>(read(given), [2, 2 * UNITS], 1);
      const [logScale, location] = tf.split<tf.Tensor2D>(place, 2, 1);
      return { scale: tf.exp(logScale), location, context };
    };
    return {
      cost: 2 * count * 3 * UNITS,
      withSteps: of,
      mass({ features: given, lower, width }) {
        const { scale, location, context } = start(given);
        const edges = [lower, tf.add(lower, width)].map((edge) => tf.add(tf.mul(edge, scale), location));
        const ends = flow.path(tf.concat(edges, 0) as tf.Tensor2D, {}, tf.concat([context, context], 0)).state[0];
        const [a, b] = tf.split<tf.Tensor2D>(ends as tf.Tensor2D, 2, 0);
        return between(a, b);
      },
      density(given, z) {
        const { scale, location, context } = start(given);
        const first = dual(tf.add(tf.mul(z, scale), location), tf.reshape(scale, [1, -1, 1]));
        const { value, tangents } = flow.map(first, context);
        const share = tf.sigmoid(value);
        return tf.mul(tf.mul(share, tf.sub(1, share)), tf.reshape(tangents!, [-1, 1]));
      },
    };
  };
  return of(steps);
}

/** A mixture of logistics, what the codec's affine field makes of its base again. */
export function mixtureShape(weights: Weights, features: number, hidden?: number): Shape {
  const read = network(weights, features, hidden);
  const starts = tf.keep(evenly(LOGISTICS));
  return {
    cost: 2 * 2 * LOGISTICS,
    mass({ features: given, lower, width }) {
      const used = tf.slice(read(given), [0, 0], [-1, 3 * LOGISTICS]);
      const [logits, means, scales] = tf.split<tf.Tensor2D>(used, 3, 1);
      const inverse = tf.exp(scales);
      const [a, b] = [lower, tf.add<tf.Tensor2D>(lower, width)].map(
        (edge): tf.Tensor2D => tf.mul(tf.sub(edge, tf.add(means, starts)), inverse),
      );
      return tf.sum<tf.Tensor2D>(tf.mul(tf.softmax(logits), between(a, b)), 1, true);
    },
  };
}

/** Numbers from -REACH to REACH, [1, count]. */
function evenly(count: number): tf.Tensor2D {
  return tf.tensor2d([Array.from({ length: count }, (_, i) => REACH * ((2 * i) / (count - 1) - 1))]);
}

/** What a standard logistic has between two edges, on the side where both tails are small. */
function between(lower: tf.Tensor2D, upper: tf.Tensor2D): tf.Tensor2D {
  const above: tf.Tensor2D = tf.sub(tf.sigmoid(tf.neg(lower)), tf.sigmoid(tf.neg(upper)));
  return piecewise(tf, tf.greater(lower, 0), above, tf.sub(tf.sigmoid(upper), tf.sigmoid(lower)));
}
