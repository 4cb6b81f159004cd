/** Runs work on images within limits, and on as many threads as are asked for and worth while. */
import { availableParallelism } from 'node:os';
import type { CodingOptions } from '../codec/coding.js';
import type { Flow } from '../codec/flow/model.js';
import { checkLimits, type ImageSize, planWithin, type Work } from './memory.js';
import { MAX_THREADS, type Options } from './options.js';
import { WorkerPool } from './pool.js';

/**
 * @param options.tiles that there are to code
 * @param options.signal ends the threads at once; with it no tile of a flow is coded in this one
 * @throws CnfzipError `unsupported` if the image is beyond the limits; the signal's reason
 */
export async function withThreads<T>(
  size: ImageSize,
  work: Work,
  options: Options & { readonly tiles: number },
  run: (coding: CodingOptions) => Promise<T>,
): Promise<T> {
  checkLimits(size, options, work);
  const { threads: asked = availableParallelism(), maxMemory, onProgress, signal, tiles } = options;
  signal?.throwIfAborted();
  const { threads, wholeWebp } = planWithin(maxMemory, size, work, Math.min(asked, tiles, MAX_THREADS));
  const coding: CodingOptions = { onProgress, signal, wholeWebp };
  if (threads === 1 && !signal) return run(coding);
  const pools: WorkerPool[] = [];
  const coderOf = async (flow: Flow) => {
    const pool = new WorkerPool(flow, threads);
    pools.push(pool);
    return pool;
  };
  const stopped = new AbortController();
  try {
    return await Promise.race([run({ ...coding, coderOf }), ...(signal ? [aborted(signal, stopped.signal)] : [])]);
  } finally {
    stopped.abort();
    await Promise.all(pools.map((pool) => pool.close()));
  }
}

/** Is rejected when the signal comes; no longer listens after `until`. */
function aborted(signal: AbortSignal, until: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { signal: until });
  });
}
