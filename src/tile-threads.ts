/** Codes tiles in threads. The bits do not depend on their number: tiles know nothing of each other. */
import type { CoderOf } from '../codec/coding.js';
import type { Flow } from '../codec/flow/model.js';
import type { EncodedTile } from '../codec/flow/tile-codec.js';
import type { FlowLayer, FlowShape } from '../codec/layers/flow-tiles.js';
import { Threads } from './threads.js';

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
  return async (flow) => ({
    concurrency,
    async encode(tile) {
      const samples = tile.samples.slice();
      const call: TileCall = { kind: 'encode', flow, tile: { ...tile, samples } };
      return (await threads.run(call, { transfer: [samples.buffer], signal })) as EncodedTile;
    },
    async decode(payload, shape, level) {
      // A copy that owns its memory: `slice` of a Buffer would be a view of the whole file.
      const copy = new Uint8Array(payload);
      const call: TileCall = { kind: 'decode', flow, shape, payload: copy, level };
      return (await threads.run(call, { transfer: [copy.buffer], signal })) as FlowLayer['samples'];
    },
  });
}
