/** What levels, and options beside them, stand for. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addEncoding, type EncodingOptions, encodingOptions } from '../../src/cli/encoding.js';
import { makersOf } from '../../src/cli/levels.js';
import { addCommonOptions } from '../../src/cli/options.js';

function commandOf(): Command {
  const command = new Command('compress').exitOverride().configureOutput({ writeErr: () => {} });
  addEncoding(command);
  return addCommonOptions(command);
}

/** What is encoded with, given such options. */
function choice(...args: string[]) {
  const command = commandOf().parse(args, { from: 'user' });
  const { all, each } = encodingOptions(command, command.opts<EncodingOptions>());
  return { model: all.model, ...each };
}

test('the help of each level says what it stands for', () => {
  const levels = commandOf().options.filter(({ description }) => description.startsWith('as --model'));
  expect(levels).toHaveLength(9);
  for (const { flags, description } of levels) {
    const words = description.replace(/^as /, '').replace(/ \(.*/, '').split(' ');
    expect(choice(flags), flags).toEqual(choice(...words));
    expect(Object.values(choice(flags))).not.toContain(undefined);
  }
  expect(choice('--best')).toEqual(choice('-9'));
});

test('an effort, like a learning, goes before what the level stands for', () => {
  expect(choice('--effort', 'high')).toEqual({ model: undefined, learning: undefined, effort: 'high' });
  expect(choice('-1', '--effort', 'high')).toEqual({ model: 'fast', learning: 'none', effort: 'high' });
  expect(choice('-9', '--effort', 'low', '--learning', 'none')).toEqual({
    model: 'best',
    learning: 'none',
    effort: 'low',
  });
  expect(() => choice('--effort', 'most')).toThrow(/Allowed choices are low, medium, high/);
});

test('what may have made a file: what it tells, with every effort; else what levels stand for', () => {
  const fast = { any: 'model' };
  const made = (effort: string) => ({ model: fast, learning: 'none', effort });
  expect(makersOf('none', fast, 'fast')).toEqual([made('low'), made('medium'), made('high')]);
  expect(makersOf('none', fast, 'gray').map(({ effort }) => effort)).toEqual(['medium', 'low', 'high']);
  expect(
    makersOf()
      .map(({ model, effort }) => `${model} ${effort}`)
      .slice(0, 2),
  ).toEqual(['default medium', 'fast low']);
  expect(makersOf()).toHaveLength(9);
  expect(makersOf('sparse').map(({ model }) => model)).toEqual(['default', 'best']);
  expect(new Set(makersOf(undefined, fast).map(({ model }) => model))).toEqual(new Set([fast]));
});
