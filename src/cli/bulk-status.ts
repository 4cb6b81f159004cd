/** `cnfzip bulk status`: how far the work is. */

import type { Command } from 'commander';
import { type Entry, isFailure, readManifest, type Success } from '../bulk/manifest.js';
import { openQueue } from '../bulk/queue.js';
import { addQueue, addressOf, type QueueOptions } from './bulk-options.js';
import { checkFolder, sizes } from './bulk-report.js';
import { clock } from './progress.js';
import { count, countFiles, print, printJson, reported } from './report.js';

interface StatusOptions extends QueueOptions {
  json?: boolean;
}

/** What a queue has. */
interface Queued {
  readonly waiting: number;
  readonly underWay: number;
  readonly workers: number;
  /** Of the work that makes no lines of a manifest, or whose line could not be written. */
  readonly failed: readonly { readonly source: string; readonly message: string }[];
}

/** Seconds of which the rate is told. */
const RECENT = 60;

export function addStatus(bulk: Command): void {
  const status = bulk
    .command('status')
    .description('tell how far the work on a folder of results is, or that of a queue, or both')
    .argument('[folder]', 'of results');
  addQueue(status, false)
    .option('--json', 'one JSON object on standard output')
    .action((to: string | undefined, options: StatusOptions) => {
      if (to === undefined && options.queue === undefined)
        status.error('error: name a folder of results, or a --queue');
      return reported(to, {}, () => tell(to, options));
    });
}

async function tell(to: string | undefined, options: StatusOptions): Promise<void> {
  // Of a queue's work there may be no results yet.
  if (to !== undefined && options.queue === undefined) await checkFolder(to);
  const entries: Entry[] = to === undefined ? [] : [...(await readManifest(to)).values()];
  const failed = entries.filter(isFailure);
  const done = entries.filter((entry): entry is Success => !isFailure(entry));
  const queued = options.queue === undefined ? undefined : await lookInto(options);
  const rate = rateOf(entries);
  const secondsLeft = queued && rate > 0 ? (queued.waiting + queued.underWay) / rate : undefined;
  if (options.json) {
    const total = (of: (entry: Success) => number) => done.reduce((sum, entry) => sum + of(entry), 0);
    await printJson({
      ...(to !== undefined && {
        done: done.length,
        failed: failed.map(({ source, error }) => ({ source, error })),
        sourceBytes: total((entry) => entry.sourceBytes),
        targetBytes: total((entry) => entry.targetBytes),
        seconds: total((entry) => entry.seconds),
      }),
      ...(queued && { queue: queued, rate, secondsLeft }),
    });
    return;
  }
  if (to !== undefined) {
    await print(`done: ${countFiles(done.length, done.length)}, ${sizes(done)}; failed: ${count(failed.length)}`);
    for (const { source, error } of failed) await print(`${source}: ${error.message}`);
  }
  if (!queued) return;
  const speed = rate > 0 ? `; ${rate.toPrecision(2)} files a second` : '';
  const left = secondsLeft ? `, ${clock(secondsLeft)} left` : '';
  const { waiting, underWay, workers } = queued;
  await print(
    `queue: ${count(waiting)} waiting, ${count(underWay)} under way, ${count(workers)} workers${speed}${left}`,
  );
  for (const { source, message } of queued.failed) await print(`${source}: ${message}`);
}

async function lookInto(options: StatusOptions): Promise<Queued> {
  const queue = await openQueue(addressOf(options));
  try {
    const { wait, delayed, active } = await queue.getJobCounts('wait', 'delayed', 'active');
    const failed = (await queue.getFailed()).map(({ data, failedReason }) => ({
      source: 'state' in data ? data.state.source : data.proven.source,
      message: failedReason,
    }));
    return { waiting: wait + delayed, underWay: active, workers: await queue.getWorkersCount(), failed };
  } finally {
    await queue.close();
  }
}

/** Files a second of the last minute, or since the first. */
function rateOf(entries: readonly Entry[]): number {
  const ages = entries.map(({ at }) => (Date.now() - Date.parse(at)) / 1000);
  const recent = ages.filter((age) => age < RECENT);
  const since = ages.reduce((most, age) => Math.max(most, age), 0);
  return since > 0 ? recent.length / Math.min(RECENT, since) : 0;
}
