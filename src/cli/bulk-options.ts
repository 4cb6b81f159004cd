/** Options that several commands of `bulk` have. */

import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Coding } from '../bulk/coding.js';
import type { QueueAddress } from '../bulk/queue.js';
import { parseShard, type Shard } from '../bulk/shard.js';
import type { CodecOptions, EncodeCallOptions } from '../index.js';
import { OUTPUT_FORMATS, type OutputFormat } from '../io/formats.js';
import { isPath } from '../session/models.js';
import type { EncodingOptions } from './encoding.js';
import type { CommonOptions } from './options.js';

export interface WorkOptions extends CommonOptions {
  to: string;
  retry?: boolean;
  dryRun?: boolean;
}

export interface QueueOptions {
  queue: string;
  name: string;
}

export function addShard(command: Command): Command {
  const parse = (text: string): Shard => {
    try {
      return parseShard(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
  const shard = new Option('--shard <i/n>', 'of n parts of the files only the i-th').argParser(parse);
  return command.addOption(shard.default({ index: 1, count: 1 }, 'all of them'));
}

export function addWork(command: Command): Command {
  return command
    .requiredOption('--to <folder>', 'folder for the results, which is made if need be; it gets the manifest, too')
    .option('--retry', 'try again what failed before and has not changed since')
    .option('--dry-run', 'write nothing: tell how much there is to do, and what a few images of it take');
}

export function addFormat(command: Command): Command {
  return command.addOption(new Option('--format <format>', 'what to write, as for decompress').choices(OUTPUT_FORMATS));
}

export function addQueue(command: Command, isRequired: boolean): Command {
  const queue = new Option('--queue <url>', 'redis://HOST:PORT or postgres://USER@HOST/DATABASE').env('CNFZIP_QUEUE');
  return command
    .addOption(queue.makeOptionMandatory(isRequired))
    .option('--name <name>', 'name of the queue, among others there', 'cnfzip');
}

export function addressOf({ queue, name }: QueueOptions): QueueAddress {
  return { url: queue, name };
}

/** What compressing is to do, with what a level stands for; a model's file is called by its whole path. */
export function compressionOf(
  { model }: CodecOptions & { model?: string },
  { learning, effort }: Pick<EncodeCallOptions, 'learning' | 'effort'>,
  { strip }: EncodingOptions,
): Coding {
  return {
    verb: 'compress',
    model: model !== undefined && isPath(model) ? resolve(model) : model,
    learning,
    effort,
    strip,
  };
}

export function decompressionOf({ format }: { format?: OutputFormat }): Coding {
  return { verb: 'decompress', format };
}
