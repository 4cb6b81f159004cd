/** The codec's own kernels as a training engine: data-parallel over worker threads, gradients added in a fixed order. */

import type { Worker } from 'node:worker_threads';
import type { Pace } from '../../codec/flow/model.js';
import { type ModelDefinition, modelParameters } from '../../models/definition.js';
import { startThread } from '../threads/thread.js';
import type { Crop } from './dataset.js';
import type { Engine, Evaluation } from './engine.js';

export interface KernelWorkerData {
  readonly definition: ModelDefinition;
  /** Of a flow that goes on learning in every crop. */
  readonly pace: Pace | undefined;
  /** Shared: written by the engine before a task, read by the worker. */
  readonly weights: Float32Array;
  /** Shared: written by the worker before its answer. */
  readonly gradient: Float32Array;
}

export interface KernelTask {
  readonly crops: readonly Crop[];
  readonly gradient: boolean;
}

export class KernelEngine implements Engine {
  readonly name: string;
  readonly #weights: Float32Array;
  readonly #gradients: Float32Array[];
  readonly #workers: Worker[];
  /** Rejects when a worker fails or ends. */
  readonly #broken: Promise<never>;

  constructor(definition: ModelDefinition, pace: Pace | undefined, threads: number) {
    this.name = `kernels on ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    const { count } = modelParameters(definition);
    const shared = () => new Float32Array(new SharedArrayBuffer(4 * count));
    this.#weights = shared();
    this.#gradients = Array.from({ length: threads }, shared);
    this.#workers = this.#gradients.map((gradient) => {
      const workerData: KernelWorkerData = { definition, pace, weights: this.#weights, gradient };
      return startThread(new URL('./kernel-worker.js', import.meta.url), { workerData });
    });
    this.#broken = new Promise((_, reject) => {
      for (const worker of this.#workers) {
        worker.on('error', reject);
        worker.on('exit', () => reject(new Error('a training thread ended too early')));
      }
    });
    // Reported by the evaluation that meets it.
    this.#broken.catch(() => {});
  }

  async evaluate(weights: Float32Array, crops: readonly Crop[], gradient: boolean): Promise<Evaluation> {
    this.#weights.set(weights);
    const threads = this.#workers.length;
    const sums = await Promise.all(
      this.#workers.map((worker, t) => {
        const own = crops.filter((_, i) => i % threads === t);
        return Promise.race([ask(worker, { crops: own, gradient }), this.#broken]);
      }),
    );
    const [total, ...others] = this.#gradients;
    for (const other of others) for (let i = 0; i < total.length; i++) total[i] += other[i];
    return { nats: sums.reduce((a, b) => a + b, 0), gradient: total };
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

/** Sends a task; the answer is its loss in nats. */
function ask(worker: Worker, task: KernelTask): Promise<number> {
  return new Promise((resolve) => {
    worker.once('message', resolve);
    worker.postMessage(task);
  });
}
