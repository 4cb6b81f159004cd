/** `cnfzip bulk`: folders of many images, by as many processes as one likes. */

import { join } from 'node:path';
import type { Command } from 'commander';
import { type Coding, makeResultOf } from '../bulk/coding.js';
import { isFailure, ManifestWriter, readManifest, type Success } from '../bulk/manifest.js';
import { type BulkWork, planWork } from '../bulk/plan.js';
import { isOf, nameOf, type Shard } from '../bulk/shard.js';
import { verifyEntry } from '../bulk/verify.js';
import { makeResult } from '../bulk/work.js';
import { CnfzipError, type Codec } from '../index.js';
import type { OutputFormat } from '../io/formats.js';
import { withCodec } from '../session/codec.js';
import { addFormat, addShard, addWork, compressionOf, decompressionOf, type WorkOptions } from './bulk-options.js';
import { addQueueCommands } from './bulk-queue.js';
import { before, checkFolder, estimate, reportEntry, reportFailedBefore, reportMissing, sizes } from './bulk-report.js';
import { addStatus } from './bulk-status.js';
import { addEncoding, type EncodingOptions, encodingOptions } from './encoding.js';
import { addCommonOptions, type CommonOptions, codecOptions } from './options.js';
import { Progress } from './progress.js';
import { countFiles, print, printJson, reportError, reported, say } from './report.js';

interface ShardOptions extends WorkOptions {
  shard: Shard;
  json?: boolean;
}

interface VerifyOptions extends CommonOptions {
  from?: string;
  shard: Shard;
}

export function addBulk(program: Command): void {
  const bulk = program
    .command('bulk')
    .description('folders of many images, in parts for many processes, with a manifest that proves what was done');

  const compress = bulk
    .command('compress')
    .description(
      'compress all images, and .tar files of images, of a folder and those below it into another folder; again: goes on',
    )
    .argument('<folder>', 'of images');
  addEncoding(addShardedWork(compress));
  addCommonOptions(compress)
    .addHelpText(
      'after',
      `
Examples:
  cnfzip bulk compress photos --to small               all of them
  cnfzip bulk compress photos --to small --shard 3/16  the third of sixteen parts
  parallel -j4 cnfzip bulk compress photos --to small --shard {}/4 -q ::: 1 2 3 4`,
    )
    .action(async (from: string, options: ShardOptions & EncodingOptions) => {
      const { all, each } = encodingOptions(compress, options);
      await withCodec(all, (codec) => work(from, options, compressionOf(all, each, options), codec));
    });

  const decompress = bulk
    .command('decompress')
    .description('decompress all .cnfz and .cnfa files of a folder and those below it into another folder')
    .argument('<folder>', 'of .cnfz and .cnfa files');
  addFormat(addShardedWork(decompress));
  addCommonOptions(decompress).action(async (from: string, options: ShardOptions & { format?: OutputFormat }) =>
    withCodec(codecOptions(options), (codec) => work(from, options, decompressionOf(options), codec)),
  );

  const verify = bulk
    .command('verify')
    .description('prove a folder of results by its manifest: checksums, and what they decode to')
    .argument('<folder>', 'of results')
    .option('--from <folder>', 'compare the sources there, too, which all must have a result');
  addShard(addCommonOptions(verify)).action(async (to: string, options: VerifyOptions) =>
    reported(to, options, () => verifyAll(to, options)),
  );

  addQueueCommands(bulk);
  addStatus(bulk);
}

function addShardedWork(command: Command): Command {
  return addShard(addWork(command)).option('--json', 'the lines of the manifest on standard output, too');
}

/** Does what is still to be done. */
async function work(from: string, options: ShardOptions, coding: Coding, codec: Codec): Promise<void> {
  const { to, shard, retry = false } = options;
  return reported(from, options, async () => {
    await checkFolder(from);
    const bulk: BulkWork = { from, to, shard, coding };
    const plan = await planWork(bulk, retry);
    if (options.dryRun) return estimate(bulk, plan, codec, options);
    reportFailedBefore(bulk, plan);
    const writer = await ManifestWriter.open(to, nameOf(shard));
    const progress = new Progress(
      plan.todo.map(({ sourceBytes }) => sourceBytes),
      options,
    );
    const made: Success[] = [];
    try {
      for (const [index, state] of plan.todo.entries()) {
        const shown = progress.file(index, join(from, state.source));
        shown.update(0);
        const entry = await makeResult(bulk, state, (bytes) =>
          makeResultOf({ name: state.source, bytes }, coding, codec, codecOptions(options)),
        );
        shown.clear();
        await writer.add(entry);
        if (options.json) await printJson(entry);
        reportEntry(from, entry, options);
        if (!isFailure(entry)) made.push(entry);
      }
    } finally {
      await writer.close();
    }
    if (!options.quiet) say(`${countFiles(made.length, plan.todo.length)}${before(plan)}: ${sizes(made)}`);
  });
}

async function verifyAll(to: string, options: VerifyOptions): Promise<void> {
  const { from, shard } = options;
  const known = await readManifest(to);
  const entries = [...known.values()].filter(({ source }) => isOf(shard, source));
  if (known.size === 0 || (entries.length === 0 && from === undefined))
    throw new CnfzipError('file', 'has no manifest of results');
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
        await verifyEntry(entry, { to, from }, codec, codecOptions(options));
        proven++;
      } catch (error) {
        shown.clear();
        reportError(label, error, options.verbose);
      }
      shown.clear();
    }
  });
  let missing = 0;
  if (from !== undefined) {
    await reported(from, options, async () => {
      missing = await reportMissing(known, from, shard);
    });
  }
  if (!options.quiet) await print(`${countFiles(proven, entries.length + missing)} proven`);
}
