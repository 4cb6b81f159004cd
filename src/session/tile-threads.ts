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
  // Copies of tiles and payloads, one after the other: what is given away would stay in a thread until it is looked for.
  const rooms: SharedArrayBuffer[] = [];
  return async (flow) => ({
    concurrency,
    async encode(tile) {
      const { copy, room } = sharedCopy(tile.samples, rooms.pop());
      const call: TileCall = { kind: 'encode', flow, tile: { ...tile, samples: copy } };
      try {
        return (await threads.run(call, { signal })) as EncodedTile;
      } finally {
        rooms.push(room);
      }
    },
    async decode(payload, shape, level) {
      const { copy, room } = sharedCopy(payload, rooms.pop());
      const call: TileCall = { kind: 'decode', flow, shape, payload: copy, level };
      try {
        return (await threads.run(call, { signal })) as FlowLayer['samples'];
      } finally {
        rooms.push(room);
      }
    },
  });
}

/** Copies bytes or samples where all threads see them, into a room if it is large enough. */
function sharedCopy<T extends Uint8Array | Uint16Array>(
  given: T,
  room?: SharedArrayBuffer,
): { copy: T; room: SharedArrayBuffer } {
  const { byteLength, length } = given;
  const own = room && room.byteLength >= byteLength ? room : new SharedArrayBuffer(byteLength);
  const copy = given instanceof Uint16Array ? new Uint16Array(own, 0, length) : new Uint8Array(own, 0, length);
  copy.set(given);
  return { copy: copy as T, room: own };
}
