import type { Tensor } from '@tensorflow/tfjs-core';
import type { Time } from '../../../models/fields/field.js';

/** What is integrated: several tensors together, such as points and their log-densities. */
export type State = readonly Tensor[];

/** The right-hand side dx/dt. */
export interface Dynamics {
  /** dx/dt at a time, one for all points or one for each: for each tensor of the state one of its shape. */
  derivative(t: Time, state: State): State;
  /** Exact solutions over a time h of the parts that the right-hand side is the sum of, with t held; for the splitting method. */
  readonly parts?: readonly ((t: number, state: State, h: number) => State)[];
}

/**
 * A one-step method. `Carry` is what it takes from step to step: the state, and more for a method that remembers.
 * A step with h < 0 goes backward in time.
 */
export interface Solver<Carry = unknown> {
  /** For people. */
  readonly name: string;
  /** Global error is O(h^order). */
  readonly order: number;
  /** Evaluations of the right-hand side (of a splitting method: of all its parts) in a step, and (`startEvaluations`) before the first. */
  readonly evaluations: number;
  readonly startEvaluations: number;
  /** What the first step takes. */
  start(dynamics: Dynamics, t: number, state: State): Carry;
  /** From t to t + h. */
  step(dynamics: Dynamics, t: number, h: number, carry: Carry): Carry;
  /** The state that a carry holds. */
  state(carry: Carry): State;
}
