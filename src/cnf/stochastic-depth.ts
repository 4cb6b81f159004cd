/**
 * Stochastic depth (Huang et al. 2016) for a continuous flow: in training each step of the solver is left out with probability p, the
 * others count 1 / (1 - p) times. Every mask makes a flow of its own; with the splitting method its density is exact.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../../models/fields/draws.js';
import type { Layer } from '../../models/layers/layer.js';
import { type Cnf, cnf } from './flow.js';
import type { Dynamics, Solver } from './solvers/solver.js';

export interface StochasticDepthOptions {
  /** p, the probability of a step to be left out: 0 or more, less than 1. */
  readonly rate: number;
  readonly draws: Draws;
}

/**
 * A flow to train: each `forward` and `map` draws a mask anew. The flow itself, with all its steps, is what is used afterwards.
 *
 * @throws {RangeError} if the flow chooses its own steps or its solver is the reversible one, or the rate is not in 0 .. 1
 */
export function stochasticDepth(flow: Cnf, { rate, draws }: StochasticDepthOptions): Layer {
  const { steps } = stepsOf(flow);
  const drawn = () => masked(flow, drawMask(steps, rate, draws));
  return {
    forward: (x, context) => drawn().forward(x, context),
    map: (x, context) => drawn().map(x, context),
    inverse: flow.inverse,
  };
}

/**
 * Factors of a solver's steps: 0 with probability `rate`, else 1 / (1 - rate).
 *
 * @throws {RangeError} if the rate is not in 0 .. 1
 */
export function drawMask(steps: number, rate: number, draws: Draws): number[] {
  if (!(rate >= 0 && rate < 1)) throw new RangeError(`a share of steps to leave out is 0 to less than 1, not ${rate}`);
  return Array.from({ length: steps }, () => (draws.uniform() < rate ? 0 : 1 / (1 - rate)));
}

/**
 * The flow with its right-hand side times a factor in each of its solver's steps.
 *
 * @throws {RangeError} if the flow chooses its own steps or its solver is the reversible one, or has another number of them
 */
export function masked(flow: Cnf, mask: readonly number[]): Cnf {
  const { solver, steps } = stepsOf(flow);
  if (mask.length !== steps) throw new RangeError(`a mask of ${mask.length} factors for ${steps} steps`);
  const { from = 0 } = flow.options;
  const step: Solver['step'] = (dynamics, t, h, carry) => {
    const factor = mask[Math.round((Math.min(t, t + h) - from) / Math.abs(h))];
    return factor === 0 ? carry : solver.step(times(dynamics, factor), t, h, carry);
  };
  return cnf(flow.field, { ...flow.options, method: { solver: { ...solver, step }, steps } });
}

function stepsOf({ options: { method } }: Cnf): { solver: Solver; steps: number } {
  if ('tolerance' in method)
    throw new RangeError('stochastic depth needs a solver with a number of steps, not a tolerance');
  if (method.solver.startEvaluations > 0)
    throw new RangeError(
      `stochastic depth needs steps that do not depend on each other, not those of '${method.solver.name}'`,
    );
  return method;
}

function times({ derivative, parts }: Dynamics, factor: number): Dynamics {
  return {
    derivative: (t, state) => derivative(t, state).map((change) => tf.mul(change, factor)),
    parts: parts?.map((part) => (t, state, h) => part(t, state, h * factor)),
  };
}
