/** A trained model integrated with more steps: the same vector field, its piecewise constant times cut into smaller ones. */

import type { Model } from '../../codec/flow/model.js';
import { parameterCount, parameters } from '../../models/definition.js';

/** Parameters of which there is one set a sweep, whatever `tied` says. */
const PER_SWEEP = ['field.bias', 'field.aBias', 'field.bBias'];
/** Parameters of which an untied field has one set a sweep. */
const FIELD = ['field.others', 'field.a', 'field.b'];

/** The model with `factor` sweeps for each of its own. */
export function refine(model: Model, factor: number): Model {
  const sweeps = model.definition.sweeps * factor;
  const definition = { ...model.definition, sweeps };
  const weights = new Float32Array(parameterCount(definition));
  const repeated = definition.tied ? PER_SWEEP : [...PER_SWEEP, ...FIELD];
  const from = new Map(parameters(model.definition).map((parameter) => [parameter.name, parameter]));
  for (const { name, offset, size } of parameters(definition)) {
    const source = from.get(name)!;
    const values = model.weights.subarray(source.offset, source.offset + source.size);
    if (!repeated.includes(name)) {
      weights.set(values, offset);
      continue;
    }
    const set = size / sweeps;
    for (let n = 0; n < sweeps; n++) {
      const own = Math.floor(n / factor);
      weights.set(values.subarray(own * set, (own + 1) * set), offset + n * set);
    }
  }
  return { ...model, definition, weights };
}
