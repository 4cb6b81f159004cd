/** Workers that make one call at a time, kept for the next one when they are done. */
import { CnfzipError } from '../../codec/error.js';
import { toError } from '../threads/failure.js';
import type { Call, Progress, Report, Results } from './calls.js';

/** Idle workers that are kept. */
const KEPT = 4;

const idle: Worker[] = [];

const MAX_THREADS = 8;

/**
 * Threads that are asked for, or as many as are worth having.
 *
 * @throws CnfzipError `usage`
 */
export function threadsOf(asked: number | undefined): number {
  if (asked === undefined) return Math.min(Math.max(navigator.hardwareConcurrency || 2, 1), MAX_THREADS);
  if (Number.isInteger(asked) && asked >= 1 && asked <= MAX_THREADS) return asked;
  throw new CnfzipError('usage', `option threads must be an integer from 1 to ${MAX_THREADS}: ${asked}`);
}

/**
 * Makes a call in a worker of the pool.
 *
 * @param options.signal ends the worker at once, whatever it does; the promise is rejected with its reason
 */
export async function inPool<T extends Call>(
  call: T,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: Progress } = {},
): Promise<Results[T['kind']]> {
  signal?.throwIfAborted();
  const worker = idle.pop() ?? startWorker();
  let stop: (() => void) | undefined;
  try {
    const result = await Promise.race([
      request(worker, call, onProgress),
      new Promise<never>((_, reject) => {
        stop = () => reject(signal!.reason);
        signal?.addEventListener('abort', stop);
      }),
    ]);
    if (idle.length < KEPT) idle.push(worker);
    else worker.terminate();
    return result;
  } catch (error) {
    worker.terminate();
    throw error;
  } finally {
    if (stop) signal?.removeEventListener('abort', stop);
  }
}

export function startWorker(): Worker {
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
}

/** Makes a call in a worker that does nothing else meanwhile. */
export function request<T extends Call>(
  worker: Worker,
  call: T,
  onProgress?: Progress,
  transfer: Transferable[] = [],
): Promise<Results[T['kind']]> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Report>) => {
      if ('result' in data) resolve(data.result as Results[T['kind']]);
      else if ('failure' in data) reject(toError(data.failure));
      else {
        try {
          onProgress?.(data.progress);
        } catch (error) {
          reject(error);
        }
      }
    };
    worker.onerror = (event) => reject(new Error(`a worker failed: ${event.message || 'its module cannot be loaded'}`));
    worker.postMessage(call, transfer);
  });
}
