import { type Model, parseModel, serializeModel, USUAL_RATES } from '../../codec/flow/model.js';
import { initialize } from '../../src/train/initialize.js';

/** The file of a small model with random parameters: it codes badly, but exactly. */
export function untrainedModelFile(channels: 1 | 3, seed = 1): Uint8Array {
  const definition = {
    channels,
    width: 8,
    blocks: [1, 1, 1],
    expand: 2,
    separate: 1,
    carry: 8,
    levels: 3,
    mixtures: 2,
    hidden: 8,
  } as const;
  const weights = initialize(definition, seed);
  return serializeModel({ name: `untrained-${channels}`, definition, rates: USUAL_RATES, weights });
}

export function untrainedModel(channels: 1 | 3, seed = 1): Promise<Model> {
  return parseModel(untrainedModelFile(channels, seed));
}
