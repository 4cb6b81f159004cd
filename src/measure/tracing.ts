/** A coder that codes in this thread and tells what the flow did, tile by tile. */
import type { CoderOf } from '../../codec/coding.js';
import { forwardColour } from '../../codec/flow/colour.js';
import type { Flow } from '../../codec/flow/model.js';
import { TileCodec, type Trace } from '../../codec/flow/tile-codec.js';
import type { TileShape } from '../../codec/flow/walk.js';
import { decodeFlowTile, encodeFlowTile, shapeOf } from '../../codec/layers/flow-tiles.js';
import type { Tile } from '../../codec/tiles.js';

/** A tile that the flow has coded. */
export interface TracedTile {
  readonly flow: Flow;
  /** In its layer. */
  readonly place: Tile;
  /** As `forwardColour` makes them. */
  readonly samples: Int32Array;
  readonly shape: TileShape;
  readonly trace: Trace;
  /** Bits that the samples added to the stack. */
  readonly netBits: number;
}

/**
 * @param onTile is told of each tile that the flow codes in turn, in the order of the layers and of `tileLayout`; of tiles that it is not
 *   asked for, and of samples of tiles, nothing
 */
export function tracingCoder(onTile: (tile: TracedTile) => Promise<void> | void): CoderOf {
  return async (flow) => {
    const codec = await TileCodec.create(flow);
    return {
      concurrency: 1,
      async encode(tile, place) {
        if (!place) return encodeFlowTile(tile, codec);
        const samples = forwardColour(tile.samples, tile.channels);
        const shape = shapeOf(tile);
        const trace: Trace = [];
        const encoded = codec.encode(samples, shape, trace);
        await onTile({ flow, place, samples, shape, trace, netBits: encoded.netBits });
        return encoded;
      },
      decode: async (payload, shape, level) => decodeFlowTile(payload, shape, level, codec),
    };
  };
}
