import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * A thread that runs a module. It has none of the process's own flags: they are for its main module, and of some
 * (`--input-type`) a thread dies.
 */
export function startThread(module: URL, options: WorkerOptions): Worker {
  return new Worker(module, { execArgv: [], ...options });
}
