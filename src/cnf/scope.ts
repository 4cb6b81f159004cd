import { engine, type TensorContainer, tensor_util } from '@tensorflow/tfjs-core';

/** Does `work`, then frees every tensor that it made; for results that are no tensors (`tf.tidy` is for those that are). */
export function scoped<T>(work: () => T): T {
  engine().startScope();
  try {
    return work();
  } finally {
    engine().endScope();
  }
}

/** Frees the tensors of `old` that are not among those of `kept`; a gradient's tape has what it needs of them. */
export function release(old: TensorContainer, kept: TensorContainer): void {
  const keep = new Set(tensor_util.getTensorsInContainer(kept));
  for (const tensor of tensor_util.getTensorsInContainer(old)) if (!keep.has(tensor)) tensor.dispose();
}
