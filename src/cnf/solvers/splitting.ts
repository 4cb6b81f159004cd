/**
 * The splitting method (Hairer, Lubich, Wanner, Geometric Numerical Integration, II.5): the exact solutions of the parts one after
 * the other, forward in one order and backward in the other, so that a step with -h undoes a step with h.
 */

import type { Dynamics, Solver, State } from './solver.js';

/** Lie and Trotter's, of order 1: all parts over h. The time is held at the step's earlier end. */
export const splitting: Solver<State> = {
  name: 'splitting',
  order: 1,
  evaluations: 1,
  startEvaluations: 0,
  start: (_dynamics, _t, state) => state,
  step: (dynamics, t, h, state) =>
    h > 0 ? sweep(dynamics, t, h, state, false) : sweep(dynamics, t + h, h, state, true),
  state: (carry) => carry,
};

/** Strang's, of order 2: half a sweep forward, half a sweep in the other order, with the time at the step's middle. */
export const strang: Solver<State> = {
  ...splitting,
  name: 'strang',
  order: 2,
  evaluations: 2,
  step(dynamics, t, h, state) {
    const middle = t + h / 2;
    return sweep(dynamics, middle, h / 2, sweep(dynamics, middle, h / 2, state, false), true);
  },
};

function sweep(dynamics: Dynamics, t: number, h: number, state: State, reversed: boolean): State {
  const { parts } = dynamics;
  if (!parts)
    throw new TypeError('the splitting method needs a field of parts with exact solutions: an affine-split one');
  return (reversed ? [...parts].reverse() : parts).reduce((at, part) => part(t, at, h), state);
}
