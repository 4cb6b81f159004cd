/** Options that several commands have. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { EFFORTS } from '../../codec/coding.js';
import { LEARNING } from '../../codec/flow/learning.js';
import type { CodecOptions } from '../index.js';

export interface CommonOptions {
  threads?: number;
  maxPixels?: number;
  maxMemory?: number;
  model?: string;
  quiet?: boolean;
  verbose?: boolean;
  /** False: no progress bar. */
  progress: boolean;
}

export interface OutputOptions extends CommonOptions {
  output?: string;
  stdout?: boolean;
  outputDir?: string;
  force?: boolean;
  recursive?: boolean;
  rm?: boolean;
  json?: boolean;
}

const JSON_LINES = 'one JSON object a line and file on standard output, failures too';

export function addCommonOptions(command: Command): Command {
  command.option(
    '-T, --threads <n>',
    'threads, 1 to 256 (default, or 0: as many as the machine runs at once)',
    integer(0, 256),
  );
  return addLimits(addModel(command))
    .addOption(new Option('-q, --quiet', 'print nothing but errors').conflicts('verbose'))
    .option('-v, --verbose', 'print more')
    .option('--no-progress', 'draw no progress bar');
}

export function addModel(command: Command): Command {
  return command.option('--model <model>', 'fast, default or best, or the path of a .cnfm file');
}

export function addLearning(command: Command): Command {
  const what = 'what of the model goes on learning while it codes: each takes longer, for smaller files';
  return command.addOption(new Option('--learning <what>', `${what} (default: heads)`).choices(LEARNING));
}

export function addEffort(command: Command): Command {
  const what = 'how much is tried on graphics: each takes longer, for smaller files';
  return command.addOption(new Option('--effort <much>', `${what} (default: medium)`).choices(EFFORTS));
}

export function addLimits(command: Command): Command {
  return command
    .option(
      '--max-pixels <n>',
      'refuse larger images; K, M and G stand for 2^10, 2^20, 2^30 (default: 4G, and 256M of what must be in memory at once)',
      parseSize,
    )
    .option('--max-memory <bytes>', 'stay within so much memory, by estimate, or refuse; K, M, G as above', parseSize);
}

export function addOutputOptions(command: Command): Command {
  return command
    .addOption(
      new Option('-o, --output <file>', 'write to this file, or to standard output (-); for one input only').conflicts([
        'stdout',
        'outputDir',
      ]),
    )
    .addOption(
      new Option('-c, --stdout', 'write to standard output; for one input only').conflicts(['outputDir', 'json']),
    )
    .option('--output-dir <folder>', 'write into this folder, which is made if need be')
    .option('-r, --recursive', 'take the files in folders and in those below')
    .option('-f, --force', 'replace existing files, write binary data to a terminal')
    .addOption(new Option('-k, --keep', 'keep the inputs, as without it').conflicts('rm'))
    .option('--rm', 'remove each input after its result is safely written')
    .option('--json', JSON_LINES);
}

/** Levels of commands that compress nothing: who types them for gzip means no file of that name. */
export function addVainLevels(command: Command): Command {
  for (let level = 1; level <= 9; level++) command.addOption(new Option(`-${level}`, 'accepted').hideHelp());
  return command;
}

/** For commands that only read: they search folders without being told to, too. */
export function addListing(command: Command): Command {
  return addVainLevels(command)
    .addOption(new Option('-r, --recursive', 'accepted; folders are always searched').hideHelp())
    .option('--json', JSON_LINES);
}

/** The library's options, for all images. */
export function codecOptions({ threads, model, maxPixels, maxMemory }: CommonOptions): CodecOptions {
  return { threads: threads || undefined, model, maxPixels, maxMemory };
}

export function parseSize(text: string): number {
  const [, digits, unit] = /^(\d+)([KMG]?)$/i.exec(text) ?? [];
  const size = Number(digits) * 1024 ** ['', 'K', 'M', 'G'].indexOf((unit ?? '').toUpperCase());
  if (digits === undefined || !Number.isSafeInteger(size) || size < 1) {
    throw new InvalidArgumentError('It must be a positive integer, with K, M or G behind it if need be.');
  }
  return size;
}

/** Reads an option that is an integer within bounds. */
export function integer(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < low || value > high) {
      throw new InvalidArgumentError(`It must be an integer from ${low} to ${high}.`);
    }
    return value;
  };
}
