/** Functions on a square of the plane, at the centres of a grid's cells. */

import * as tf from '@tensorflow/tfjs-core';
import type { Layer } from '../../models/layers/layer.js';
import { type Base, logDensities } from '../cnf/base.js';
import { scoped } from '../cnf/scope.js';
import type { Random } from '../train/random.js';
import type { PlanarSet } from './data/planar.js';
import type { HeatMap, PointMap } from './figures.js';

/** Cells along a side, and half the side. */
export interface Grid {
  readonly cells: number;
  readonly reach: number;
}

/** Centres of the cells, row by row from the top, [cells^2, 2]. */
export function centres({ cells, reach }: Grid): [number, number][] {
  const at = (i: number) => ((i + 0.5) / cells) * 2 * reach - reach;
  return Array.from({ length: cells ** 2 }, (_, i) => [at(i % cells), -at(Math.floor(i / cells))]);
}

/** A set's exact density at the centres. */
export function truthOnGrid(set: PlanarSet, grid: Grid): Float64Array {
  return Float64Array.from(centres(grid), ([x, y]) => set.density(x, y));
}

/** A flow's density at the centres. */
export function densityOnGrid(layer: Layer, base: Base, grid: Grid): Float32Array {
  const points = tf.tensor2d(centres(grid));
  const logs = logDensities(layer, base, points);
  points.dispose();
  return logs.map(Math.exp);
}

/** The integral of what has these values at the centres. */
export function integral(values: ArrayLike<number>, { cells, reach }: Grid): number {
  const area = ((2 * reach) / cells) ** 2;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum * area;
}

export function heatMap(name: string, values: ArrayLike<number>, { cells, reach }: Grid): HeatMap & { name: string } {
  const side: [number, number] = [-reach, reach];
  return { name, values, columns: cells, rows: cells, x: side, y: side };
}

/** Points to stand beside a density on the same grid. */
export function pointMap(
  name: string,
  points: readonly (readonly number[])[],
  { reach }: Grid,
): PointMap & { name: string } {
  const side: [number, number] = [-reach, reach];
  return { name, points, x: side, y: side };
}

/** Points that a flow draws. */
export function drawnFrom(layer: Layer, base: Base, points: number, random: Random): number[][] {
  return scoped(() => layer.inverse(base.sample(points, random)).arraySync());
}
