/** The queue that many workers share: BullMQ's, in Redis or in PostgreSQL. */

import type { BackendFactory, IQueueBackend, JobProgress, Processor, Queue, Worker, WorkerOptions } from 'bullmq';
import { CnfzipError } from '../../codec/error.js';
import { requirePackages } from '../package/packages.js';
import type { Coding } from './coding.js';
import type { SourceState, Success } from './manifest.js';
import type { Folders } from './plan.js';

/** Where a queue is. */
export interface QueueAddress {
  /** `redis://host:6379`, `rediss://...`, `postgres://user@host/database`. */
  readonly url: string;
  /** Its name among others there. */
  readonly name: string;
}

/** One source's work: to make its result, or to verify the one that the manifest has. */
export type BulkJob = Folders &
  ({ readonly coding: Coding; readonly state: SourceState } | { readonly proven: Success });

export type BulkQueue = Queue<BulkJob, void, string, BulkJob, void, string, IQueueBackend, unknown>;
export type BulkQueueWorker = Worker<BulkJob, void, string, IQueueBackend, JobProgress, unknown>;

/** Milliseconds until a server that does not answer is given up, before anything is done. */
const PATIENCE = 10_000;

const BACK_ENDS: Record<string, { readonly title: string; readonly driver: string }> = {
  redis: { title: 'a queue in Redis', driver: 'ioredis' },
  postgres: { title: 'a queue in PostgreSQL', driver: 'pg' },
};

const SCHEMES: Record<string, string> = {
  'redis:': 'redis',
  'rediss:': 'redis',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
};

/**
 * Opens a queue, once its server has answered.
 *
 * @throws CnfzipError `usage` (the address), `unsupported` (a package that is not installed), `file` (no answer)
 */
export async function openQueue(address: QueueAddress): Promise<BulkQueue> {
  const { Queue, connection } = await engine(address);
  const queue: BulkQueue = new Queue<BulkJob, void>(address.name, { connection });
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<unknown>((resolve, reject) => {
      // A first failure may be the server's start: the driver tries again.
      let why = 'no answer';
      queue.on('error', (error) => {
        why = error.message || String((error as NodeJS.ErrnoException).code);
      });
      timer = setTimeout(() => reject(new CnfzipError('file', `the queue's server does not answer: ${why}`)), PATIENCE);
      queue.waitUntilReady().then(resolve, reject);
    });
    return queue;
  } catch (error) {
    void queue.close().catch(() => {});
    throw error instanceof CnfzipError ? error : new CnfzipError('file', `the queue: ${(error as Error).message}`);
  } finally {
    clearTimeout(timer);
  }
}

/** Takes jobs from a queue and does them, from now on. */
export async function startWorker(
  address: QueueAddress,
  work: Processor<BulkJob, void>,
  options: Omit<WorkerOptions, 'connection'>,
): Promise<BulkQueueWorker> {
  const { Worker, connection } = await engine(address);
  return new Worker<BulkJob, void>(address.name, work, { ...options, connection });
}

/** An error after which a job is not tried again. */
export async function finalError(message: string): Promise<Error> {
  const { UnrecoverableError } = await import('bullmq');
  return new UnrecoverableError(message);
}

async function engine({ url }: QueueAddress) {
  const kind = SCHEMES[URL.canParse(url) ? new URL(url).protocol : ''];
  if (!kind) throw new CnfzipError('usage', 'a queue is named by redis://HOST:PORT or postgres://USER@HOST/DATABASE');
  const { title, driver } = BACK_ENDS[kind];
  await requirePackages(title, ['bullmq', driver]);
  const { createPostgresBackend, createRedisBackend, withBackend } = await import('bullmq');
  const factory = kind === 'redis' ? createRedisBackend : createPostgresBackend;
  const connection = kind === 'redis' ? { url } : { connectionString: url, migrate: true };
  return { ...withBackend(factory as BackendFactory<IQueueBackend, unknown>), connection };
}
