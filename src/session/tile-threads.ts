/** Codes tiles in threads. The bits do not depend on their number: tiles know nothing of each other. */
import type { CoderOf } from '../../codec/coding.js';
import type { Flow } from '../../codec/flow/model.js';
import type { EncodedTile } from '../../codec/flow/tile-codec.js';
import type { FlowLayer, FlowShape } from '../../codec/layers/flow-tiles.js';
import { Threads } from '../threads/threads.js';

/** A flow goes with each call: that is a millisecond at most, and a thread keeps those that it has met. */
export type TileCall = { readonly flow: Flow } & (
  | { readonly kind: 'encode'; readonly tile: FlowLayer }
  | { readonly kind: 'decode'; readonly payload: Uint8Array; readonly shape: FlowShape; readonly level: number }
);

export type TileResult = EncodedTile | FlowLayer['samples'];

export type TileThreads = Threads<TileCall, TileResult>;

/** @param most threads, at least 1 */
export function tileThreads(most: number): TileThreads {
  return new Threads(new URL('./tile-worker.js', import.meta.url), most);
}

/**
 * Coders of tiles by these threads.
 *
 * @param concurrency threads that one image takes at once
 * @param signal ends those that its tiles are coded in
 */
export function codersIn(threads: TileThreads, concurrency: number, signal?: AbortSignal): CoderOf {
  // Copies of tiles, one after the other: what is given away would stay in a thread until it is looked for.
  const rooms: SharedArrayBuffer[] = [];
  return async (flow) => ({
    concurrency,
    async encode(tile) {
      const { samples, room } = sharedCopy(tile.samples, rooms.pop());
      const call: TileCall = { kind: 'encode', flow, tile: { ...tile, samples } };
      try {
        return (await threads.run(call, { signal })) as EncodedTile;
      } finally {
        rooms.push(room);
      }
    },
    async decode(payload, shape, level) {
      // A copy that owns its memory: `slice` of a Buffer would be a view of the whole file.
      const copy = new Uint8Array(payload);
      const call: TileCall = { kind: 'decode', flow, shape, payload: copy, level };
      return (await threads.run(call, { transfer: [copy.buffer], signal })) as FlowLayer['samples'];
    },
  });
}

/** Copies samples where all threads see them, into a room if it is large enough. */
function sharedCopy(
  samples: FlowLayer['samples'],
  room?: SharedArrayBuffer,
): { samples: FlowLayer['samples']; room: SharedArrayBuffer } {
  const { byteLength, length } = samples;
  const own = room && room.byteLength >= byteLength ? room : new SharedArrayBuffer(byteLength);
  const copy = samples instanceof Uint16Array ? new Uint16Array(own, 0, length) : new Uint8Array(own, 0, length);
  copy.set(samples);
  return { samples: copy, room: own };
}
