/** Codes tiles in worker threads. The bits do not depend on their number: tiles know nothing of each other. */
import type { Worker } from 'node:worker_threads';
import type { TileCoder } from '../codec/coding.js';
import type { Flow } from '../codec/flow/model.js';
import type { EncodedTile } from '../codec/flow/tile-codec.js';
import type { TileShape } from '../codec/flow/walk.js';
import { type Failure, toError } from './failure.js';
import { startThread } from './thread.js';

type Work =
  | { kind: 'encode'; samples: Int32Array; shape: TileShape }
  | { kind: 'decode'; payload: Uint8Array; shape: TileShape; level: number };

export type TileTask = Work & { id: number };

export type TileReply =
  | { id: number; result: EncodedTile | Int32Array; failure?: undefined }
  | { id: number; failure: Failure };

interface Waiting {
  resolve(result: EncodedTile | Int32Array): void;
  reject(error: Error): void;
}

class PoolWorker {
  readonly waiting = new Map<number, Waiting>();
  private readonly worker: Worker;
  private broken?: Error;

  constructor(flow: Flow) {
    this.worker = startThread(new URL('./tile-worker.js', import.meta.url), { workerData: flow });
    this.worker.on('message', (reply: TileReply) => this.settle(reply));
    this.worker.on('error', (error) => this.fail(error));
    this.worker.on('exit', () => this.fail(new Error('a worker thread ended too early')));
  }

  run(task: TileTask, transfer: ArrayBuffer): Promise<EncodedTile | Int32Array> {
    if (this.broken) return Promise.reject(this.broken);
    return new Promise((resolve, reject) => {
      this.waiting.set(task.id, { resolve, reject });
      this.worker.postMessage(task, [transfer]);
    });
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private settle(reply: TileReply): void {
    const waiting = this.waiting.get(reply.id)!;
    this.waiting.delete(reply.id);
    if (reply.failure) waiting.reject(toError(reply.failure));
    else waiting.resolve(reply.result);
  }

  private fail(error: Error): void {
    this.broken ??= error;
    for (const { reject } of this.waiting.values()) reject(this.broken);
    this.waiting.clear();
  }
}

/** A `TileCoder` of several threads, to be closed after use. */
export class WorkerPool implements TileCoder {
  readonly concurrency: number;
  private readonly workers: PoolWorker[];
  private tasks = 0;

  /** @param threads at least 1 */
  constructor(flow: Flow, threads: number) {
    this.concurrency = threads;
    this.workers = Array.from({ length: threads }, () => new PoolWorker(flow));
  }

  async encode(samples: Int32Array, shape: TileShape): Promise<EncodedTile> {
    return (await this.run({ kind: 'encode', samples: samples.slice(), shape })) as EncodedTile;
  }

  async decode(payload: Uint8Array, shape: TileShape, level: number): Promise<Int32Array> {
    // A copy that owns its memory: `slice` of a Buffer would be a view of the whole file.
    return (await this.run({ kind: 'decode', payload: new Uint8Array(payload), shape, level })) as Int32Array;
  }

  /** Ends the threads; work under way fails. */
  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
  }

  private run(work: Work): Promise<EncodedTile | Int32Array> {
    const idlest = this.workers.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a));
    const { buffer } = work.kind === 'encode' ? work.samples : work.payload;
    return idlest.run({ ...work, id: this.tasks++ }, buffer as ArrayBuffer);
  }
}
