/** Codes the tiles of an image in workers that a worker starts: the bits do not depend on their number. */
import type { TileCoder } from '../../codec/coding.js';
import type { Flow } from '../../codec/flow/model.js';
import type { FlowLayer, FlowShape } from '../../codec/layers/flow-tiles.js';
import type { Call, Results } from './calls.js';
import { request, startWorker } from './workers.js';

type TileCall = Extract<Call, { kind: 'encode tile' | 'decode tile' }>;

/** A `TileCoder` of several workers, to be closed after use. */
export class TileWorkers implements TileCoder {
  readonly #all: Worker[] = [];
  readonly #idle: Worker[] = [];

  private constructor(readonly concurrency: number) {}

  static async create(flow: Flow, count: number): Promise<TileWorkers> {
    const workers = new TileWorkers(count);
    for (let i = 0; i < count; i++) workers.#all.push(startWorker());
    await Promise.all(workers.#all.map((worker) => request(worker, { kind: 'flow', flow })));
    workers.#idle.push(...workers.#all);
    return workers;
  }

  encode(tile: FlowLayer): Promise<Results['encode tile']> {
    const samples = tile.samples.slice();
    return this.#run({ kind: 'encode tile', tile: { ...tile, samples } }, samples.buffer);
  }

  decode(payload: Uint8Array, shape: FlowShape, level: number): Promise<Results['decode tile']> {
    const copy = new Uint8Array(payload);
    return this.#run({ kind: 'decode tile', payload: copy, shape, level }, copy.buffer);
  }

  close(): void {
    for (const worker of this.#all) worker.terminate();
  }

  /** No more than `concurrency` calls are under way at once, so there is an idle worker. */
  async #run<T extends TileCall>(call: T, given: ArrayBuffer): Promise<Results[T['kind']]> {
    const worker = this.#idle.pop()!;
    try {
      return await request(worker, call, undefined, [given]);
    } finally {
      this.#idle.push(worker);
    }
  }
}
