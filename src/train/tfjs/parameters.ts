import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import type { ModelParameters, Parameter } from '../../../models/definition.js';
import type { TensorFlow } from './tensorflow.js';

/** A parameter's values as a matrix. */
export type Matrices = (parameter: Parameter) => Tensor2D;

/** The flat array's parameters as matrices, of which the columns are the parameter's last axis and the rows all the others. */
export function matrices(tf: TensorFlow, { all }: ModelParameters, flat: Tensor1D): Matrices {
  const list = all.filter(({ size }) => size > 0);
  const pieces = tf.split(
    flat,
    list.map(({ size }) => size),
  );
  const found = new Map(
    list.map((parameter, i): [Parameter, Tensor2D] => {
      const { shape } = parameter;
      return [parameter, tf.reshape(pieces[i], [-1, shape[shape.length - 1]])];
    }),
  );
  return (parameter) => found.get(parameter)!;
}
