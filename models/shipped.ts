import type { ModelDefinition } from './definition.js';

const COMMON = { carry: 16, levels: 8, mixtures: 4, hidden: 8, expand: 2, separate: 1 } as const;

/** The definitions that the shipped models are trained from, by the models' names. */
export const DEFINITIONS: Record<string, ModelDefinition> = {
  fast: { ...COMMON, channels: 3, width: 16, blocks: [2, 2, 2] },
  default: { ...COMMON, channels: 3, width: 48, blocks: [2, 2, 2] },
  best: { ...COMMON, channels: 3, width: 128, blocks: [2, 2, 2] },
  cifar10: { ...COMMON, channels: 3, width: 96, blocks: [3, 3, 3] },
  gray: { ...COMMON, channels: 1, width: 32, blocks: [2, 2, 2] },
};
