/** Training of laboratory models: Adam (Kingma, Ba 2015) with clipped gradients and a cosine schedule. */

import * as tf from '@tensorflow/tfjs-core';
import { registerGradients } from '../train/tfjs/gradients.js';
import { scoped } from './scope.js';

/** A loss with its gradients, one for each variable. */
export interface Gradients {
  readonly loss: number;
  readonly gradients: readonly tf.Tensor[];
}

export interface TrainOptions {
  readonly variables: readonly tf.Variable[];
  readonly steps: number;
  /** Learning rate at the start, from which it falls to 0 along half a cosine. */
  readonly rate: number;
  /** The loss of a step (from 0) and its gradients in the variables: `backpropagate`, or another way to find them. */
  readonly gradients: (step: number) => Gradients;
  /** Called after each step with its loss. */
  readonly onStep?: (step: number, loss: number) => void;
}

const [MOMENTUM, MEMORY, EPSILON] = [0.9, 0.99, 1e-8];
/** The norm that a step's gradient is clipped to. */
const CLIP = 1;

/**
 * Trains the variables and returns the loss of every step. Gradients, moments and weights stay on the device; of a step the gradient's norm
 * is read back, and the loss.
 *
 * @throws {Error} if the loss is no longer a finite number
 */
export function train({ variables, steps, rate, gradients, onStep }: TrainOptions): number[] {
  const zeros = () => tf.tidy(() => variables.map((variable) => tf.variable(tf.zerosLike(variable), false)));
  const moments = { first: zeros(), second: zeros() };
  try {
    return Array.from({ length: steps }, (_, step) => {
      const loss = scoped(() => {
        const { loss, gradients: slopes } = gradients(step);
        if (!Number.isFinite(loss)) throw new Error(`training diverged: the loss of step ${step} is ${loss}`);
        const now = rate * 0.5 * (1 + Math.cos((Math.PI * step) / steps));
        const corrected = (now * Math.sqrt(1 - MEMORY ** (step + 1))) / (1 - MOMENTUM ** (step + 1));
        const clipped = Math.min(1, CLIP / normOf(slopes));
        for (const [i, variable] of variables.entries()) {
          const slope = tf.mul(slopes[i], clipped);
          const [first, second] = [moments.first[i], moments.second[i]];
          first.assign(tf.add(first, tf.mul(tf.sub(slope, first), 1 - MOMENTUM)));
          second.assign(tf.add(second, tf.mul(tf.sub(tf.square(slope), second), 1 - MEMORY)));
          const change = tf.div(tf.mul(first, corrected), tf.add(tf.sqrt(second), EPSILON));
          variable.assign(tf.sub(variable, change));
        }
        return loss;
      });
      onStep?.(step, loss);
      return loss;
    });
  } finally {
    tf.dispose([...moments.first, ...moments.second]);
  }
}

/** The norm of all tensors together. */
function normOf(tensors: readonly tf.Tensor[]): number {
  const squares = tensors.map((tensor) => tf.sum(tf.square(tensor)));
  return Math.sqrt(tf.sum(tf.stack(squares)).dataSync()[0]);
}

/** A loss and its gradients in the variables, by reverse mode through everything that computes it. */
export function backpropagate(variables: readonly tf.Tensor[], loss: () => tf.Scalar): Gradients {
  registerGradients(tf);
  const { value, grads } = tf.engine().gradients(loss, [...variables], undefined, true);
  // What a loss does not use has no gradient.
  const gradients = grads.map((gradient, i) => gradient ?? tf.zerosLike(variables[i]));
  return { loss: value.dataSync()[0], gradients };
}
