/** Compression levels after the habit of gzip and zstd: each stands for a shipped model. */

import { type Command, Option } from 'commander';
import type { CommonOptions } from './options.js';

const MODELS: Record<string, string> = {
  1: 'fast',
  2: 'fast',
  3: 'fast',
  4: 'default',
  5: 'default',
  6: 'default',
  7: 'best',
  8: 'best',
  9: 'best',
};

/** Adds -1 to -9, of which the help shows three. */
export function addLevels(command: Command): void {
  for (const [level, model] of Object.entries(MODELS)) {
    const shown = ['1', '5', '9'].includes(level);
    const option = new Option(`-${level}`, `the model ${model}, as --model ${model} (levels -1 to -9)`);
    command.addOption(shown ? option : option.hideHelp());
  }
}

/** The model that is named, by itself or by a level. */
export function modelOfLevel(command: Command, options: CommonOptions): string | undefined {
  const levels = Object.keys(MODELS).filter((level) => (options as unknown as Record<string, unknown>)[level]);
  if (levels.length + (options.model ? 1 : 0) > 1) command.error('error: name one level or one model');
  return options.model ?? (levels.length > 0 ? MODELS[levels[0]] : undefined);
}
