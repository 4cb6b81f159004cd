/** A tile of a layer by the flow: colour, and the range that the samples' largest value needs. */
import { inverseColour, putColour } from '../flow/colour.js';
import type { EncodedTile, TileCodec } from '../flow/tile-codec.js';
import type { TileShape } from '../flow/walk.js';
import type { Layer } from '../layer.js';

/** A layer that a model can code: gray or colour. */
export type FlowLayer = Layer & { readonly channels: 1 | 3 };
/** All of it but its samples. */
export type FlowShape = Omit<FlowLayer, 'samples'>;

/** Flows code samples of at least so many bits. */
const LEAST_DEPTH = 8;

export function encodeFlowTile(tile: FlowLayer, codec: TileCodec): EncodedTile {
  return codec.encode((place) => putColour(tile.samples, tile.channels, place), shapeOf(tile));
}

/** Samples of a tile at 1/2^level. */
export function decodeFlowTile(
  payload: Uint8Array,
  shape: FlowShape,
  level: number,
  codec: TileCodec,
): FlowLayer['samples'] {
  const { channels, maxval } = shape;
  return codec.decodeTo(payload, shapeOf(shape), level, (coordinates) => inverseColour(coordinates, channels, maxval));
}

export function isFlowLayer<T extends Omit<Layer, 'samples'>>(layer: T): layer is T & { channels: 1 | 3 } {
  return layer.channels === 1 || layer.channels === 3;
}

export function shapeOf({ width, height, maxval }: Omit<Layer, 'samples'>): TileShape {
  return { width, height, depth: Math.max(LEAST_DEPTH, 32 - Math.clz32(maxval)) };
}
