/** Dormand and Prince's method with steps that every point chooses for itself, so that a point's path does not depend on its batch. */

import * as tf from '@tensorflow/tfjs-core';
import { release, scoped } from '../scope.js';
import { Controller, type StepControl } from './control.js';
import { DORMAND_PRINCE, ERROR, MOST_STEPS } from './dormand-prince.js';
import type { Dynamics, State } from './solver.js';

export interface EachResult {
  readonly state: State;
  /** Of the right-hand side, for all points at once. */
  readonly evaluations: number;
  /** Most steps that a point took, and steps tried in vain, of all points together. */
  readonly steps: number;
  readonly rejected: number;
}

/**
 * @param state tensors whose last dimension but one is the points, as [B, D] or [K, B, D]
 * @throws {Error} if a point needs more than 10,000 steps
 */
export function adaptiveEach(
  dynamics: Dynamics,
  state: State,
  [from, to]: readonly [number, number],
  tolerance: number,
  control: StepControl,
): EachResult {
  const points = state[0].shape.at(-2)!;
  const direction = Math.sign(to - from);
  const t = new Float64Array(points).fill(from);
  const h = new Float64Array(points).fill((to - from) / 10);
  const taken = new Int32Array(points);
  const controllers = Array.from({ length: points }, () => new Controller(control));
  const given = [...state];
  const left = (i: number) => direction * (to - t[i]) > 1e-9;
  let [evaluations, rejected, rounds] = [0, 0, 0];
  const column = (values: ArrayLike<number>) => tf.tensor2d(Float32Array.from(values), [points, 1]);
  while (t.some((_, i) => left(i))) {
    if (++rounds > MOST_STEPS) throw new Error(`no solution of tolerance ${tolerance} in ${MOST_STEPS} steps`);
    // A point that has arrived waits with steps of no length.
    const step = h.map((own, i) => (left(i) ? direction * Math.min(Math.abs(own), Math.abs(to - t[i])) : 0));
    const last = state;
    let errors: Float32Array = new Float32Array(0);
    const next = tf.tidy(() => {
      const [now, length] = [column(t), column(step)];
      const { a, b, c } = DORMAND_PRINCE;
      const moved = (weights: readonly number[], found: readonly State[]) =>
        last.map((x, k) =>
          weights.reduce((sum, w, s) => (w === 0 ? sum : tf.add(sum, tf.mul(found[s][k], tf.mul(length, w)))), x),
        );
      const found: State[] = [];
      for (const [s, row] of a.entries()) {
        found.push(dynamics.derivative(tf.add<tf.Tensor2D>(now, tf.mul(length, c[s])), moved(row, found)));
      }
      const reached = moved(b, found);
      found.push(dynamics.derivative(tf.add<tf.Tensor2D>(now, length), reached));
      errors = errorsOf(last, reached, moved(ERROR, found), tolerance);
      const accepted = tf.cast(tf.lessEqual(column(errors), 1), 'bool');
      return reached.map((x, k) => tf.where(tf.broadcastTo(accepted, x.shape), x, last[k]));
    });
    evaluations += ERROR.length;
    for (let i = 0; i < points; i++) {
      if (!left(i)) continue;
      if (errors[i] <= 1) {
        t[i] += step[i];
        taken[i]++;
      } else {
        rejected++;
      }
      h[i] = step[i] * controllers[i].factor(errors[i]);
    }
    state = next;
    release([...last], [given, next]);
  }
  return { state, evaluations, steps: Math.max(...taken), rejected };
}

/** Of each point the error over tolerance (1 + |x|), in root mean square over what is the point's, the largest of all tensors. */
function errorsOf(from: State, to: State, moved: State, tolerance: number): Float32Array {
  return scoped(() => {
    const each = from.map((x, k) => {
      const size = tf.mul(tf.add(1, tf.maximum(tf.abs(x), tf.abs(to[k]))), tolerance);
      const squares = tf.square(tf.div(tf.sub(moved[k], x), size));
      const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== x.rank - 2);
      return tf.mean(squares, axes);
    });
    return tf
      .sqrt(each.reduce((a, b) => tf.maximum(a, b)))
      .dataSync<'float32'>()
      .slice();
  });
}
