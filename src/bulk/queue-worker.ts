/** A worker of a queue: does jobs until none is left, or until it is told to stop. */

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from 'bullmq';
import { once } from '../../codec/once.js';
import type { Limits } from '../index.js';
import { kindOf } from '../io/files/errors.js';
import { Threads } from '../threads/threads.js';
import { TRIES } from './add.js';
import type { Coding } from './coding.js';
import type { BulkCall, BulkResult } from './coding-worker.js';
import { type Entry, findEntry, isAbout, isFailure, ManifestWriter, type SourceState } from './manifest.js';
import { type Folders, hasResult } from './plan.js';
import { type BulkJob, finalError, openQueue, type QueueAddress, startWorker } from './queue.js';
import { failureOf, makeResult } from './work.js';

export interface QueueWork {
  /** Sources that are worked on at the same time, each by a thread. */
  readonly threads: number;
  /** Of each thread. */
  readonly limits: Limits;
  /** Seconds after which a worker that has not been heard of is taken for dead. */
  readonly lock: number;
  /** Beginnings of paths, as those who add work call them, and as they are called here. */
  readonly mounts: readonly (readonly [there: string, here: string])[];
  /** Whether to wait for more when nothing is left. */
  readonly stay: boolean;
  /** Ends the work once what is under way is done. */
  readonly stop: AbortSignal;
  /** Told of each source that was dealt with, and by which folders; of one that was verified without an entry. */
  onDone(folders: Folders, entry: Entry | undefined): Promise<void>;
  /** Told of what fails and is tried again, and of what failed for good without an entry. */
  onTrouble(message: string, isFinal: boolean): void;
}

/** Milliseconds between looks whether anything is left. */
const LOOK = 500;

/** Failures that may pass: files that cannot be read just now, a thread that was short of memory. */
const PASSING = ['file', 'internal'];

const GIVEN_UP = `it was begun ${TRIES} times, and each time its worker ended before it was done`;

/**
 * Several processes may do this at once, on any number of machines. A job may come twice, as when its worker was killed or cut off: its
 * result is the same then, is found to be there, and the manifest is looked at first.
 *
 * @throws CnfzipError as `openQueue`
 */
export async function workOnQueue(address: QueueAddress, options: QueueWork): Promise<void> {
  const { threads: concurrency, limits, lock, mounts, stop, onDone, onTrouble } = options;
  const queue = await openQueue(address);
  const threads = new Threads<BulkCall, BulkResult>(new URL('./coding-worker.js', import.meta.url), concurrency, {
    workerData: limits,
  });
  const name = `queue-${hostname().replace(/[^\w.-]/g, '_')}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const opened: ManifestWriter[] = [];
  const writerFor = once(async (folder: string) => {
    const writer = await ManifestWriter.open(folder, name);
    opened.push(writer);
    return writer;
  });

  const here = (path: string) => {
    const mount = mounts.find(([there]) => path === there || path.startsWith(`${there}/`));
    return mount ? mount[1] + path.slice(mount[0].length) : path;
  };

  const make = async (folders: Folders, state: SourceState, coding: Coding, started: number) => {
    if (started > 1 && (await isDone(folders, state))) return;
    const entry =
      started > TRIES
        ? failureOf(state, new Error(GIVEN_UP))
        : await makeResult(folders, state, async (bytes) => {
            const result = await threads.run({ kind: 'make', source: { name: state.source, bytes }, coding });
            return result!;
          });
    if (isFailure(entry) && PASSING.includes(entry.error.code) && started < TRIES) {
      throw new Error(`${state.source}: ${entry.error.message}`);
    }
    await (await writerFor(folders.to)).add(entry);
    await onDone(folders, entry);
  };

  const work = async (job: Job<BulkJob, void>) => {
    const { data, attemptsStarted: started } = job;
    const folders = { from: here(data.from), to: here(data.to) };
    if ('state' in data) {
      const { coding } = data;
      const model = coding.verb === 'compress' && coding.model !== undefined ? { model: here(coding.model) } : {};
      return make(folders, data.state, { ...coding, ...model }, started);
    }
    try {
      if (started > TRIES) throw new Error(GIVEN_UP);
      await threads.run({ kind: 'verify', entry: data.proven, folders });
    } catch (error) {
      const message = `${data.proven.target}: ${(error as Error).message}`;
      throw PASSING.includes(kindOf(error)) && started < TRIES ? new Error(message) : await finalError(message);
    }
    await onDone(folders, undefined);
  };

  const worker = await startWorker(address, work, {
    concurrency,
    lockDuration: 1000 * lock,
    stalledInterval: 1000 * lock,
    // Until a server that was away is asked again; BullMQ's own, unless those who wait are in a hurry.
    runRetryDelay: 1000 * Math.min(lock, 15),
    // How often a source is begun is counted by what does the work.
    maxStalledCount: 1000,
  });
  worker.on('error', ({ message }) => onTrouble(message, false));
  worker.on('failed', (job, { message }) => onTrouble(message, Boolean(job?.finishedOn)));
  try {
    while (!stop.aborted && (options.stay || (await somethingIsLeft())))
      await sleep(LOOK, undefined, { signal: stop }).catch(() => {});
    await worker.close();
  } finally {
    await Promise.all([threads.close(), queue.close(), ...opened.map((writer) => writer.close())]);
  }

  /** Also where others are at work: what they have may come back. A server that does not answer says nothing. */
  async function somethingIsLeft(): Promise<boolean> {
    const counts = await queue.getJobCounts('wait', 'active', 'delayed', 'prioritized').catch(() => undefined);
    return !counts || Object.values(counts).some((count) => count > 0);
  }
}

/** Whether a worker before this one came as far as the manifest. */
async function isDone(folders: Folders, state: SourceState): Promise<boolean> {
  const entry = await findEntry(folders.to, state.source);
  return entry !== undefined && !isFailure(entry) && isAbout(entry, state) && (await hasResult(folders, entry));
}
