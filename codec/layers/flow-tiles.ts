/** A tile of a layer by the flow: colour, and the range that the samples' largest value needs. */
import type { TileCoder } from '../coding.js';
import { forwardColour, inverseColour } from '../flow/colour.js';
import type { TileShape } from '../flow/walk.js';
import type { Layer } from '../layer.js';

/** A layer that a model can code: gray or colour. */
export type FlowLayer = Layer & { readonly channels: 1 | 3 };

/** Flows code samples of at least so many bits. */
const LEAST_DEPTH = 8;

export async function encodeFlowTile(tile: FlowLayer, coder: TileCoder): Promise<Uint8Array> {
  return (await coder.encode(forwardColour(tile.samples, tile.channels), shapeOf(tile))).payload;
}

export async function decodeFlowTile(
  payload: Uint8Array,
  shape: Omit<FlowLayer, 'samples'>,
  coder: TileCoder,
): Promise<FlowLayer> {
  const coordinates = await coder.decode(payload, shapeOf(shape));
  return { ...shape, samples: inverseColour(coordinates, shape.channels, shape.maxval) };
}

export function isFlowLayer<T extends Omit<Layer, 'samples'>>(layer: T): layer is T & { channels: 1 | 3 } {
  return layer.channels === 1 || layer.channels === 3;
}

function shapeOf({ width, height, maxval }: Omit<Layer, 'samples'>): TileShape {
  return { width, height, depth: Math.max(LEAST_DEPTH, 32 - Math.clz32(maxval)) };
}
