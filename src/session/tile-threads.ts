/** Codes tiles in threads. The bits do not depend on their number: tiles know nothing of each other. */
import type { CoderOf } from '../../codec/coding.js';
import type { Flow } from '../../codec/flow/model.js';
import type { EncodedTile } from '../../codec/flow/tile-codec.js';
import type { FlowLayer, FlowShape } from '../../codec/layers/flow-tiles.js';
import { Rooms, samplesIn } from '../../codec/rooms.js';
import { Threads } from '../threads/threads.js';
import { Tidying } from './garbage.js';

/** A flow goes with each call: that is a millisecond at most, and a thread keeps those that it has met. */
export type TileCall = { readonly flow: Flow } & (
  | { readonly kind: 'encode'; readonly tile: FlowLayer }
  | { readonly kind: 'decode'; readonly payload: Uint8Array; readonly shape: FlowShape; readonly level: number }
);

type Samples = FlowLayer['samples'];

export type TileResult = EncodedTile | Samples;

export class TileThreads extends Threads<TileCall, TileResult> {
  /** For what they are given: what a thread has seen, it holds until it looks for garbage, which it does next to never. */
  readonly rooms = new Rooms((bytes) => new SharedArrayBuffer(bytes));

  /** @param most threads, at least 1 */
  constructor(most: number) {
    // Of JavaScript's objects a thread makes few, but V8 would give them 32 MB more in time.
    super(new URL('./tile-worker.js', import.meta.url), most, { resourceLimits: { maxYoungGenerationSizeMb: 6 } });
  }

  override async close(reason?: unknown): Promise<void> {
    this.rooms.clear();
    await super.close(reason);
  }
}

/**
 * Coders of tiles by these threads.
 *
 * @param concurrency threads that one image takes at once
 * @param signal ends those that its tiles are coded in
 */
export function codersIn(threads: TileThreads, concurrency: number, signal?: AbortSignal): CoderOf {
  const run = async <Given extends Samples>(given: Given, call: (copy: Given) => TileCall): Promise<TileResult> => {
    if (given.buffer instanceof SharedArrayBuffer) return threads.run(call(given), { signal });
    const room = threads.rooms.take(given.byteLength);
    const copy = samplesIn(room, given.length, given);
    copy.set(given);
    try {
      return await threads.run(call(copy as Given), { signal });
    } finally {
      threads.rooms.give(room);
    }
  };
  // In this thread, too, there are a tile's samples, its WebP, and copies of them, which nobody wants any more a few tiles later.
  const tidying = new Tidying();
  return async (flow) => ({
    concurrency,
    rooms: threads.rooms,
    async encode(tile) {
      const result = await run(tile.samples, (samples) => ({ kind: 'encode', flow, tile: { ...tile, samples } }));
      tidying.done(tile.samples.byteLength);
      return result as EncodedTile;
    },
    async decode(payload, shape, level) {
      const samples = (await run(payload, (copy) => ({
        kind: 'decode',
        flow,
        shape,
        payload: copy,
        level,
      }))) as Samples;
      tidying.done(samples.byteLength);
      return samples;
    },
  });
}
