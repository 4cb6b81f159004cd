import { engine } from '@tensorflow/tfjs-core';

/** Does `work`, then frees every tensor that it made; for results that are no tensors (`tf.tidy` is for those that are). */
export function scoped<T>(work: () => T): T {
  engine().startScope();
  try {
    return work();
  } finally {
    engine().endScope();
  }
}
