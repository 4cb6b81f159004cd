import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Dual } from './dual.js';

/** A time in 0 .. 1: one for all points, or [B, 1], one for each. */
export type Time = number | Tensor2D;

/** A vector field dx/dt = f(x, t) on R^D, differentiable in x and in its weights. */
export interface VectorField {
  /** D. */
  readonly dimension: number;
  /**
   * f at the points x [B, D], with its Jacobian's products with the directions that x carries.
   *
   * @param context [B, C], for a field that was made with `context: C`
   */
  at(x: Dual, t: Time, context?: Tensor2D): Dual;
  /** The divergence [B, 1], where the field's structure gives it. */
  divergence?(x: Tensor2D, t: Time, context?: Tensor2D): Tensor2D;
}
