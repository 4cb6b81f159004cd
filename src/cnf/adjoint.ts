/** The adjoint method. */

import * as tf from '@tensorflow/tfjs-core';
import { type Method, solve } from './solvers/solve.js';
import type { Dynamics, State } from './solvers/solver.js';
import { backpropagate, type Gradients } from './train.js';

/**
 * The gradient of a loss of the state at t = 1 by the adjoint method (Pontryagin; Chen et al. 2018, section 2): the adjoint a = dL/dx is
 * integrated backward in time together with the state, in memory that does not depend on the number of steps.
 *
 * @param variables of the dynamics
 * @param loss of the end state; it may not use the variables itself
 * @param from where in time the state is; the loss is that at t = 1
 */
export function adjointGradients(
  dynamics: Dynamics,
  variables: readonly tf.Variable[],
  state: State,
  method: Method,
  loss: (end: State) => tf.Scalar,
  from = 0,
): Gradients {
  const end = solve(dynamics, state, method, { from }).state;
  const n = state.length;
  const { loss: value, gradients: ends } = backpropagate(end, () => loss(end));
  // Backward in time go the state, its adjoint, and minus the integral of a . df/dw.
  const augmented: Dynamics = {
    derivative(t, all) {
      const [now, adjoint] = [all.slice(0, n), all.slice(n, 2 * n)];
      let derivative: State = [];
      const product = () => {
        derivative = dynamics.derivative(t, now).map((f) => tf.keep(f));
        return derivative.map((f, i) => tf.sum(tf.mul(f, adjoint[i]))).reduce((a, b) => tf.add(a, b)) as tf.Scalar;
      };
      const { gradients } = backpropagate([...now, ...variables], product);
      const ahead = derivative.map((f) => f.clone());
      tf.dispose(derivative as tf.Tensor[]);
      return [...ahead, ...gradients.map((g) => tf.neg(g))];
    },
  };
  const start = [...end, ...ends, ...variables.map((v) => tf.zeros(v.shape))];
  const found = solve(augmented, start, method, { from: 1, to: from }).state;
  return { loss: value, gradients: found.slice(2 * n) };
}
