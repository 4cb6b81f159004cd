import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * A thread of one of this folder's modules. It has none of the process's own flags: they are for its main module, and of some
 * (`--input-type`) a thread dies.
 */
export function startThread(module: string, options: WorkerOptions): Worker {
  return new Worker(new URL(module, import.meta.url), { execArgv: [], ...options });
}
