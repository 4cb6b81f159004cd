/** Options of the commands that compress. */

import type { Command } from 'commander';
import type { CodecOptions, Effort, EncodeOptions, Learning } from '../index.js';
import { addLevels, choiceOf } from './levels.js';
import { addEffort, addLearning, type CommonOptions, codecOptions } from './options.js';

export interface EncodingOptions extends CommonOptions {
  learning?: Learning;
  effort?: Effort;
  strip?: boolean;
}

export function addEncoding(command: Command): void {
  addLevels(command);
  addEffort(addLearning(command)).option(
    '--strip',
    'leave out colour profiles, EXIF, text and all else that is no sample',
  );
}

/** The library's options, with what a level stands for: those of all images, and of each. */
export function encodingOptions(
  command: Command,
  options: EncodingOptions,
): { all: CodecOptions & { model?: string }; each: Pick<EncodeOptions, 'learning' | 'effort'> } {
  const { model, ...each } = choiceOf(command, options);
  return { all: { ...codecOptions(options), model }, each };
}
