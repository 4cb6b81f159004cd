/** A tile of a layer by the flow: colour, and the range that the samples' largest value needs. */
import type { TileCoder } from '../coding.js';
import { forwardColour, inverseColour } from '../flow/colour.js';
import { sideAt } from '../flow/pyramid.js';
import type { EncodedTile } from '../flow/tile-codec.js';
import type { TileShape } from '../flow/walk.js';
import type { Layer } from '../layer.js';

/** A layer that a model can code: gray or colour. */
export type FlowLayer = Layer & { readonly channels: 1 | 3 };

/** Flows code samples of at least so many bits. */
const LEAST_DEPTH = 8;

export function encodeFlowTile(tile: FlowLayer, coder: TileCoder): Promise<EncodedTile> {
  return coder.encode(forwardColour(tile.samples, tile.channels), shapeOf(tile));
}

/** Decodes a tile at 1/2^level. */
export async function decodeFlowTile(
  payload: Uint8Array,
  shape: Omit<FlowLayer, 'samples'>,
  level: number,
  coder: TileCoder,
): Promise<FlowLayer> {
  const { width, height, channels, maxval } = shape;
  const coordinates = await coder.decode(payload, shapeOf(shape), level);
  const size = { width: sideAt(width, level), height: sideAt(height, level) };
  return { ...shape, ...size, samples: inverseColour(coordinates, channels, maxval) };
}

export function isFlowLayer<T extends Omit<Layer, 'samples'>>(layer: T): layer is T & { channels: 1 | 3 } {
  return layer.channels === 1 || layer.channels === 3;
}

function shapeOf({ width, height, maxval }: Omit<Layer, 'samples'>): TileShape {
  return { width, height, depth: Math.max(LEAST_DEPTH, 32 - Math.clz32(maxval)) };
}
