/** A step of any explicit Runge-Kutta method (Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, II.1). */

import * as tf from '@tensorflow/tfjs-core';
import type { Dynamics, Solver, State } from './solver.js';

/** Butcher's tableau. */
export interface Tableau {
  readonly name: string;
  readonly order: number;
  /** Times of the stages, in steps. */
  readonly c: readonly number[];
  /** Row s: how much of each earlier stage's derivative stage s starts from. */
  readonly a: readonly (readonly number[])[];
  /** How much of each stage's derivative the step consists of. */
  readonly b: readonly number[];
}

/**
 * The stages' derivatives of one step.
 *
 * @param first that of the first stage, if it is known
 */
export function stages(
  { a, c }: Tableau,
  dynamics: Dynamics,
  t: number,
  h: number,
  state: State,
  first?: State,
): State[] {
  const found = first ? [first] : [];
  for (let s = found.length; s < a.length; s++) {
    found.push(dynamics.derivative(t + c[s] * h, moved(state, h, a[s], found)));
  }
  return found;
}

/** state + h sum_s weights_s derivatives_s. */
export function moved(state: State, h: number, weights: readonly number[], derivatives: readonly State[]): State {
  return state.map((x, i) =>
    weights.reduce((sum, w, s) => (w === 0 ? sum : tf.add(sum, tf.mul(derivatives[s][i], h * w))), x),
  );
}

/** The method of a tableau, whose carry is the state alone. */
export function rungeKutta(tableau: Tableau): Solver<State> {
  return {
    name: tableau.name,
    order: tableau.order,
    evaluations: tableau.b.length,
    startEvaluations: 0,
    start: (_dynamics, _t, state) => state,
    step: (dynamics, t, h, state) => moved(state, h, tableau.b, stages(tableau, dynamics, t, h, state)),
    state: (carry) => carry,
  };
}
