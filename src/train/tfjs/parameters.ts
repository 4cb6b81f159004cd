import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { type ModelDefinition, parameters } from '../../../models/definition.js';
import type { TensorFlow } from './tensorflow.js';

/** A parameter by its name in the model definition. */
export type Parameters = (name: string) => Tensor2D;

/** The flat array's parameters as matrices, of which the columns are the parameter's last axis and the rows all the others. */
export function matrices(tf: TensorFlow, definition: ModelDefinition, flat: Tensor1D): Parameters {
  const list = parameters(definition).filter(({ size }) => size > 0);
  const pieces = tf.split(
    flat,
    list.map(({ size }) => size),
  );
  const byName = new Map(
    list.map(({ name, shape }, i): [string, Tensor2D] => [name, tf.reshape(pieces[i], [-1, shape[shape.length - 1]])]),
  );
  return (name) => byName.get(name)!;
}
