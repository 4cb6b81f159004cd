/** Fields on sets of points in space. */

import * as tf from '@tensorflow/tfjs-core';
import { concat, linearly, log1p, mul, squaredNorm, tanh } from './dual.js';
import type { Time, VectorField } from './field.js';
import { perceptron } from './mlp.js';
import type { Weights } from './weights.js';

export interface EquivariantOptions {
  /** Of each point, a small integer: points of one kind are interchangeable. */
  readonly kinds: readonly number[];
  /** Coordinates of a point: 2 or 3. */
  readonly space: number;
  /** Units of each of the two hidden layers of g, and numbers of s. */
  readonly hidden: number;
}

/**
 * A field that turns with its points and does not care how points of a kind are numbered (after Koehler, Klein, Noe 2020 and
 * Satorras et al. 2021): f_i = sum_j (x_i - x_j) g(d_ij^2, s_i + s_j, kinds of i and j, t), where s_i = sum_j m(d_ij^2, kinds) tells what
 * surrounds a point. It leaves the points' mean where it is. A state is the points' coordinates one after the other, [points * space].
 */
export function equivariant(weights: Weights, { kinds, space, hidden }: EquivariantOptions): VectorField {
  const points = kinds.length;
  const pairs = kinds.flatMap((_, i) => kinds.flatMap((_, j) => (i === j ? [] : [[i, j]])));
  const difference = tf.keep(differences(pairs, points, space));
  const ends = tf.keep(incidence(pairs, points));
  const kindsOf = pairKinds(pairs, kinds);
  const message = perceptron(weights, {
    inputs: 1,
    outputs: hidden,
    hidden: [],
    time: 'shared',
    context: kindsOf[0].length,
  });
  const strength = perceptron(weights, {
    inputs: 1 + hidden,
    outputs: 1,
    hidden: [hidden, hidden],
    time: 'gated',
    context: kindsOf[0].length,
  });
  const oneHot = tf.keep(tf.tensor2d(kindsOf));
  const perPair = (t: Time, batch: number): Time =>
    typeof t === 'number' ? t : tf.reshape(tf.tile(t, [1, pairs.length]), [batch * pairs.length, 1]);
  return {
    dimension: points * space,
    at(x, t) {
      const batch = x.value.shape[0];
      const apart = linearly(x, (rows) => tf.reshape(tf.matMul(rows, difference), [-1, space]));
      const far = log1p(squaredNorm(apart));
      const near = tanh(message(far, 0, oneHot));
      const surroundings = linearly(near, (rows) => {
        const byPoint = tf.sum(tf.reshape(rows, [-1, points, points - 1, hidden]), 2);
        return tf.reshape(tf.matMul(ends, byPoint), [-1, hidden]);
      });
      const g = strength(concat([far, surroundings]), perPair(t, batch), oneHot);
      const pulls = mul(apart, g);
      return linearly(pulls, (rows) =>
        tf.reshape(tf.sum(tf.reshape(rows, [-1, points, points - 1, space]), 2), [-1, points * space]),
      );
    },
  };
}

/** The matrix [points * space, pairs * space] that gives x_i - x_j of every pair. */
function differences(pairs: readonly number[][], points: number, space: number): tf.Tensor2D {
  const matrix = tf.buffer<tf.Rank.R2>([points * space, pairs.length * space]);
  for (const [p, [i, j]] of pairs.entries()) {
    for (let k = 0; k < space; k++) {
      matrix.set(1, i * space + k, p * space + k);
      matrix.set(-1, j * space + k, p * space + k);
    }
  }
  return matrix.toTensor();
}

/** The matrix [1, pairs, points] that sums what belongs to a pair's two ends. */
function incidence(pairs: readonly number[][], points: number): tf.Tensor3D {
  const matrix = tf.buffer<tf.Rank.R3>([1, pairs.length, points]);
  for (const [p, ends] of pairs.entries()) for (const end of ends) matrix.set(1, 0, p, end);
  return matrix.toTensor();
}

/** Of each pair, which kinds it joins, as a one-hot row; i's kind and j's kind may be swapped. */
function pairKinds(pairs: readonly number[][], kinds: readonly number[]): number[][] {
  const name = ([i, j]: number[]) => [kinds[i], kinds[j]].sort().join();
  const names = [...new Set(pairs.map(name))];
  return pairs.map((pair) => names.map((other) => (other === name(pair) ? 1 : 0)));
}
