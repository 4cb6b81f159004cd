/** The context network (`codec/flow/context.ts`) in TensorFlow.js ops. */

import type { Rank, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Level } from '../../../codec/flow/pyramid.js';
import {
  type Affine,
  contextAt,
  type ModelDefinition,
  type ModelParameters,
  PASSES,
  TEXTURE_VALUES,
} from '../../../models/definition.js';
import type { Batch } from './batch.js';
import type { Matrices } from './parameters.js';
import type { TensorFlow } from './tensorflow.js';

/** The head's raw outputs at all sites, in the order of the batch's sites: sites x head size. */
export function headRows(
  tf: TensorFlow,
  { channels, width, carry, levels }: ModelDefinition,
  parameters: ModelParameters,
  matrix: Matrices,
  batch: Batch,
): Tensor2D {
  const affine = (x: Tensor2D, { weight, bias }: Affine): Tensor2D =>
    tf.add(tf.matMul(x, matrix(weight)), matrix(bias));
  const rows: Tensor2D[] = [];
  let state: Tensor2D | undefined;
  let coarser: Level | undefined;
  for (const { level, index, passes } of batch.levels) {
    const own = contextAt(parameters, index);
    const grid: [number, number, number] = [batch.tiles, level.rows, level.columns];
    const cells = batch.tiles * level.rows * level.columns;
    const carried =
      state && coarser
        ? spread(tf, affine(state, own.carry), batch.tiles, coarser, level, carry)
        : tf.zeros<Rank.R2>([cells, carry]);
    state = undefined;
    for (const pass of PASSES) {
      const { stem: first, texture: tile, state: from, blocks, head } = own.passes[pass];
      const known = tf.tensor2d(passes[pass].inputs, [cells, passes[pass].depth]);
      const inputs = pass === 'D' ? tf.concat([known, carried], 1) : known;
      const embedding = tf.slice(matrix(first.bias), [Math.min(index, levels - 1), 0], [1, width]);
      const texture = tf.matMul(tf.tensor2d(batch.textures, [batch.tiles, TEXTURE_VALUES * channels]), matrix(tile));
      const tileBias = tf.reshape(tf.add(texture, embedding), [batch.tiles, 1, width]);
      const product = tf.reshape(tf.matMul(inputs, matrix(first.weight)), [batch.tiles, -1, width]);
      const stem: Tensor2D = tf.reshape(tf.add(product, tileBias), [cells, width]);
      let current: Tensor2D = state && from ? tf.add(stem, affine(state, from)) : stem;
      for (const { depthwise: filter, expand, project } of blocks) {
        const map: Tensor4D = tf.reshape(current, [...grid, width]);
        const filtered = depthwise(tf, map, matrix(filter.weight));
        const mixed: Tensor2D = tf.add(filtered, matrix(filter.bias));
        const hidden = tf.relu(affine(mixed, expand));
        current = tf.add(current, affine(hidden, project));
      }
      state = current;
      const extent: [number, number, number, number] = [batch.tiles, passes[pass].rows, passes[pass].columns, width];
      if (extent.includes(0)) continue;
      const map: Tensor4D = tf.reshape(current, [...grid, width]);
      rows.push(affine(tf.reshape(tf.slice(map, [0, 0, 0, 0], extent), [-1, width]), head));
    }
    coarser = level;
  }
  return tf.concat(rows, 0);
}

/** Filters every channel by its own 3x3 taps (rows of `taps`; outside the map are zeros), in ops that all backends differentiate. */
function depthwise(tf: TensorFlow, map: Tensor4D, taps: Tensor2D): Tensor2D {
  const [tiles, rows, columns, width] = map.shape;
  const padded = tf.pad(map, [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ]);
  const terms: Tensor2D[] = [];
  for (let dy = 0; dy < 3; dy++) {
    for (let dx = 0; dx < 3; dx++) {
      const part = tf.slice(padded, [0, dy, dx, 0], [tiles, rows, columns, width]);
      terms.push(tf.mul(tf.reshape(part, [-1, width]), tf.slice(taps, [3 * dy + dx, 0], [1, width])));
    }
  }
  return terms.reduce((sum, term) => tf.add(sum, term));
}

/** Gives the fine cell (i, j) the features number 2 * (i & 1) + (j & 1) of coarse cell (i >> 1, j >> 1). */
function spread(
  tf: TensorFlow,
  projected: Tensor2D,
  tiles: number,
  coarser: Level,
  level: Level,
  carry: number,
): Tensor2D {
  const { rows, columns } = coarser;
  const parts = tf.transpose(tf.reshape(projected, [tiles, rows, columns, 2, 2, carry]), [0, 1, 3, 2, 4, 5]);
  const fine: Tensor4D = tf.reshape(parts, [tiles, 2 * rows, 2 * columns, carry]);
  return tf.reshape(tf.slice(fine, [0, 0, 0, 0], [tiles, level.rows, level.columns, carry]), [-1, carry]);
}
