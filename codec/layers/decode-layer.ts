/** Decodes layers: the counterpart of `encode-layer.ts`. */

import type { Coding } from '../coding.js';
import { type CodedLayer, tileMethod } from '../container/container.js';
import { CnfzipError } from '../error.js';
import type { Flow } from '../flow/model.js';
import { allocSamples } from '../image.js';
import type { Layer } from '../layer.js';
import { insertTile, tileLayout } from '../tiles.js';
import { fromIndexes, readAlphabet } from './alphabet.js';
import { decodeFlowTile, isFlowLayer } from './flow-tiles.js';
import { decodePlain } from './plain.js';
import { decodeWebp } from './webp.js';

type Shape = Omit<Layer, 'samples'>;

/**
 * @param shape of the layer
 * @param flow that the layer names, if it names one
 * @throws {CnfzipError} `corrupt`
 */
export async function decodeLayer(
  coded: CodedLayer,
  shape: Shape,
  flow: Flow | undefined,
  coding: Coding,
): Promise<Layer> {
  if (!coded.alphabet) return decodeSamples(coded, shape, flow, coding);
  const alphabet = readAlphabet(coded.alphabet, shape.maxval);
  const { samples } = await decodeSamples(coded, { ...shape, maxval: alphabet.length - 1 }, flow, coding);
  return { ...shape, samples: fromIndexes(samples, alphabet, shape.maxval) };
}

async function decodeSamples(
  { method, payloads }: CodedLayer,
  shape: Shape,
  flow: Flow | undefined,
  coding: Coding,
): Promise<Layer> {
  if (method === 'tiles') return decodeTiles(payloads, shape, flow, coding);
  await coding.turn();
  const layer = method === 'webp' ? await decodeWebp(payloads[0], shape) : decodePlain(payloads[0], shape);
  coding.advance(shape.width * shape.height);
  return layer;
}

async function decodeTiles(
  payloads: readonly Uint8Array[],
  shape: Shape,
  flow: Flow | undefined,
  coding: Coding,
): Promise<Layer> {
  const { width, height, channels, maxval } = shape;
  const coder = flow && (await coding.coder(flow));
  const layer: Layer = { ...shape, samples: allocSamples(width * height * channels, maxval) };
  await coding.forEachTile(tileLayout(width, height), coder?.concurrency ?? 1, async (tile, i) => {
    const method = tileMethod(payloads[i]);
    const payload = payloads[i].subarray(1);
    const tileShape = { ...shape, width: tile.width, height: tile.height };
    if (method === 'webp') return insertTile(layer, tile, await decodeWebp(payload, tileShape));
    if (coder && isFlowLayer(tileShape) && flow?.model.definition.channels === channels) {
      return insertTile(layer, tile, await decodeFlowTile(payload, tileShape, coder));
    }
    throw new CnfzipError('corrupt', `damaged: tile ${i + 1} needs a flow of ${channels} channels`);
  });
  return layer;
}
