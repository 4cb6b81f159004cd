/** Fields whose parts, with the others held, have exact solutions. */

import * as tf from '@tensorflow/tfjs-core';
import { add, type Dual, exp, linearly, matMul, mul, scale, tanh } from './dual.js';
import type { Time, VectorField } from './field.js';
import { perceptron, type TimeDependence } from './mlp.js';
import type { Weights } from './weights.js';

export interface AffineSplitOptions {
  readonly dimension: number;
  /** Coordinates move in this many parts, coordinate k in part k mod `parts`; as many as coordinates without. */
  readonly parts?: number;
  /** Units of each hidden layer of the network of each part. */
  readonly hidden: readonly number[];
  /** `concatenated` without. */
  readonly time?: TimeDependence;
  /** Numbers of a context that the networks also see, as the codec's flow sees what is coded already; none without. */
  readonly context?: number;
}

/** Bound of |a|, so that a part's solution over |h| <= 1/2 is exact to float32. */
const RATE_BOUND = 2;

/** A sub-step of one part: where it leads is x exp(logScale) + shift, both [B, D], which are 0 outside the part. */
export interface PartStep {
  readonly logScale: Dual;
  readonly shift: Dual;
}

/** A field that is the sum of parts with exact solutions. */
export interface SplitField extends VectorField {
  readonly parts: number;
  /** The exact solution of one part over a time h, with t held; it depends only on coordinates that the part does not move, and on the context. */
  part(index: number, x: Dual, t: number, h: number, context?: tf.Tensor2D): PartStep;
  divergence(x: tf.Tensor2D, t: Time, context?: tf.Tensor2D): tf.Tensor2D;
}

/**
 * dx_k/dt = a_k x_k + b_k, where a_k (within +-2) and b_k are functions of the coordinates of the other parts, of t, and of a context (Dinh et al. 2017 have the same for layers). With those
 * held, each part's equations are linear and have an exact solution, which is what the splitting method steps by; the divergence is the sum of a_k.
 *
 * @throws {RangeError} unless 2 <= parts <= dimension
 */
export function affineSplit(weights: Weights, options: AffineSplitOptions): SplitField {
  const { dimension, parts = dimension, hidden, time = 'concatenated', context } = options;
  if (!(parts >= 2 && parts <= dimension)) {
    throw new RangeError(`a field on R^${dimension} splits into 2 to ${dimension} parts, not ${parts}`);
  }
  const members = Array.from({ length: parts }, (_, part) => {
    const own = Array.from({ length: dimension }, (_, k) => k).filter((k) => k % parts === part);
    const others = Array.from({ length: dimension }, (_, k) => k).filter((k) => k % parts !== part);
    const network = perceptron(weights, { inputs: others.length, outputs: 2 * own.length, hidden, time, context });
    return {
      network,
      take: selection(others, dimension),
      spread: tf.keep(tf.transpose(selection(own, dimension))),
      own,
    };
  });

  /** a and b of a part, [B, D], 0 outside it. */
  const rates = (index: number, x: Dual, t: Time, given?: tf.Tensor2D): [Dual, Dual] => {
    const { network, take, spread, own } = members[index];
    const both = network(matMul(x, take), t, given);
    const half = (begin: number) => linearly(both, (rows) => tf.slice(rows, [0, begin], [-1, own.length]));
    const a = scale(tanh(scale(half(0), 1 / RATE_BOUND)), RATE_BOUND);
    return [matMul(a, spread), matMul(half(own.length), spread)];
  };

  return {
    dimension,
    parts,
    context,
    at(x, t, given) {
      const terms = members.map((_, index) => {
        const [a, b] = rates(index, x, t, given);
        return add(mul(a, x), b);
      });
      return terms.reduce(add);
    },
    divergence(x, t, given) {
      const sums = members.map((_, index) =>
        tf.sum<tf.Tensor2D>(rates(index, { value: x }, t, given)[0].value, 1, true),
      );
      return sums.reduce((a, b) => tf.add(a, b));
    },
    part(index, x, t, h, given) {
      const [a, b] = rates(index, x, t, given);
      const logScale = scale(a, h);
      return { logScale, shift: mul(scale(b, h), meanExponential(logScale)) };
    },
  };
}

/** (exp(z) - 1) / z, the mean of exp(s z) over s in 0 .. 1, by three-point Gauss-Legendre quadrature: to 5e-7 for |z| <= 1. */
function meanExponential(z: Dual): Dual {
  const at = (s: number, weight: number) => scale(exp(scale(z, s)), weight);
  const offset = Math.sqrt(0.15);
  return add(add(at(0.5 - offset, 5 / 18), at(0.5, 8 / 18)), at(0.5 + offset, 5 / 18));
}

/** The matrix [D, indices] that takes these coordinates of a row. */
function selection(indices: readonly number[], dimension: number): tf.Tensor2D {
  const matrix = tf.buffer<tf.Rank.R2>([dimension, indices.length]);
  for (const [column, index] of indices.entries()) matrix.set(1, index, column);
  return tf.keep(matrix.toTensor());
}
