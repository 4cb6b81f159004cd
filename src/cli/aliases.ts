/** The short way to say a command, as zstd's and gzip's users do: `cnfzip photo.png`, `cnfzip -dc a.cnfz`, `cat a.png | cnfzip`. */
import type { Command } from 'commander';
import { exists } from '../io/files/read.js';

const MODES: Record<string, string> = {
  '-z': 'compress',
  '--compress': 'compress',
  '-d': 'decompress',
  '--decompress': 'decompress',
  '--uncompress': 'decompress',
  '-t': 'verify',
  '--test': 'verify',
  '-l': 'info',
  '--list': 'info',
};

/** Options of the program itself, and the help of any command. */
const GENERAL = ['-h', '--help', '-V', '--version'];

/**
 * The words of a command line with its command in front; of several modes the last one counts. What starts with a plain word is
 * left alone unless that word can only be a file's name: a mistyped command is not taken for one.
 *
 * @param words without the program's name
 */
export async function withCommand(words: readonly string[], program: Command): Promise<string[]> {
  const [first] = words;
  // Without any word, what comes through a pipe is compressed; at a terminal the usage is shown.
  if (first === undefined) return process.stdin.isTTY ? [] : ['compress'];
  const isCommand = first === 'help' || program.commands.some((command) => command.name() === first);
  if (isCommand || GENERAL.includes(first)) return [...words];
  if (!first.startsWith('-') && !/[./\\]/.test(first) && !(await exists(first))) return [...words];

  const options = program.commands.flatMap((command) => command.options);
  const isFlag = (word: string) => options.some(({ short, long }) => word === short || word === long);
  const takesValue = (word: string) =>
    options.some(({ short, long, required }) => required && (word === short || word === long));
  let mode = 'compress';
  const rest: string[] = [];
  let i = 0;
  for (; i < words.length && words[i] !== '--'; i++) {
    const flags = flagsOf(words[i], takesValue);
    if (!flags.every((flag) => Object.hasOwn(MODES, flag) || isFlag(flag) || GENERAL.includes(flag))) {
      rest.push(words[i]);
      continue;
    }
    for (const flag of flags) {
      if (Object.hasOwn(MODES, flag)) mode = MODES[flag];
      else rest.push(flag);
    }
    const value = isBundle(words[i]) ? words[i].slice(1 + flags.length) : '';
    if (value !== '') rest.push(value);
    else if (takesValue(flags[flags.length - 1])) rest.push(...words.slice(++i, i + 1));
  }
  return [mode, ...rest, ...words.slice(i)];
}

/** Short options, several perhaps, behind one dash. */
function isBundle(word: string): boolean {
  return /^-[^-]/.test(word);
}

/** `-dco` as `-d`, `-c`, `-o`; what stands behind a letter that takes a value is its value. Other words are what they are. */
function flagsOf(word: string, takesValue: (flag: string) => boolean): string[] {
  if (!isBundle(word)) return [word];
  const flags = Array.from(word.slice(1), (letter) => `-${letter}`);
  const last = flags.findIndex(takesValue);
  return last < 0 ? flags : flags.slice(0, last + 1);
}
