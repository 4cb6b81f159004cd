/** `cnfzip bulk`: folders of many images, by as many processes as one likes. */

import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Entry, isFailure, ManifestWriter, readManifest, type Success } from '../bulk/manifest.js';
import { type BulkWork, type Plan, planWork } from '../bulk/plan.js';
import { isOf, parseShard, type Shard } from '../bulk/shard.js';
import { verifyEntry } from '../bulk/verify.js';
import { makeResult, type Result } from '../bulk/work.js';
import { CnfzipError, type Codec } from '../index.js';
import { isFolder } from '../io/files/folders.js';
import { readInput } from '../io/files/read.js';
import {
  extensionOf,
  INPUT_EXTENSIONS,
  naturalFormat,
  OUTPUT_FORMATS,
  type OutputFormat,
  readImage,
} from '../io/formats.js';
import { writeProven } from '../io/prove.js';
import { withCodec } from '../session.js';
import { addEncoding, type EncodingOptions, encodingOptions, imageToEncode } from './encoding.js';
import { addCommonOptions, type CommonOptions, codecOptions } from './options.js';
import { Progress } from './progress.js';
import { count, countFiles, print, printJson, reportError, say } from './report.js';

interface WorkOptions extends CommonOptions {
  to: string;
  shard: Shard;
  retry?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

type CompressOptions = WorkOptions & EncodingOptions;

interface DecompressOptions extends WorkOptions {
  format?: OutputFormat;
}

/** Images that a dry run compresses to tell what all will take. */
const TRIED = 5;

export function addBulk(program: Command): void {
  const bulk = program
    .command('bulk')
    .description('folders of many images, in parts for many processes, with a manifest that proves what was done');

  const compress = bulk
    .command('compress')
    .description('compress all images of a folder and those below it into another folder; run it again to go on')
    .argument('<folder>', 'of images');
  addWork(compress);
  addEncoding(compress);
  addCommonOptions(compress)
    .addHelpText(
      'after',
      `
Examples:
  cnfzip bulk compress photos --to small               all of them
  cnfzip bulk compress photos --to small --shard 3/16  the third of sixteen parts
  parallel -j4 cnfzip bulk compress photos --to small --shard {}/4 -q ::: 1 2 3 4`,
    )
    .action(async (from: string, options: CompressOptions) => {
      const { all, each } = encodingOptions(compress, options);
      const make = async (bytes: Uint8Array, codec: Codec): Promise<Result> => {
        const read = await readImage(bytes, options);
        const image = imageToEncode(read.image, options);
        return { bytes: await codec.encode(image, each), image, extension: '.cnfz', warnings: read.warnings };
      };
      const { model = 'default' } = all;
      const { adapt, effort } = each;
      const how = ['compress', model, ...(adapt ? [] : ['no-adapt'])];
      if (effort) how.push(effort);
      if (options.strip) how.push('strip');
      const bulk = { coding: how.join(' '), extensions: INPUT_EXTENSIONS };
      await withCodec(all, (codec) => work(from, options, bulk, (bytes) => make(bytes, codec)));
    });

  const decompress = bulk
    .command('decompress')
    .description('decompress all .cnfz files of a folder and those below it into another folder')
    .argument('<folder>', 'of .cnfz files');
  addWork(decompress).addOption(
    new Option('--format <format>', 'what to write, as for decompress').choices(OUTPUT_FORMATS),
  );
  addCommonOptions(decompress).action(async (from: string, options: DecompressOptions) => {
    const make = async (bytes: Uint8Array, codec: Codec): Promise<Result> => {
      const file = await codec.open(bytes);
      const format = options.format ?? naturalFormat(file.info);
      const image = await file.decode();
      const written = await writeProven(image, format);
      return { ...written, image, extension: extensionOf(file.info, format) };
    };
    const how = ['decompress', ...(options.format ? [options.format] : [])];
    const bulk = { coding: how.join(' '), extensions: ['.cnfz'] };
    await withCodec(codecOptions(options), (codec) => work(from, options, bulk, (bytes) => make(bytes, codec)));
  });

  const verify = bulk
    .command('verify')
    .description('prove a folder of results by its manifest: checksums, and what they decode to')
    .argument('<folder>', 'of results')
    .option('--from <folder>', 'compare the sources there, too');
  addShard(addCommonOptions(verify)).action(
    async (to: string, options: CommonOptions & { from?: string; shard: Shard }) => verifyAll(to, options),
  );

  bulk
    .command('status')
    .description('tell how far the work on a folder of results is')
    .argument('<folder>', 'of results')
    .option('--json', 'one JSON object on standard output')
    .action(async (to: string, options: { json?: boolean }) => status(to, options));
}

function addShard(command: Command): Command {
  const parse = (text: string): Shard => {
    try {
      return parseShard(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
  return command.option('--shard <i/n>', 'of n parts of the files only the i-th', parse, { index: 1, count: 1 });
}

function addWork(command: Command): Command {
  return addShard(
    command
      .requiredOption('--to <folder>', 'folder for the results, which is made if need be; it gets the manifest, too')
      .option('--retry', 'try again what failed before and has not changed since')
      .option('--dry-run', 'write nothing: tell how much there is to do, and what a few images of it take')
      .option('--json', 'the lines of the manifest on standard output, too'),
  );
}

/** Does what is still to be done. */
async function work(
  from: string,
  options: WorkOptions,
  how: Pick<BulkWork, 'coding' | 'extensions'>,
  make: (bytes: Uint8Array) => Promise<Result>,
): Promise<void> {
  const { to, shard, retry = false } = options;
  try {
    if (!(await isFolder(from))) throw new CnfzipError('usage', 'is no folder');
  } catch (error) {
    return reportError(from, error, options.verbose);
  }
  const bulk: BulkWork = { from, to, shard, ...how };
  const plan = await planWork(bulk, retry);
  if (options.dryRun) return estimate(bulk, plan, make, options);
  for (const { source, error } of plan.failed) {
    reportError(
      join(from, source),
      new CnfzipError('file', `failed before: ${error.message} (--retry tries again)`),
      false,
    );
  }
  const writer = await ManifestWriter.open(to, shard);
  const progress = new Progress(
    plan.todo.map(({ sourceBytes }) => sourceBytes),
    options,
  );
  const made: Success[] = [];
  try {
    for (const [index, state] of plan.todo.entries()) {
      const label = join(from, state.source);
      const shown = progress.file(index, label);
      shown.update(0);
      const entry = await makeResult(bulk, state, make);
      shown.clear();
      await writer.add(entry);
      if (options.json) await printJson(entry);
      if (isFailure(entry)) reportError(label, new CnfzipError('file', entry.error.message), false);
      else made.push(entry);
      if (!options.quiet && !isFailure(entry))
        for (const warning of entry.warnings ?? []) say(`cnfzip: ${label}: warning: ${warning}`);
    }
  } finally {
    await writer.close();
  }
  if (options.quiet) return;
  const before = plan.done.length > 0 ? `, ${count(plan.done.length)} done before` : '';
  const failed = plan.failed.length > 0 ? `, ${count(plan.failed.length)} failed before` : '';
  say(`${countFiles(made.length, plan.todo.length)}${before}${failed}: ${sizes(made)}`);
}

function sizes(entries: readonly Success[]): string {
  const sum = (of: (entry: Success) => number) => entries.reduce((total, entry) => total + of(entry), 0);
  const [from, to] = [sum(({ sourceBytes }) => sourceBytes), sum(({ targetBytes }) => targetBytes)];
  const percent = from > 0 ? ` (${((100 * to) / from).toFixed(1)} %)` : '';
  return `${count(from)} -> ${count(to)} bytes${percent}, ${sum(({ seconds }) => seconds).toFixed(1)} s`;
}

async function estimate(
  { from }: BulkWork,
  { todo, done, failed }: Plan,
  make: (bytes: Uint8Array) => Promise<Result>,
  options: WorkOptions,
): Promise<void> {
  const total = todo.reduce((sum, { sourceBytes }) => sum + sourceBytes, 0);
  const every = Math.max(1, Math.floor(todo.length / TRIED));
  const tried = todo.filter((_, i) => i % every === 0).slice(0, TRIED);
  const sum = { from: 0, to: 0, seconds: 0 };
  for (const { source, sourceBytes } of tried) {
    const label = join(from, source);
    try {
      const began = performance.now();
      const { bytes } = await make(await readInput(label));
      sum.from += sourceBytes;
      sum.to += bytes.length;
      sum.seconds += (performance.now() - began) / 1000;
    } catch (error) {
      reportError(label, error, options.verbose);
    }
  }
  await print(
    `to do: ${count(todo.length)} files, ${count(total)} bytes; done: ${count(done.length)}; failed: ${count(failed.length)}`,
  );
  if (sum.from === 0) return;
  const scale = total / sum.from;
  const [bytes, seconds] = [Math.round(scale * sum.to), Math.round(scale * sum.seconds)];
  await print(
    `estimate, from ${countFiles(tried.length, tried.length)}: ${count(bytes)} bytes (${((100 * sum.to) / sum.from).toFixed(1)} %), ${count(seconds)} s in one process`,
  );
}

async function verifyAll(to: string, options: CommonOptions & { from?: string; shard: Shard }): Promise<void> {
  const entries = [...(await readManifest(to)).values()].filter(({ source }) => isOf(options.shard, source));
  if (entries.length === 0)
    return reportError(to, new CnfzipError('file', 'has no manifest of results'), options.verbose);
  const progress = new Progress(
    entries.map((entry) => (isFailure(entry) ? 0 : entry.targetBytes)),
    options,
  );
  let proven = 0;
  await withCodec(codecOptions(options), async (codec) => {
    for (const [index, entry] of entries.entries()) {
      if (isFailure(entry)) {
        reportError(entry.source, new CnfzipError('file', `has no result: ${entry.error.message}`), options.verbose);
        continue;
      }
      const label = join(to, entry.target);
      const shown = progress.file(index, label);
      shown.update(0);
      try {
        await verifyEntry(entry, { to, from: options.from }, codec, options);
        proven++;
      } catch (error) {
        shown.clear();
        reportError(label, error, options.verbose);
      }
      shown.clear();
    }
  });
  if (!options.quiet) await print(`${countFiles(proven, entries.length)} proven`);
}

async function status(to: string, { json }: { json?: boolean }): Promise<void> {
  const entries: Entry[] = [...(await readManifest(to)).values()];
  const failed = entries.filter(isFailure);
  const done = entries.filter((entry): entry is Success => !isFailure(entry));
  if (json) {
    const total = (of: (entry: Success) => number) => done.reduce((sum, entry) => sum + of(entry), 0);
    const sourceBytes = total((entry) => entry.sourceBytes);
    const [targetBytes, seconds] = [total((entry) => entry.targetBytes), total((entry) => entry.seconds)];
    await printJson({
      done: done.length,
      failed: failed.map(({ source, error }) => ({ source, error })),
      sourceBytes,
      targetBytes,
      seconds,
    });
    return;
  }
  await print(`done: ${countFiles(done.length, done.length)}, ${sizes(done)}; failed: ${count(failed.length)}`);
  for (const { source, error } of failed) await print(`${source}: ${error.message}`);
}
