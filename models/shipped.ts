import type { ModelDefinition } from './definition.js';

/** The definitions that the shipped models are trained from. */
export const DEFAULT_DEFINITIONS: Record<'rgb' | 'gray', ModelDefinition> = {
  rgb: {
    channels: 3,
    width: 32,
    blocks: [2, 1, 1],
    carry: 8,
    levels: 8,
    mixtures: 3,
    hidden: 16,
    sweeps: 3,
    tied: true,
  },
  gray: {
    channels: 1,
    width: 24,
    blocks: [2, 1, 1],
    carry: 8,
    levels: 8,
    mixtures: 3,
    hidden: 8,
    sweeps: 1,
    tied: true,
  },
};
