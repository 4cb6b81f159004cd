/** The trainable weights of one laboratory model, drawn from one seed. */

import * as tf from '@tensorflow/tfjs-core';
import type { Draws } from './draws.js';

/** Collects the weights that fields and layers are made with, for training. */
export class Weights {
  /** All of them, in the order of their making. */
  readonly variables: tf.Variable[] = [];

  /** @param draws where the weights' first values come from */
  constructor(readonly draws: Draws) {}

  /** A matrix [rows, columns] of normal numbers with variance gain / rows. */
  matrix(rows: number, columns: number, gain = 1): tf.Variable<tf.Rank.R2> {
    const scale = Math.sqrt(gain / rows);
    return this.#add(
      Float32Array.from({ length: rows * columns }, () => scale * this.draws.normal()),
      [rows, columns],
    );
  }

  /** A row [1, columns] of equal numbers. */
  row(columns: number, value = 0): tf.Variable<tf.Rank.R2> {
    return this.#add(new Float32Array(columns).fill(value), [1, columns]);
  }

  /** Numbers in all. */
  get count(): number {
    return this.variables.reduce((sum, { size }) => sum + size, 0);
  }

  #add(values: Float32Array, shape: [number, number]): tf.Variable<tf.Rank.R2> {
    const variable = tf.variable(tf.tensor2d(values, shape));
    this.variables.push(variable);
    return variable;
  }
}
