/** Dormand and Prince's embedded pair of orders 5 and 4 (1980), as a method of fixed steps and with steps of its own choice. */

import * as tf from '@tensorflow/tfjs-core';
import { release, scoped } from '../scope.js';
import { Controller, INTEGRAL } from './control.js';
import { moved, rungeKutta, stages, type Tableau } from './runge-kutta.js';
import type { Dynamics, State } from './solver.js';

export const DORMAND_PRINCE: Tableau = {
  name: 'dormand-prince',
  order: 5,
  c: [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1],
  a: [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
  ],
  b: [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
};

/**
 * The fifth-order weights less the fourth-order ones: the step's error estimate. The seventh is that of the derivative where the step
 * ends, which is the first stage of the next one.
 */
export const ERROR = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40];

export const dormandPrince = rungeKutta(DORMAND_PRINCE);

/** An accepted step. */
export interface Step {
  /** When it begins, and how long it is. */
  readonly t: number;
  readonly h: number;
  /** Where it begins and ends. */
  readonly from: State;
  readonly to: State;
  /** Those of its six stages, and that where it ends. */
  readonly derivatives: readonly State[];
}

export interface AdaptiveResult {
  readonly state: State;
  /** Of the right-hand side: six a step, accepted or rejected, and one before the first. */
  readonly evaluations: number;
  /** Times at which accepted steps end. */
  readonly times: readonly number[];
  readonly rejected: number;
}

export const MOST_STEPS = 10_000;

/**
 * Integrates with steps whose estimated error is at most tolerance (1 + |x|) in root mean square; the gradient does not flow through
 * the choice of steps.
 *
 * @param onStep told of each accepted step, whose tensors are freed behind it
 * @throws {Error} if it needs more than 10,000 steps
 */
export function adaptive(
  dynamics: Dynamics,
  state: State,
  from: number,
  to: number,
  tolerance: number,
  control = INTEGRAL,
  onStep?: (step: Step) => void,
): AdaptiveResult {
  const controller = new Controller(control);
  const direction = Math.sign(to - from);
  let [t, h, evaluations, rejected] = [from, (to - from) / 10, 1, 0];
  const given = [...state];
  let first: State = tf.tidy(() => [...dynamics.derivative(from, state)]);
  const times: number[] = [];
  while (direction * (to - t) > 1e-9) {
    if (times.length + rejected >= MOST_STEPS)
      throw new Error(`no solution of tolerance ${tolerance} in ${MOST_STEPS} steps`);
    if (direction * (t + h - to) > 0) h = to - t;
    let error = 0;
    const [last, known] = [state, first];
    const next = tf.tidy(() => {
      const derivatives = stages(DORMAND_PRINCE, dynamics, t, h, last, known);
      const reached = moved(last, h, DORMAND_PRINCE.b, derivatives);
      const end = dynamics.derivative(t + h, reached);
      error = estimate(last, reached, [...derivatives, end], h, tolerance);
      if (onStep && error <= 1) onStep({ t, h, from: last, to: reached, derivatives: [...derivatives, end] });
      return [[...reached], [...end]];
    });
    evaluations += DORMAND_PRINCE.b.length;
    if (error <= 1) {
      [state, first] = next;
      t += h;
      times.push(t);
      release([...last, ...known], [given, next]);
    } else {
      rejected++;
      release(next, [given, [...last, ...known]]);
    }
    h *= controller.factor(error);
  }
  return { state, evaluations, times, rejected };
}

function estimate(from: State, to: State, derivatives: readonly State[], h: number, tolerance: number): number {
  return scoped(() => {
    const zeros = from.map((x) => tf.zerosLike(x));
    const relative = moved(zeros, h, ERROR, derivatives).map((error, i) => {
      const size = tf.add(1, tf.maximum(tf.abs(from[i]), tf.abs(to[i])));
      return tf.mean(tf.square(tf.div(error, tf.mul(size, tolerance))));
    });
    return Math.sqrt(Math.max(...relative.map((mean) => mean.dataSync()[0])));
  });
}
