/** The two ways to fit a flow to samples. */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from '../../models/fields/draws.js';
import type { VectorField } from '../../models/fields/field.js';
import type { Weights } from '../../models/fields/weights.js';
import type { Layer } from '../../models/layers/layer.js';
import type { Base } from './base.js';
import { flowMatchingLoss } from './flow-matching.js';
import { backpropagate, train } from './train.js';

export interface FitOptions {
  readonly weights: Weights;
  /** A batch [B, D] of data, drawn anew for each step; with its context [B, C], if the flow has one. */
  readonly batch: () => tf.Tensor2D | { readonly x: tf.Tensor2D; readonly context: tf.Tensor2D };
  readonly steps: number;
  readonly rate: number;
  /** Called after each step with its loss. */
  readonly onStep?: (step: number, loss: number) => void;
}

/** Maximum likelihood, through the solver: minimizes the mean of -log p, in nats, and a layer's penalty. Returns every step's loss. */
export function fitLikelihood(layer: Layer, base: Base, { weights, batch, ...schedule }: FitOptions): number[] {
  const { variables } = weights;
  const gradients = () => {
    const { x, context } = withContext(batch());
    return backpropagate(variables, () => {
      const { y, logDet, penalty } = layer.forward(x, context);
      const gain = tf.add(base.logDensity(y), logDet);
      return tf.div(tf.sum(penalty ? tf.sub(penalty, gain) : tf.neg(gain)), x.shape[0]);
    });
  };
  return train({ ...schedule, variables, gradients });
}

/** Flow matching, without a solver: regression of the field. Returns every step's mean squared error. */
export function fitVelocity(
  field: VectorField,
  base: Base,
  { weights, batch, ...schedule }: FitOptions,
  draws: Draws,
): number[] {
  const { variables } = weights;
  const gradients = () => {
    const { x, context } = withContext(batch());
    const z = base.sample(x.shape[0], draws);
    return backpropagate(variables, () => flowMatchingLoss(field, x, z, draws, context));
  };
  return train({ ...schedule, variables, gradients });
}

function withContext(given: ReturnType<FitOptions['batch']>): { x: tf.Tensor2D; context?: tf.Tensor2D } {
  return given instanceof tf.Tensor ? { x: given } : given;
}
