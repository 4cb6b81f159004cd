import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Dual } from '../fields/dual.js';

/** An invertible map of points [B, D], from data towards the base distribution. */
export interface Layer {
  /** The map with log |det| of its Jacobian, [B, 1], in nats. */
  forward(x: Tensor2D, context?: Tensor2D): Mapped;
  /** The map on duals: its Jacobian's products with the directions that x carries. */
  map(x: Dual, context?: Tensor2D): Dual;
  /** What `forward` maps on y, as exactly as the layer knows. */
  inverse(y: Tensor2D, context?: Tensor2D): Tensor2D;
}

/** What a layer maps points on. */
export interface Mapped {
  /** [B, D]. */
  readonly y: Tensor2D;
  /** log |det dy/dx|, [B, 1], in nats. */
  readonly logDet: Tensor2D;
  /** What training adds to each point's loss, [B, 1], if the layer has it. */
  readonly penalty?: Tensor2D;
}
