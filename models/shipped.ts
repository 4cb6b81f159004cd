import type { ModelDefinition } from './definition.js';

const COLOUR = { channels: 3, carry: 8, levels: 8, mixtures: 3, sweeps: 1, tied: true } as const;

/** The definitions that the shipped models are trained from, by the models' names. */
export const DEFINITIONS: Record<string, ModelDefinition> = {
  fast: { ...COLOUR, width: 16, blocks: [1, 1, 1], expand: 2, separate: 0, hidden: 8 },
  default: { ...COLOUR, width: 48, blocks: [2, 2, 2], expand: 2, separate: 0, hidden: 16 },
  best: { ...COLOUR, width: 88, blocks: [2, 2, 2], expand: 2, separate: 0, hidden: 16 },
  gray: { ...COLOUR, channels: 1, width: 32, blocks: [2, 1, 1], expand: 2, separate: 0, hidden: 8 },
};
