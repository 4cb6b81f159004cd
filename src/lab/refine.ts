/** A trained model integrated with more steps: the same vector field, its piecewise constant times cut into smaller ones. */

import type { Model } from '../../codec/flow/model.js';
import { modelParameters } from '../../models/definition.js';

/** The model with `factor` sweeps for each of its own. */
export function refine(model: Model, factor: number): Model {
  const sweeps = model.definition.sweeps * factor;
  const definition = { ...model.definition, sweeps };
  const from = modelParameters(model.definition);
  const { all, field, count } = modelParameters(definition);
  // Biases have one set a sweep; so have the weights of a field that is not tied.
  const { others, a, b, bias, aBias, bBias } = field;
  const repeated = definition.tied ? [bias, aBias, bBias] : [others, a, b, bias, aBias, bBias];
  const weights = new Float32Array(count);
  for (const [i, parameter] of all.entries()) {
    const { offset, size } = from.all[i];
    const values = model.weights.subarray(offset, offset + size);
    if (!repeated.includes(parameter)) {
      weights.set(values, parameter.offset);
      continue;
    }
    const set = parameter.size / sweeps;
    for (let n = 0; n < sweeps; n++) {
      const own = Math.floor(n / factor);
      weights.set(values.subarray(own * set, (own + 1) * set), parameter.offset + n * set);
    }
  }
  return { ...model, definition, weights };
}
