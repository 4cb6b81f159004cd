/** `cnfzip bulk add` and `bulk work`: the work of a folder by workers that share a queue. */

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { addProofs, addSources, forgetFailed } from '../bulk/add.js';
import { type Entry, isFailure, readManifest, type Success } from '../bulk/manifest.js';
import { type BulkWork, planWork } from '../bulk/plan.js';
import { openQueue } from '../bulk/queue.js';
import { workOnQueue } from '../bulk/queue-worker.js';
import { CnfzipError } from '../index.js';
import type { OutputFormat } from '../io/formats.js';
import { withCodec } from '../session/codec.js';
import {
  addFormat,
  addQueue,
  addressOf,
  addWork,
  compressionOf,
  decompressionOf,
  type QueueOptions,
  type WorkOptions,
} from './bulk-options.js';
import { before, checkFolder, estimate, reportEntry, reportFailedBefore, reportMissing, sizes } from './bulk-report.js';
import { addEncoding, type EncodingOptions, encodingOptions } from './encoding.js';
import { addCommonOptions, addLimits, type CommonOptions, integer } from './options.js';
import { countFiles, countOf, printJson, reportError, reported, say } from './report.js';

interface AddOptions extends WorkOptions, QueueOptions, EncodingOptions {
  verb: 'compress' | 'decompress' | 'verify';
  format?: OutputFormat;
}

type Mount = readonly [there: string, here: string];

interface WorkerOptions extends QueueOptions, CommonOptions {
  mount: Mount[];
  lock: number;
  stay?: boolean;
  json?: boolean;
}

const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function addQueueCommands(bulk: Command): void {
  const add = bulk
    .command('add')
    .description('put the work of a folder into a queue, for bulk work; again: what the manifest lacks by then')
    .argument('<folder>', 'of sources')
    .addOption(
      new Option('--verb <verb>', 'what is to be done; verify proves the results in --to and compares the folder')
        .choices(['compress', 'decompress', 'verify'])
        .default('compress'),
    );
  addEncoding(addFormat(addQueue(addWork(add), true)));
  addCommonOptions(add)
    .addHelpText('after', '\nExample:\n  cnfzip bulk add photos --to small --queue redis://host:6379')
    .action((from: string, options: AddOptions) => reported(from, options, () => addToQueue(add, from, options)));

  const work = bulk
    .command('work')
    .description('do what a queue has, until nothing is left; as many at once, on as many machines, as one likes');
  addLimits(addQueue(work, true))
    .option(
      '-T, --threads <n>',
      'images at the same time (default, or 0: as many as the machine runs at once)',
      integer(0, 256),
    )
    .option('--stay', 'wait for more when nothing is left')
    .option(
      '--mount <there=here>',
      'what bulk add called there is called here on this machine; may be given several times',
      parseMount,
      [],
    )
    .option('--lock <seconds>', 'take a worker for dead that was not heard of for so long', integer(1, 3600), 30)
    .option('--json', 'the lines of the manifest on standard output, too')
    .addOption(new Option('-q, --quiet', 'print nothing but errors').conflicts('verbose'))
    .option('-v, --verbose', 'print more')
    .action((options: WorkerOptions) => reported(undefined, options, () => workFor(options)));
}

async function addToQueue(command: Command, from: string, options: AddOptions): Promise<void> {
  const { verb, retry = false, quiet } = options;
  await checkFolder(from);
  const folders = { from: resolve(from), to: resolve(options.to) };
  const { all, each } = encodingOptions(command, options);
  const coding = verb === 'decompress' ? decompressionOf(options) : compressionOf(all, each, options);
  const work: BulkWork = { ...folders, coding, shard: { index: 1, count: 1 } };
  const plan = verb === 'verify' ? undefined : await planWork(work, retry);
  if (options.dryRun && plan) return withCodec(all, (codec) => estimate(work, plan, codec, options));
  if (plan) reportFailedBefore(work, plan);
  const queue = await openQueue(addressOf(options));
  try {
    if (retry) await forgetFailed(queue, folders);
    if (plan) await addSources(queue, folders, coding, plan.todo);
    const added = plan ? plan.todo.length : await addProofs(queue, folders);
    if (!plan) await reportMissing(await readManifest(work.to), work.from, work.shard);
    if (!quiet) say(`${countFiles(added, added)}${plan ? before(plan) : ''}: in the queue ${options.name}`);
  } finally {
    await queue.close();
  }
}

async function workFor(options: WorkerOptions): Promise<void> {
  const { threads, maxPixels, maxMemory, mount, lock, stay = false, json, quiet } = options;
  const stop = new AbortController();
  const end = () => {
    say('cnfzip: ends when what is under way is done; once more ends it at once');
    stop.abort();
    for (const signal of STOPS) process.off(signal, end);
  };
  for (const signal of STOPS) process.on(signal, end);
  const made: Success[] = [];
  let all = 0;
  let proven = 0;
  const onDone = async ({ from }: { from: string }, entry: Entry | undefined) => {
    if (!entry) proven++;
    else {
      all++;
      if (!isFailure(entry)) made.push(entry);
      if (json) await printJson(entry);
      reportEntry(from, entry, options);
    }
  };
  const atOnce = threads || availableParallelism();
  let told = '';
  await workOnQueue(addressOf(options), {
    threads: atOnce,
    limits: { maxPixels, maxMemory: maxMemory && Math.max(1, Math.floor(maxMemory / atOnce)) },
    mounts: mount,
    lock,
    stay,
    stop: stop.signal,
    onDone,
    onTrouble: (message, isFinal) => {
      if (isFinal) reportError(undefined, new CnfzipError('file', message), options.verbose);
      // A server that is away is told once.
      else if (message !== told) say(`cnfzip: ${message}`);
      told = message;
    },
  });
  for (const signal of STOPS) process.off(signal, end);
  if (quiet) return;
  if (proven > 0) say(`${countOf(proven, proven, 'result')} proven`);
  if (proven === 0 || all > 0) say(`${countFiles(made.length, all)}: ${sizes(made)}`);
}

function parseMount(text: string, before: readonly Mount[]): Mount[] {
  const [, there, here] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
  if (there === undefined) throw new InvalidArgumentError('It must be like /there=/here.');
  return [...before, [there.replace(/(?<=.)\/+$/, ''), resolve(here)]];
}
