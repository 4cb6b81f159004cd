/** The splitting method on integers. */

import * as tf from '@tensorflow/tfjs-core';
import type { SplitField } from '../../../models/fields/affine-split.js';
import { dual } from '../../../models/fields/dual.js';
import { checkContext } from '../../../models/fields/field.js';
import { scoped } from '../scope.js';
import { cellIndex } from './cell.js';
import { popGaussian, pushGaussian } from './gaussian.js';
import type { Coder, Stack } from './stack.js';

export interface SplittingCoderOptions {
  /** Points that are coded together; the network sees them as one batch. */
  readonly points: number;
  /** Cells of the grid are 2^-gridBits wide; x and z lie at their centres. */
  readonly gridBits: number;
  /** Steps of the splitting method. */
  readonly steps: number;
  /** Of the points [points, C], for a field with a context; what decodes must have it, too. */
  readonly context?: tf.Tensor2D;
}

/** Scales are integers over 2^SCALE_BITS. */
const SCALE_BITS = 14;
const SCALE = 2 ** SCALE_BITS;

/** What a sub-step multiplies and adds, for every coordinate of every point; 1 and 0 outside the part. */
interface IntegerStep {
  readonly ranges: Int32Array;
  readonly shifts: Int32Array;
}

/** The flow of cells [points, D] to z(1), in place, and back. */
export interface IntegerFlow {
  forward(stack: Stack, cells: Int32Array): void;
  backward(stack: Stack, cells: Int32Array): void;
}

export function integerFlow(
  field: SplitField,
  { points, gridBits, steps, context }: SplittingCoderOptions,
): IntegerFlow {
  checkContext(field, context);
  const cell = 2 ** -gridBits;
  const h = 1 / steps;
  const step = (cells: Int32Array, n: number, part: number): IntegerStep =>
    scoped(() => {
      const x = tf.tensor2d(
        Float32Array.from(cells, (k) => k * cell),
        [points, field.dimension],
      );
      const { logScale, shift } = field.part(part, dual(x), n * h, h, context);
      const [logs, shifts] = [logScale.value.dataSync<'float32'>(), shift.value.dataSync<'float32'>()];
      return {
        ranges: Int32Array.from(logs, (a) => Math.max(1, Math.round(SCALE * Math.exp(a)))),
        shifts: Int32Array.from(shifts, (b) => cellIndex(Math.round(b / cell))),
      };
    });
  return {
    forward({ run }, cells) {
      for (let n = 0; n < steps; n++) {
        for (let part = 0; part < field.parts; part++) {
          const { ranges, shifts } = step(cells, n, part);
          for (let i = cells.length - 1; i >= 0; i--) {
            const scaled = cells[i] * ranges[i] + (ranges[i] === SCALE ? 0 : run.popUniform(ranges[i]));
            const whole = Math.floor(scaled / SCALE);
            if (ranges[i] !== SCALE) run.pushUniform(scaled - whole * SCALE, SCALE);
            cells[i] = cellIndex(whole + shifts[i]);
          }
        }
      }
    },
    backward({ run }, cells) {
      for (let n = steps - 1; n >= 0; n--) {
        for (let part = field.parts - 1; part >= 0; part--) {
          const { ranges, shifts } = step(cells, n, part);
          for (let i = 0; i < cells.length; i++) {
            const scaled = (cells[i] - shifts[i]) * SCALE + (ranges[i] === SCALE ? 0 : run.popUniform(SCALE));
            const whole = Math.floor(scaled / ranges[i]);
            if (ranges[i] !== SCALE) run.pushUniform(scaled - whole * ranges[i], ranges[i]);
            cells[i] = whole;
          }
        }
      }
    },
  };
}

/**
 * A coder of `points * D` cell indices for affine-split fields: the splitting method on integers, every sub-step a
 * modular scale (Zhang et al. 2021, iFlow) and an integer shift, exactly invertible whatever the field's rounding; then the cells of z
 * under N(0, I). The net cost is that of the discrete map, and `gridBits` a coordinate.
 */
export function splittingCoder(field: SplitField, options: SplittingCoderOptions): Coder<Int32Array> {
  const flow = integerFlow(field, options);
  const deviation = 2 ** options.gridBits;
  return {
    push(stack, x) {
      const z = x.slice();
      flow.forward(stack, z);
      for (let i = z.length - 1; i >= 0; i--) pushGaussian(stack, z[i], 0, deviation);
    },
    pop(stack) {
      const z = new Int32Array(options.points * field.dimension).map(() => popGaussian(stack, 0, deviation));
      flow.backward(stack, z);
      return z;
    },
  };
}
