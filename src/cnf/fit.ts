/** The ways to fit a flow to samples. */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../../models/fields/draws.js';
import type { VectorField } from '../../models/fields/field.js';
import type { Weights } from '../../models/fields/weights.js';
import type { Layer, Mapped } from '../../models/layers/layer.js';
import { adjointGradients } from './adjoint.js';
import { assignment } from './assignment.js';
import type { Base } from './base.js';
import type { Cnf } from './flow.js';
import { flowMatchingLoss } from './flow-matching.js';
import type { State } from './solvers/solver.js';
import { backpropagate, type TrainOptions, train } from './train.js';

/** What to fit, to what, for how long. */
export interface FitOptions extends Pick<TrainOptions, 'steps' | 'rate' | 'onStep'> {
  /** All weights of the flow, which are changed in place. */
  readonly weights: Weights;
  /** A batch [B, D] of data, drawn anew for each step; with its context [B, C], if the flow has one. */
  readonly batch: () => tf.Tensor2D | { readonly x: tf.Tensor2D; readonly context: tf.Tensor2D };
}

/**
 * Maximum likelihood by backpropagation through the solver: minimizes the mean of -log p, in nats, and a layer's penalty.
 *
 * @returns the loss of every step
 */
export function fitLikelihood(layer: Layer, base: Base, { weights, batch, ...schedule }: FitOptions): number[] {
  const { variables } = weights;
  const gradients = () => {
    const { x, context } = withContext(batch());
    return backpropagate(variables, () => meanLoss(base, layer.forward(x, context)));
  };
  return train({ ...schedule, variables, gradients });
}

/**
 * The same by the adjoint method, in memory that does not depend on the number of steps; its gradients are as exact as the solver.
 *
 * @returns the loss of every step
 */
export function fitByAdjoint(flow: Cnf, base: Base, { weights, batch, ...schedule }: FitOptions): number[] {
  const { variables } = weights;
  const { method, from } = flow.options;
  const loss = (end: State) => {
    const [y, logDet, penalty] = end as readonly tf.Tensor2D[];
    return meanLoss(base, { y, logDet, penalty });
  };
  const gradients = () => {
    const { x, context } = withContext(batch());
    const { dynamics, start } = flow.problem(x, context);
    return adjointGradients(dynamics, variables, start, method, loss, from);
  };
  return train({ ...schedule, variables, gradients });
}

export interface VelocityOptions extends FitOptions {
  /**
   * Which noise each point of a batch goes to: `independent` any (the default), `optimal` that of the shortest paths all together, squared (minibatch optimal
   * transport: Pooladian et al. 2023; Tong et al. 2024), in time of the order of the batch's third power. A context does not count.
   */
  readonly pairing?: 'independent' | 'optimal';
}

/**
 * Flow matching, without a solver: regression of the field.
 *
 * @returns the mean squared error of every step
 */
export function fitVelocity(
  field: VectorField,
  base: Base,
  { weights, batch, pairing = 'independent', ...schedule }: VelocityOptions,
  draws: Draws,
): number[] {
  const { variables } = weights;
  const gradients = () => {
    const { x, context } = withContext(batch());
    const drawn = base.sample(x.shape[0], draws);
    const z = pairing === 'optimal' ? nearest(x, drawn) : drawn;
    return backpropagate(variables, () => flowMatchingLoss(field, x, z, draws, context));
  };
  return train({ ...schedule, variables, gradients });
}

/** Noise in the order in which the squared distances to the points, row by row, are the least in sum. */
function nearest(x: tf.Tensor2D, z: tf.Tensor2D): tf.Tensor2D {
  // Of |x - z|^2 only the product depends on which goes to which.
  const cost = tf.neg(tf.matMul(x, tf.transpose(z))).dataSync<'float32'>();
  return tf.gather(z, tf.tensor1d(assignment(cost), 'int32'));
}

/** The mean of -log p and of the penalty. */
function meanLoss(base: Base, { y, logDet, penalty }: Mapped): tf.Scalar {
  const gain = tf.add(base.logDensity(y), logDet);
  return tf.div(tf.sum(penalty ? tf.sub(penalty, gain) : tf.neg(gain)), y.shape[0]);
}

function withContext(given: ReturnType<FitOptions['batch']>): { x: tf.Tensor2D; context?: tf.Tensor2D } {
  return given instanceof tf.Tensor ? { x: given } : given;
}
