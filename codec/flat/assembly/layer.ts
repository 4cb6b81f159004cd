// Decoding a layer: its tiles, of which those are decoded that are wanted, each by its method.

import { KERNEL_VERSION } from '../../kernels/version';
import { letters, readAlphabet } from './alphabet';
import { alloc, mark, release } from './arena';
import { CORRUPT, fail, failed, failing, tell, tellHex, tellNumber, UNKNOWN_MODEL, UNSUPPORTED } from './error';
import { decodeFlowTile, FlowTile } from './flow-tile';
import { FLOW, head, isWebp, lastStage, Layer, PLAIN, partAt, stageAt } from './head';
import { Model, modelOf } from './model';
import { decodePlain } from './plain';
import { ARGB, BYTES, COORDINATES, Decoded, isWanted, level, PAIRS, show } from './shown';
import { ALIGNED_LEVELS, Place, placeTile, setPlace } from './tiles';
import { decodeWebp } from './webp';

/** Flows code samples of at least so many bits. */
const LEAST_DEPTH: u32 = 8;

const place = changetype<Place>(memory.data(offsetof<Place>(), 8));
const decoded = changetype<Decoded>(memory.data(offsetof<Decoded>(), 8));
const flowTile = changetype<FlowTile>(memory.data(offsetof<FlowTile>(), 8));

/** Whether all that a layer's flow needs is at hand. */
export function checkFlow(layer: Layer): bool {
  if (!layer.arithmetic) return true;
  if (layer.arithmetic != KERNEL_VERSION) {
    if (failing(UNSUPPORTED)) {
      tell('written with kernel arithmetic version ');
      tellNumber(layer.arithmetic);
      tell('; this decoder has version ');
      tellNumber(KERNEL_VERSION);
    }
    return false;
  }
  if (modelOf(layer.hash)) return true;
  if (failing(UNKNOWN_MODEL)) {
    tell('needs the model ');
    tellHex(changetype<usize>(layer) + offsetof<Layer>('hash'), 8);
    tell(', which is not at hand');
  }
  return false;
}

/** Decodes what is wanted of a layer into the samples, from channel `channel` on. */
export function decodeLayer(layer: Layer, channel: i32): bool {
  const before = mark();
  let maxval = head.maxval;
  decoded.alphabet = 0;
  decoded.channels = layer.channels;
  if (layer.hasAlphabet) {
    decoded.alphabet = readAlphabet(layer);
    if (failed()) return false;
    decoded.letters = letters;
    maxval = letters - 1;
  }
  decoded.mask = maxval > 255 ? 65535 : 255;
  for (let tile: u64 = 0; tile < layer.tiles; tile++) {
    if (layer.method == FLOW) placeTile(place, head.width, head.height, tile);
    else setPlace(place, 0, 0, head.width, head.height);
    if (!isWanted(place)) continue;
    const own = mark();
    if (!decodeTile(layer, tile, maxval) || !show(decoded, place, channel)) return false;
    release(own);
  }
  release(before);
  return true;
}

/** Decodes a tile, whose place is set, at the level that is wanted, or a finer one. */
function decodeTile(layer: Layer, tile: u64, maxval: u32): bool {
  if (isWebp(layer, tile)) {
    const part = stageAt(layer, tile, 0);
    const at = partAt(part, 'tile');
    decoded.kind = ARGB;
    decoded.at = at ? decodeWebp(at, <usize>part.bytes, place.width, place.height, layer.channels, maxval) : 0;
  } else if (layer.method == PLAIN) {
    const part = stageAt(layer, tile, 0);
    const at = partAt(part, 'samples');
    const size = maxval > 255 ? 2 : 1;
    const pixel = <usize>(layer.channels * size);
    decoded.kind = size == 1 ? BYTES : PAIRS;
    decoded.at = at ? decodePlain(at, <usize>part.bytes, place.height, place.width * pixel, pixel) : 0;
  } else {
    decoded.kind = COORDINATES;
    decoded.at = decodeStages(layer, tile, maxval);
  }
  return decoded.at != 0;
}

function decodeStages(layer: Layer, tile: u64, maxval: u32): usize {
  const model = changetype<Model>(modelOf(layer.hash));
  if (model.definition.channels != layer.channels) {
    fail(CORRUPT, 'damaged: a tile needs a flow of as many channels as its layer');
    return 0;
  }
  // Of several tiles only so coarse levels lie in the lattices of the image.
  const finest = layer.tiles > 1 ? min<i32>(level, ALIGNED_LEVELS) : level;
  const last = lastStage(layer, tile, finest);
  let bytes: u64 = 0;
  for (let stage = 0; stage <= last; stage++) {
    const part = stageAt(layer, tile, stage);
    if (!partAt(part, 'tile')) return 0;
    bytes += part.bytes;
  }
  const payload = alloc(bytes);
  if (!payload) return 0;
  let to = payload;
  for (let stage = 0; stage <= last; stage++) {
    const part = stageAt(layer, tile, stage);
    memory.copy(to, head.file + <usize>part.offset, <usize>part.bytes);
    to += <usize>part.bytes;
  }
  flowTile.width = <i32>place.width;
  flowTile.height = <i32>place.height;
  flowTile.depth = <i32>max<u32>(LEAST_DEPTH, 32 - clz<u32>(maxval));
  flowTile.model = model;
  flowTile.learning = layer.learning;
  flowTile.payload = payload;
  flowTile.bytes = <usize>bytes;
  return decodeFlowTile(flowTile, finest);
}
