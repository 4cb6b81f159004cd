/** Compression levels after the habit of gzip and zstd: each stands for a shipped model, and for whether it goes on learning. */

import { type Command, Option } from 'commander';
import type { Effort } from '../index.js';
import type { CommonOptions } from './options.js';

interface Level {
  readonly model: string;
  readonly adapt: boolean;
  readonly effort: Effort;
}

const FAST: Level = { model: 'fast', adapt: true, effort: 'low' };
const DEFAULT: Level = { model: 'default', adapt: true, effort: 'medium' };
const BEST: Level = { model: 'best', adapt: true, effort: 'high' };

const LEVELS: Record<string, Level> = {
  1: { ...FAST, adapt: false },
  2: FAST,
  3: FAST,
  4: DEFAULT,
  5: DEFAULT,
  6: DEFAULT,
  7: BEST,
  8: BEST,
  9: BEST,
};

/** Levels that have a name, too. */
const NAMES = { fast: '1', best: '9' };

/** Adds -1 to -9, of which the help shows four. */
export function addLevels(command: Command): void {
  for (const [level, { model, adapt }] of Object.entries(LEVELS)) {
    const shown = ['1', '3', '5', '9'].includes(level);
    const how = adapt ? '' : ' --no-adapt';
    const option = new Option(`-${level}`, `the model ${model}, as --model ${model}${how} (levels -1 to -9)`);
    command.addOption(shown ? option : option.hideHelp());
  }
  for (const [name, level] of Object.entries(NAMES)) command.addOption(new Option(`--${name}`, `as -${level}`));
}

/** The model that is named, by itself or by a level, and whether it goes on learning. */
export function choiceOf(command: Command, options: CommonOptions & { adapt: boolean }): Partial<Level> {
  const isGiven = (name: string) => (options as unknown as Record<string, unknown>)[name] === true;
  const named = Object.entries(NAMES).flatMap(([name, level]) => (isGiven(name) ? [level] : []));
  const given = [...Object.keys(LEVELS).filter(isGiven), ...named];
  if (given.length + (options.model ? 1 : 0) > 1) command.error('error: name one level or one model');
  const level = LEVELS[given[0]] as Level | undefined;
  return {
    model: options.model ?? level?.model,
    adapt: options.adapt && (level?.adapt ?? true),
    effort: level?.effort,
  };
}
