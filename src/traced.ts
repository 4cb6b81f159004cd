/** Compresses an image under observation: what the flow's coder did, tile by tile. */

import type { TileCoder } from '../codec/coding.js';
import { CnfzipError } from '../codec/error.js';
import type { Flow, Model } from '../codec/flow/model.js';
import { TileCodec, type Trace } from '../codec/flow/tile-codec.js';
import type { TileShape } from '../codec/flow/walk.js';
import type { Image } from '../codec/image.js';
import { encodeImage, info } from './codec.js';

/** A tile that the flow has coded. */
export interface TracedTile {
  readonly flow: Flow;
  /** As for `TileCodec.encode`. */
  readonly samples: Int32Array;
  readonly shape: TileShape;
  readonly trace: Trace;
  /** Bits that the samples added to the stack. */
  readonly netBits: number;
}

/** Bytes of the file, which was decoded again and compared, and of its tiles' payloads. */
export interface TracedFile {
  readonly bytes: number;
  readonly payloads: number;
  readonly tiles: number;
}

/**
 * @param models as for `encodeImage`
 * @param adapt as for `encodeImage`
 * @param onTile is told of each tile in turn, in the order of the layers and of `tileLayout`
 * @throws {CnfzipError} `unsupported` if the image is not coded by the flow alone, `corrupt` if it does not come back exactly
 */
export async function encodeTraced(
  image: Image,
  models: readonly Model[],
  adapt: boolean,
  onTile: (tile: TracedTile) => Promise<void> | void,
): Promise<TracedFile> {
  const coderOf = async (flow: Flow): Promise<TileCoder> => {
    const codec = await TileCodec.create(flow);
    return {
      concurrency: 1,
      async encode(samples, shape) {
        const trace: Trace = [];
        const encoded = codec.encode(samples, shape, trace);
        await onTile({ flow, samples, shape, trace, netBits: encoded.netBits });
        return encoded;
      },
      decode: async (payload, shape, level) => codec.decode(payload, shape, level),
    };
  };
  const bytes = await encodeImage(image, models, { coderOf, adapt });
  const { layers } = info(bytes);
  const tiles = layers.flatMap((layer) => layer.tiles);
  if (layers.some(({ method }) => method !== 'tiles') || tiles.some(({ method }) => method !== 'flow')) {
    throw new CnfzipError(
      'unsupported',
      'is smaller coded by other means than the flow, whose likelihood says nothing of it',
    );
  }
  return { bytes: bytes.length, payloads: tiles.reduce((sum, tile) => sum + tile.bytes, 0), tiles: tiles.length };
}
