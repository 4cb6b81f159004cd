import type { ModelDefinition } from '../../models/definition.js';

/** A model that is trained in no time. */
export const SMALL: ModelDefinition = {
  channels: 1,
  width: 8,
  blocks: [1, 0, 0],
  expand: 1,
  separate: 1,
  carry: 8,
  levels: 2,
  mixtures: 1,
  hidden: 4,
};
