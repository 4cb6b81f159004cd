/** Dense output: the adaptive method's path at any time, not only where its steps end. */

import * as tf from '@tensorflow/tfjs-core';
import { INTEGRAL } from './control.js';
import { adaptive, type Step } from './dormand-prince.js';
import type { Adaptive, Solution, SolveOptions } from './solve.js';
import type { Dynamics, State } from './solver.js';

export type DenseOptions = Pick<Adaptive, 'tolerance' | 'control'> & Omit<SolveOptions, 'carry'>;

/** A solution that is known along its whole path. */
export interface DensePath extends Omit<Solution, 'carry'> {
  /**
   * The state at a time, to the fourth order of the step that it lies in; tensors of the state's shapes.
   *
   * @throws {RangeError} for a time outside the path
   */
  at(t: number): State;
  /** Frees what the path is held in, five states for each step. */
  dispose(): void;
}

/** Of the polynomial's last coefficient, for each derivative of a step (Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, II.6). */
const LAST = [
  -12715105075 / 11282082432,
  0,
  87487479700 / 32700410799,
  -10690763975 / 1880347072,
  701980252875 / 199316789632,
  -1453857185 / 822651844,
  69997945 / 29380423,
];

/** What is known of a step: when it begins, how long it is, and the coefficients of the polynomial. */
interface Piece {
  readonly t: number;
  readonly h: number;
  readonly coefficients: readonly State[];
}

/**
 * Integrates as `solve` does with a tolerance, and keeps Dormand and Prince's interpolant of every step (Shampine 1986): a polynomial of degree four in time that
 * agrees with its neighbours in value and slope and takes no evaluation more.
 *
 * @throws {RangeError} if the tolerance is not a positive number
 * @throws {Error} if it needs more than 10,000 steps
 */
export function denseSolve(dynamics: Dynamics, state: State, options: DenseOptions): DensePath {
  const { tolerance, control = INTEGRAL, from = 0, to = 1 } = options;
  if (!(tolerance > 0)) throw new RangeError(`a tolerance is above 0, not ${tolerance}`);
  const pieces: Piece[] = [];
  const onStep = (step: Step) => pieces.push({ t: step.t, h: step.h, coefficients: polynomial(step) });
  const result = adaptive(dynamics, state, from, to, tolerance, control, onStep);
  return {
    ...result,
    steps: pieces.length,
    at(t) {
      const direction = Math.sign(to - from);
      if (!(direction * (t - from) >= -1e-9 && direction * (to - t) >= -1e-9))
        throw new RangeError(`the path is known from ${from} to ${to}, not at ${t}`);
      const piece = pieces.filter((own) => direction * (t - own.t) >= 0).at(-1) ?? pieces[0];
      const share = (t - piece.t) / piece.h;
      return tf.tidy(() => [...polynomialAt(piece, share)]);
    },
    dispose: () => tf.dispose(pieces.flatMap(({ coefficients }) => coefficients.flat())),
  };
}

function polynomial({ h, from, to, derivatives }: Step): State[] {
  const [first, last] = [derivatives[0], derivatives[6]];
  const coefficients = from.map((x, i) => {
    const change = tf.sub(to[i], x);
    const bend = tf.sub(tf.mul(first[i], h), change);
    const twist = tf.sub(tf.sub(change, tf.mul(last[i], h)), bend);
    const rest = LAST.reduce<tf.Tensor>(
      (sum, weight, k) => (weight === 0 ? sum : tf.add(sum, tf.mul(derivatives[k][i], h * weight))),
      tf.zerosLike(x),
    );
    return [tf.clone(x), change, bend, twist, rest].map((tensor) => tf.keep(tensor));
  });
  return [0, 1, 2, 3, 4].map((degree) => coefficients.map((own) => own[degree]));
}

function polynomialAt({ coefficients: [start, change, bend, twist, rest] }: Piece, share: number): State {
  const left = 1 - share;
  return start.map((x, i) => {
    const inner = tf.add(twist[i], tf.mul(rest[i], left));
    const middle = tf.add(bend[i], tf.mul(inner, share));
    return tf.add(x, tf.mul(tf.add(change[i], tf.mul(middle, left)), share));
  });
}
