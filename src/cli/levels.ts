/** Compression levels after the habit of gzip and zstd: each stands for a shipped model, and for what of it goes on learning. */

import { type Command, Option } from 'commander';
import type { Effort, Learning } from '../index.js';
import type { CommonOptions } from './options.js';

interface Level {
  readonly model: string;
  readonly learning: Learning;
  readonly effort: Effort;
}

const FAST: Level = { model: 'fast', learning: 'heads', effort: 'low' };
const DEFAULT: Level = { model: 'default', learning: 'heads', effort: 'medium' };
const BEST: Level = { model: 'best', learning: 'heads', effort: 'high' };

const LEVELS: Record<string, Level> = {
  1: { ...FAST, learning: 'none' },
  2: FAST,
  3: { ...FAST, learning: 'blocks' },
  4: DEFAULT,
  5: { ...DEFAULT, learning: 'sparse' },
  6: { ...DEFAULT, learning: 'blocks' },
  7: BEST,
  8: { ...BEST, learning: 'sparse' },
  9: { ...BEST, learning: 'blocks' },
};

/** Levels that have a name, too. */
const NAMES = { fast: '1', best: '9' };

/** Adds -1 to -9, of which the help shows four. */
export function addLevels(command: Command): void {
  for (const [level, { model, learning }] of Object.entries(LEVELS)) {
    const shown = ['1', '3', '4', '9'].includes(level);
    const how = `as --model ${model} --learning ${learning}`;
    const option = new Option(`-${level}`, `${how} (levels -1 to -9)`);
    command.addOption(shown ? option : option.hideHelp());
  }
  for (const [name, level] of Object.entries(NAMES)) command.addOption(new Option(`--${name}`, `as -${level}`));
}

/** The model that is named, by itself or by a level, and whether it goes on learning. */
export function choiceOf(command: Command, options: CommonOptions & { learning?: Learning }): Partial<Level> {
  const isGiven = (name: string) => (options as unknown as Record<string, unknown>)[name] === true;
  const named = Object.entries(NAMES).flatMap(([name, level]) => (isGiven(name) ? [level] : []));
  const given = [...Object.keys(LEVELS).filter(isGiven), ...named];
  if (given.length + (options.model ? 1 : 0) > 1) command.error('error: name one level or one model');
  const level = LEVELS[given[0]] as Level | undefined;
  return {
    model: options.model ?? level?.model,
    learning: options.learning ?? level?.learning,
    effort: level?.effort,
  };
}
