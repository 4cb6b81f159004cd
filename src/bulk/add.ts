/** Puts work into a queue. */

import type { Coding } from './coding.js';
import { isFailure, readManifest, type SourceState } from './manifest.js';
import type { Folders } from './plan.js';
import type { BulkJob, BulkQueue } from './queue.js';
import { sha256 } from './work.js';

/** Times that a source is begun: after that it is listed as failed, so that what ends its worker does not go round for ever. */
export const TRIES = 3;

/** Milliseconds before a source is tried again. */
const PAUSE = 1000;

/** Jobs that are added by one call. */
const AT_ONCE = 1000;

/** Jobs that make the results of sources. Those that the queue has already stay as they are. */
export async function addSources(
  queue: BulkQueue,
  folders: Folders,
  coding: Coding,
  todo: readonly SourceState[],
): Promise<void> {
  await addJobs(
    queue,
    todo.map((state) => ({ ...folders, coding, state })),
  );
}

/**
 * Jobs that verify all results of a manifest, and their sources.
 *
 * @returns how many there are
 */
export async function addProofs(queue: BulkQueue, folders: Folders): Promise<number> {
  const entries = [...(await readManifest(folders.to)).values()];
  const jobs = entries.flatMap((entry) => (isFailure(entry) ? [] : [{ ...folders, proven: entry }]));
  await addJobs(queue, jobs);
  return jobs.length;
}

async function addJobs(queue: BulkQueue, jobs: readonly BulkJob[]): Promise<void> {
  for (let at = 0; at < jobs.length; at += AT_ONCE) {
    await queue.addBulk(
      jobs.slice(at, at + AT_ONCE).map((data) => ({
        name: 'proven' in data ? 'verify' : data.coding.verb,
        data,
        opts: {
          // Of all that the result depends on; no number, which BullMQ has for itself.
          jobId: `cnfzip-${sha256(new TextEncoder().encode(JSON.stringify(data)))}`,
          attempts: TRIES,
          backoff: { type: 'fixed', delay: PAUSE },
          removeOnComplete: true,
        },
      })),
    );
  }
}

/** Forgets what failed of a folder's work, so that it can be added again. */
export async function forgetFailed(queue: BulkQueue, { to }: Folders): Promise<void> {
  for (const job of await queue.getFailed()) if (job.data.to === to) await job.remove();
}
