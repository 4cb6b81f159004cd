import { type ModelDefinition, modelParameters } from '../../models/definition.js';
import { Random } from './random.js';

/** Untrained parameters: normal with variance gain / fanIn, as the model definition says. */
export function initialize(definition: ModelDefinition, seed: number): Float32Array {
  const random = new Random(seed);
  const { all, count } = modelParameters(definition);
  const weights = new Float32Array(count);
  for (const { offset, size, fanIn, gain } of all) {
    if (gain === 0) continue;
    const deviation = Math.sqrt(gain / fanIn);
    for (let i = 0; i < size; i++) weights[offset + i] = deviation * random.normal();
  }
  return weights;
}
