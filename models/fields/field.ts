import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Dual } from './dual.js';

/** A time in 0 .. 1: one for all points, or [B, 1], one for each. */
export type Time = number | Tensor2D;

/** A vector field dx/dt = f(x, t) on R^D, differentiable in x and in its weights. */
export interface VectorField {
  /** D. */
  readonly dimension: number;
  /** Numbers of the context that it is conditional on; none without. */
  readonly context?: number;
  /**
   * f at the points x [B, D], with its Jacobian's products with the directions that x carries.
   *
   * @param context [B, C], for a field whose `context` is C
   */
  at(x: Dual, t: Time, context?: Tensor2D): Dual;
  /** The divergence [B, 1], where the field's structure gives it. */
  divergence?(x: Tensor2D, t: Time, context?: Tensor2D): Tensor2D;
}

/** @throws {RangeError} if a context is given to a field that takes none, or one of another size, or none to one that needs it */
export function checkContext(field: VectorField, context: Tensor2D | undefined): void {
  const [needed, given] = [field.context ?? 0, context?.shape[1] ?? 0];
  if (given !== needed) throw new RangeError(`the field takes a context of ${needed} numbers, not ${given}`);
}
