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
 * Trains the variables and returns the loss of every step.
 *
 * @throws {Error} if the loss is no longer a finite number
 */
export function train({ variables, steps, rate, gradients, onStep }: TrainOptions): number[] {
  const moments = variables.map(({ size }) => ({ first: new Float32Array(size), second: new Float32Array(size) }));
  return Array.from({ length: steps }, (_, step) => {
    const { loss, slopes } = scoped(() => {
      const { loss, gradients: tensors } = gradients(step);
      return { loss, slopes: tensors.map((tensor) => tensor.dataSync<'float32'>().slice()) };
    });
    if (!Number.isFinite(loss)) throw new Error(`training diverged: the loss of step ${step} is ${loss}`);
    const norm = Math.sqrt(slopes.reduce((sum, slope) => sum + slope.reduce((s, v) => s + v * v, 0), 0));
    const clipped = Math.min(1, CLIP / norm);
    const now = rate * 0.5 * (1 + Math.cos((Math.PI * step) / steps));
    const corrected = (now * Math.sqrt(1 - MEMORY ** (step + 1))) / (1 - MOMENTUM ** (step + 1));
    for (const [i, variable] of variables.entries()) {
      const values = variable.dataSync<'float32'>().slice();
      const { first, second } = moments[i];
      for (let k = 0; k < values.length; k++) {
        const g = slopes[i][k] * clipped;
        first[k] += (1 - MOMENTUM) * (g - first[k]);
        second[k] += (1 - MEMORY) * (g * g - second[k]);
        values[k] -= (corrected * first[k]) / (Math.sqrt(second[k]) + EPSILON);
      }
      tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
    }
    onStep?.(step, loss);
    return loss;
  });
}

/** A loss and its gradients in the variables, by reverse mode through everything that computes it. */
export function backpropagate(variables: readonly tf.Tensor[], loss: () => tf.Scalar): Gradients {
  registerGradients(tf);
  const { value, grads } = tf.engine().gradients(loss, [...variables], undefined, true);
  // What a loss does not use has no gradient.
  const gradients = grads.map((gradient, i) => gradient ?? tf.zerosLike(variables[i]));
  return { loss: value.dataSync()[0], gradients };
}
