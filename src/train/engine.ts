import type { Crop } from './dataset.js';

/** What an engine says of a batch. */
export interface Evaluation {
  /** Negative ELBO of all its crops, in nats. */
  readonly nats: number;
  /** Its gradient, in the order of the model definition; valid until the next call. */
  readonly gradient: Float32Array;
}

/** Computes the loss and its gradient: all that training asks of the arithmetic. */
export interface Engine {
  /** For people: what computes, on how many threads. */
  readonly name: string;
  /**
   * @param seed of the dequantization's random numbers; crop i uses `cropSeed(seed, i)`
   * @param gradient false: the gradient is not computed, and what is returned for it means nothing
   */
  evaluate(weights: Float32Array, crops: readonly Crop[], seed: number, gradient: boolean): Promise<Evaluation>;
  close(): Promise<void>;
}

/** Seed of crop i's random numbers: an unsigned 32-bit integer, the same in every engine. */
export function cropSeed(seed: number, i: number): number {
  return Math.imul(seed + i, 0x85ebca6b) >>> 0;
}
