/**
 * The reversible Heun method (Kidger et al. 2021), of order 2: it carries a second state along and can be run backward by
 * algebra alone, without error but rounding. One evaluation a step.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Solver, State } from './solver.js';

export interface ReversibleCarry {
  readonly state: State;
  /** The second state and the derivative there. */
  readonly shadow: State;
  readonly derivative: State;
}

export const reversible: Solver<ReversibleCarry> = {
  name: 'reversible',
  order: 2,
  evaluations: 1,
  startEvaluations: 1,
  start: (dynamics, t, state) => ({ state, shadow: state, derivative: dynamics.derivative(t, state) }),
  step(dynamics, t, h, { state, shadow, derivative }) {
    const next = state.map((x, i) => tf.add(tf.sub(tf.mul(x, 2), shadow[i]), tf.mul(derivative[i], h)));
    const found = dynamics.derivative(t + h, next);
    const moved = state.map((x, i) => tf.add(x, tf.mul(tf.add(derivative[i], found[i]), h / 2)));
    return { state: moved, shadow: next, derivative: found };
  },
  state: ({ state }) => state,
};
