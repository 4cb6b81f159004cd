/** Codes tiles in threads. The bits do not depend on their number: tiles know nothing of each other. */
import type { CoderOf } from '../../codec/coding.js';
import type { Flow } from '../../codec/flow/model.js';
import type { EncodedTile } from '../../codec/flow/tile-codec.js';
import type { FlowLayer, FlowShape } from '../../codec/layers/flow-tiles.js';
import { Threads } from '../threads/threads.js';
import { collectGarbage } from './garbage.js';

/** A flow goes with each call: that is a millisecond at most, and a thread keeps those that it has met. */
export type TileCall = { readonly flow: Flow } & (
  | { readonly kind: 'encode'; readonly tile: FlowLayer }
  | { readonly kind: 'decode'; readonly payload: Uint8Array; readonly shape: FlowShape; readonly level: number }
);

type Samples = FlowLayer['samples'];

export type TileResult = EncodedTile | Samples;

/** After samples of so many bytes garbage is collected. */
const TIDIED = 1 << 22;

export class TileThreads extends Threads<TileCall, TileResult> {
  /**
   * Memory for what they are given, tile after tile: what a thread has seen, it holds until it looks for garbage, which it does next to
   * never.
   */
  readonly rooms: SharedArrayBuffer[] = [];

  /** @param most threads, at least 1 */
  constructor(most: number) {
    super(new URL('./tile-worker.js', import.meta.url), most);
  }

  override async close(reason?: unknown): Promise<void> {
    this.rooms.length = 0;
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
    const { copy, room } = sharedCopy(given, threads.rooms.pop());
    try {
      return await threads.run(call(copy), { signal });
    } finally {
      threads.rooms.push(room);
    }
  };
  let coded = 0;
  // In this thread, too, there are a tile's samples, its WebP, and copies of them, which nobody wants any more a few tiles later.
  const tidy = ({ byteLength }: Samples) => {
    coded += byteLength;
    if (coded < TIDIED) return;
    coded = 0;
    collectGarbage();
  };
  return async (flow) => ({
    concurrency,
    allocate: (count, maxval) => {
      const bytes = new SharedArrayBuffer(count * (maxval > 255 ? 2 : 1));
      return maxval > 255 ? new Uint16Array(bytes) : new Uint8Array(bytes);
    },
    async encode(tile) {
      const result = await run(tile.samples, (samples) => ({ kind: 'encode', flow, tile: { ...tile, samples } }));
      tidy(tile.samples);
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
      tidy(samples);
      return samples;
    },
  });
}

/** Copies bytes or samples where all threads see them, into a room if it is large enough. */
function sharedCopy<T extends Samples>(given: T, room?: SharedArrayBuffer): { copy: T; room: SharedArrayBuffer } {
  const { byteLength, length } = given;
  const own = room && room.byteLength >= byteLength ? room : new SharedArrayBuffer(byteLength);
  const copy = given instanceof Uint16Array ? new Uint16Array(own, 0, length) : new Uint8Array(own, 0, length);
  copy.set(given);
  return { copy: copy as T, room: own };
}
