/** Compression levels after the habit of gzip and zstd: each stands for a shipped model, for what of it goes on learning, and for an effort. */

import { type Command, Option } from 'commander';
import { EFFORTS } from '../../codec/coding.js';
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

/**
 * What may have made a file, the likeliest first, as no file tells its effort; nor a model and learning that coded nothing of it, which
 * leaves only what levels stand for.
 *
 * @param learning that the file tells
 * @param model that it tells, or that is given
 * @param name of that model, if it is a shipped one
 */
export function makersOf<M>(
  learning?: Learning,
  model?: M,
  name?: string,
): (Omit<Level, 'model'> & { model: M | string })[] {
  const levels = [...new Set([DEFAULT, ...Object.values(LEVELS)])];
  if (!learning || !model) {
    const fitting = levels.filter((level) => !learning || level.learning === learning);
    return fitting.map((level) => ({ ...level, model: model ?? level.model }));
  }
  const usual = levels.find((level) => level.model === name) ?? DEFAULT;
  return [...new Set([usual.effort, ...EFFORTS])].map((effort) => ({ model, learning, effort }));
}

/** Adds -1 to -9, of which the help shows four. */
export function addLevels(command: Command): void {
  for (const [level, { model, learning, effort }] of Object.entries(LEVELS)) {
    const shown = ['1', '3', '4', '9'].includes(level);
    const how = `as --model ${model} --learning ${learning} --effort ${effort}`;
    const option = new Option(`-${level}`, `${how} (levels -1 to -9)`);
    command.addOption(shown ? option : option.hideHelp());
  }
  for (const [name, level] of Object.entries(NAMES)) command.addOption(new Option(`--${name}`, `as -${level}`));
}

/** What is named by itself goes before what a level stands for; but of models one is named, by itself or by a level. */
export function choiceOf(
  command: Command,
  options: CommonOptions & Partial<Pick<Level, 'learning' | 'effort'>>,
): Partial<Level> {
  const isGiven = (name: string) => (options as unknown as Record<string, unknown>)[name] === true;
  const named = Object.entries(NAMES).flatMap(([name, level]) => (isGiven(name) ? [level] : []));
  const given = [...Object.keys(LEVELS).filter(isGiven), ...named];
  if (given.length + (options.model ? 1 : 0) > 1) command.error('error: name one level or one model');
  const level = LEVELS[given[0]] as Level | undefined;
  return {
    model: options.model ?? level?.model,
    learning: options.learning ?? level?.learning,
    effort: options.effort ?? level?.effort,
  };
}
