import type { Crop } from './dataset.js';

/** What an engine says of a batch. */
export interface Evaluation {
  /** Negative log-likelihood of all its crops, in nats. */
  readonly nats: number;
  /** Its gradient, in the order of the model definition; valid until the next call. */
  readonly gradient: Float32Array;
}

/** Computes the loss and its gradient: all that training asks of the arithmetic. */
export interface Engine {
  /** For people: what computes, on how many threads. */
  readonly name: string;
  /** @param gradient false: the gradient is not computed, and what is returned for it means nothing */
  evaluate(weights: Float32Array, crops: readonly Crop[], gradient: boolean): Promise<Evaluation>;
  close(): Promise<void>;
}
