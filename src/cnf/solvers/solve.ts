/** The entry point of all solvers. */

import { type TensorContainer, tidy } from '@tensorflow/tfjs-core';
import { release } from '../scope.js';
import { INTEGRAL, type StepControl } from './control.js';
import { adaptive } from './dormand-prince.js';
import { adaptiveEach } from './each.js';
import type { Dynamics, Solver, State } from './solver.js';

/** Dormand and Prince's method with steps of its own choice. */
export interface Adaptive {
  readonly tolerance: number;
  /** Every point has steps of its own, so that its path and density do not depend on its batch; one step for all without. */
  readonly each?: boolean;
  /** By the last error alone without. */
  readonly control?: StepControl;
}

/** How to integrate: so many equal steps of a method, or adaptive ones. */
export type Method = { readonly solver: Solver; readonly steps: number } | Adaptive;

/** What a solver found, and what it took. */
export interface Solution {
  /** Where it ends. */
  readonly state: State;
  /** Evaluations of the right-hand side. */
  readonly evaluations: number;
  readonly steps: number;
  /** Steps tried in vain by the adaptive method. */
  readonly rejected: number;
  /** Times at which the adaptive method's steps end. */
  readonly times?: readonly number[];
  /** What the solver carried at the end: where a reversible method can be run back from. */
  readonly carry?: unknown;
}

/** From when to when. */
export interface SolveOptions {
  /** 0 without. */
  readonly from?: number;
  /** 1 without; less than `from` to go backward in time. */
  readonly to?: number;
  /** Goes on from a carry instead of the state. */
  readonly carry?: unknown;
}

/**
 * Integrates from one time to another, forward or backward. Gradients flow through it.
 *
 * @throws {RangeError} if the number of steps is not a positive integer or the tolerance not a positive number
 */
export function solve(dynamics: Dynamics, state: State, method: Method, options: SolveOptions = {}): Solution {
  const { from = 0, to = 1 } = options;
  if ('tolerance' in method) {
    if (!(method.tolerance > 0)) throw new RangeError(`a tolerance is above 0, not ${method.tolerance}`);
    const { tolerance, each, control = INTEGRAL } = method;
    if (each) return adaptiveEach(dynamics, state, [from, to], tolerance, control);
    const result = adaptive(dynamics, state, from, to, tolerance, control);
    return { ...result, steps: result.times.length };
  }
  const { solver, steps } = method;
  if (!(Number.isInteger(steps) && steps > 0)) throw new RangeError(`a number of steps is 1 or more, not ${steps}`);
  const h = (to - from) / steps;
  const given = [...state, options.carry] as TensorContainer;
  let carry = options.carry ?? solver.start(dynamics, from, state);
  for (let n = 0; n < steps; n++) {
    const last = carry;
    // What a step makes on the way is freed with it, unless a gradient's tape keeps it.
    carry = tidy(() => solver.step(dynamics, from + n * h, h, last) as TensorContainer);
    release(last as TensorContainer, [given, carry as TensorContainer]);
  }
  const evaluations = steps * solver.evaluations + (options.carry ? 0 : solver.startEvaluations);
  return { state: solver.state(carry), evaluations, steps, rejected: 0, carry };
}
