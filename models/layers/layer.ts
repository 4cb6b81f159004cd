import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Dual } from '../fields/dual.js';

/** An invertible map of points [B, D], from data towards the base distribution. */
export interface Layer {
  /** The map with log |det| of its Jacobian, [B, 1], in nats. */
  forward(x: Tensor2D, context?: Tensor2D): Mapped;
  /** The map on duals: its Jacobian's products with the directions that x carries. */
  map(x: Dual, context?: Tensor2D): Dual;
  inverse(y: Tensor2D, context?: Tensor2D): Tensor2D;
}

export interface Mapped {
  readonly y: Tensor2D;
  readonly logDet: Tensor2D;
  /** What training may add to the loss, if the layer has it: a mean over the points, times its weight. */
  readonly penalty?: Tensor2D;
}
