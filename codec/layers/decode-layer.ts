/** Decodes layers, or what a view shows of them: the counterpart of `encode-layer.ts`. */

import type { Coding, TileCoder } from '../coding.js';
import { concatenate } from '../container/bytes.js';
import type { CodedLayer, CodedTile } from '../container/container.js';
import { stagesFor } from '../container/contents.js';
import { CnfzipError } from '../error.js';
import type { Flow } from '../flow/model.js';
import { sideAt } from '../flow/pyramid.js';
import { allocSamples } from '../image.js';
import type { Layer } from '../layer.js';
import { insertShown, shownSize, type View, wantedTiles } from '../view.js';
import { fromIndexes, readAlphabet } from './alphabet.js';
import { isFlowLayer } from './flow-tiles.js';
import { decodePlain } from './plain.js';
import { decodeWebp } from './webp.js';

type Shape = Omit<Layer, 'samples'>;

/**
 * @param shape of the whole layer
 * @param flow that the layer names, if it names one
 * @returns what the view shows
 * @throws {CnfzipError} `corrupt`
 */
export async function decodeLayer(
  coded: CodedLayer,
  shape: Shape,
  view: View,
  flow: Flow | undefined,
  coding: Coding,
): Promise<Layer> {
  if (!coded.alphabet) return decodeTiles(coded, shape, view, flow, coding);
  const alphabet = readAlphabet(coded.alphabet, shape.maxval);
  const indexes = await decodeTiles(coded, { ...shape, maxval: alphabet.length - 1 }, view, flow, coding);
  return { ...indexes, maxval: shape.maxval, samples: fromIndexes(indexes.samples, alphabet, shape.maxval) };
}

async function decodeTiles(
  coded: CodedLayer,
  shape: Shape,
  view: View,
  flow: Flow | undefined,
  coding: Coding,
): Promise<Layer> {
  const coder = flow && (await coding.coder(flow));
  const wanted = wantedTiles(coded, shape, view);
  const size = shownSize(view);
  const { allocate = allocSamples } = coding.options;
  let shown: Layer | undefined;
  await coding.forEachTile(wanted, coder?.concurrency ?? 1, async (tile) => {
    const part = await decodeTile(
      coded.tiles[tile.index],
      { ...shape, width: tile.width, height: tile.height },
      tile.level,
      flow,
      coder,
    );
    // A tile of which all is shown need not be copied.
    if (wanted.length === 1 && part.layer.samples.length === size.width * size.height * shape.channels) {
      shown = part.layer;
      return;
    }
    shown ??= { ...shape, ...size, samples: allocate(size.width * size.height * shape.channels, shape.maxval) };
    insertShown(shown, view, part.layer, tile, part.level);
  });
  return shown!;
}

/** Decodes a tile at a level of its pyramid; where its method knows none, at level 0. */
async function decodeTile(
  coded: CodedTile,
  shape: Shape,
  level: number,
  flow: Flow | undefined,
  coder: TileCoder | undefined,
): Promise<{ layer: Layer; level: number }> {
  const payload = concatenate(stagesFor(coded, level));
  if (coded.method === 'webp') return { layer: await decodeWebp(payload, shape), level: 0 };
  if (coded.method === 'plain') return { layer: decodePlain(payload, shape), level: 0 };
  if (coder && isFlowLayer(shape) && flow?.model.definition.channels === shape.channels) {
    const size = { width: sideAt(shape.width, level), height: sideAt(shape.height, level) };
    return { layer: { ...shape, ...size, samples: await coder.decode(payload, shape, level) }, level };
  }
  throw new CnfzipError('corrupt', `damaged: a tile needs a flow of ${shape.channels} channels`);
}
