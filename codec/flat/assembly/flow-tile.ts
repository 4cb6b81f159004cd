// A tile by the flow (docs/format.md, Payload of a flow's tile): the way through its sites, popping each from the stack.

import { RUN } from '../../flow/schedule';
import { depthOpen } from '../../kernels/assembly/depth';
import { decodeRow } from '../../kernels/assembly/code';
import {
  popUniform,
  stackCount,
  stackFailed,
  stackHigh,
  stackJoin,
  stackLow,
  stackOpen,
} from '../../kernels/assembly/stack';
import { alloc, mark, release } from './arena';
import { CORRUPT, fail, failed } from './error';
import { PASSES, passAt, TEXTURE_VALUES } from './layout';
import { SPARSE } from './head';
import { correct, gradientsOf, Learning, learnFrom, openLearning, openPass, Run } from './learning';
import { Model } from './model';
import {
  carryUp,
  closePass,
  computeStates,
  describe,
  Level,
  levelsOf,
  linear,
  localsAt,
  mapBytes,
  Network,
  openLevel,
  openNetwork,
  openRow,
  putLattice,
  REPLACE,
  runPass,
  samplesAt,
  siteColumns,
  siteRows,
  sizeLevel,
  statesAt,
  waits,
} from './network';
import { hasTexture, TEXTURE_LEVELS } from './texture';

/** From how many pixels on the stack has four states. */
const MANY_PIXELS: i32 = 1 << 14;

/** A tile: its size, the bits of a sample, and what decodes it. */
@unmanaged
export class FlowTile {
  width: i32;
  height: i32;
  depth: i32;
  model: Model;
  /** What of the model goes on learning, as a layer's head has it. */
  learning: i32;
  /** Its payload, which is overwritten. */
  payload: usize;
  bytes: usize;
}

const texture: usize = memory.data(3 * TEXTURE_VALUES);
const level = changetype<Level>(memory.data(offsetof<Level>(), 16));
const coarser = changetype<Level>(memory.data(offsetof<Level>(), 16));
const run = changetype<Run>(memory.data(offsetof<Run>(), 16));

/**
 * Decodes a tile down to a level of its pyramid. Returns the address of its samples, width * height * channels float32 integers, of
 * which those are known whose rows and columns are multiples of 2^finest; 0 with an error.
 */
export function decodeFlowTile(tile: FlowTile, finest: i32): usize {
  const channels = tile.model.definition.channels;
  const pixels = <u64>tile.width * <u64>tile.height;
  const samples = alloc((pixels * <u64>channels) << 2);
  const states = tile.width * tile.height < MANY_PIXELS ? 1 : 4;
  if (failed() || !openStack(tile, states)) return 0;
  const adapts = tile.learning > 0;
  const gradients = adapts ? gradientsOf(tile.model) : 0;
  const network = openNetwork(tile.model, gradients, tile.learning >= SPARSE && tile.model.blockRate > 0);
  if (failed()) return 0;
  const learning = changetype<Learning>(adapts ? changetype<usize>(openLearning(network, gradients, tile.learning == SPARSE)) : 0);
  if (failed()) return 0;
  depthOpen(tile.depth);
  const told = TEXTURE_VALUES * channels;
  for (let i = 0; i < told; i++) store<u8>(texture + i, <u8>popUniform(TEXTURE_LEVELS));
  describe(network, texture);
  for (let k = 0; k < channels; k++) {
    store<f32>(samples + (<usize>k << 2), <f32>(<i32>popUniform(2 << tile.depth) - (1 << tile.depth)));
  }
  if (!decodeLevels(tile, network, learning, samples, finest)) return 0;
  if (stackFailed()) return tooShort();
  if (finest > 0) return samples;
  if (!hasTexture(texture, samples, tile.width, tile.height, channels)) {
    return damaged('corrupt tile: its texture is not the one it tells');
  }
  let isEnd = stackCount() == 0;
  for (let j = 0; j < states; j++) isEnd = isEnd && stackHigh(j) == 1 && stackLow(j) == 0;
  return isEnd ? samples : damaged('corrupt tile: its stack does not end where it began');
}

function damaged(why: string): usize {
  fail(CORRUPT, why);
  return 0;
}

function tooShort(): usize {
  return damaged('corrupt tile: it ends too early');
}

/** Opens the stack on a payload, whose words lie in the order in which they are popped: the stack's lie the other way. */
function openStack(tile: FlowTile, states: i32): bool {
  const head = <usize>states << 3;
  if (tile.bytes < head || (tile.bytes & 3) != 0) return fail(CORRUPT, 'corrupt tile: its length is impossible');
  for (let j = 0; j < states; j++) {
    const state = tile.payload + (<usize>j << 3);
    if (load<u32>(state, 4) == 0) return fail(CORRUPT, 'corrupt tile: impossible stack state');
    if (j > 0) continue;
    stackOpen(tile.payload + head, tile.bytes - head, <u32>((tile.bytes - head) >> 2), load<u32>(state, 4), load<u32>(state));
  }
  for (let j = 1; j < states; j++) {
    const state = tile.payload + (<usize>j << 3);
    stackJoin(load<u32>(state, 4), load<u32>(state));
  }
  let low = tile.payload + head;
  for (let high = tile.payload + tile.bytes - 4; low < high; high -= 4) {
    const word = load<u32>(low);
    store<u32>(low, load<u32>(high));
    store<u32>(high, word);
    low += 4;
  }
  return true;
}

function decodeLevels(tile: FlowTile, network: Network, learning: Learning, samples: usize, finest: i32): bool {
  const d = network.model.definition;
  const top = levelsOf(tile.width, tile.height) - 1;
  if (top < finest) return true;
  // What is handed up has room for the finest level; above it each level takes the memory of the one before.
  sizeLevel(level, finest, tile.width, tile.height);
  const carried = alloc(mapBytes(level.rows, level.columns, d.carry));
  if (!carried) return false;
  const before = mark();
  for (let index = top; index >= finest; index--) {
    memory.copy(changetype<usize>(coarser), changetype<usize>(level), offsetof<Level>());
    sizeLevel(level, index, tile.width, tile.height);
    memory.fill(carried, 0, <usize>mapBytes(level.rows, level.columns, d.carry));
    if (index < top && !carryUp(network, coarser, level, carried)) return false;
    release(before);
    if (!openLevel(network, level, carried, samples, tile.width)) return false;
    for (let pass = 0; pass < PASSES; pass++) {
      runPass(network, level, pass);
      if (!decodePass(network, learning, pass)) return false;
      if (stackFailed()) return tooShort() != 0;
      putLattice(network, level, pass, samples, tile.width);
    }
  }
  return true;
}

/** Decodes the sites of a pass, whose context is computed, in runs. */
function decodePass(network: Network, learning: Learning, pass: i32): bool {
  const adapts = changetype<usize>(learning) != 0;
  if (adapts && !openPass(learning, level, pass)) return false;
  const before = mark();
  const columns = siteColumns(level, pass);
  const most = adapts ? RUN : columns;
  const size = <usize>network.headSize << 2;
  const pixel = <usize>network.model.definition.channels << 2;
  run.outputs = alloc(<u64>most * size);
  run.gradient = adapts ? alloc(<u64>most * size) : 0;
  if (failed()) return false;
  const rows = siteRows(level, pass);
  const isWaiting = waits(network, pass);
  for (run.row = 0; run.row < level.rows; run.row++) {
    if (isWaiting) {
      openRow(network, level, pass, run.row);
      // Cells without a site have a state, which later passes see.
      const behind = run.row < rows ? columns : 0;
      computeStates(network, level, pass, run.row, behind, level.columns - behind);
    }
    if (run.row >= rows) continue;
    const x = samplesAt(network, level, pass, run.row);
    const locals = localsAt(network, level, run.row);
    for (run.first = 0; run.first < columns; run.first += most) {
      run.count = min<i32>(most, columns - run.first);
      run.x = x + <usize>run.first * pixel;
      run.locals = locals + <usize>(3 * run.first) * pixel;
      if (isWaiting) computeStates(network, level, pass, run.row, run.first, run.count);
      readHead(network, pass);
      if (adapts) correct(learning, run);
      decodeRow(network.flow, run.outputs, run.gradient, run.x, run.locals, run.count);
      if (adapts) learnFrom(learning, level, pass, run);
    }
    if (stackFailed()) break;
  }
  if (isWaiting) closePass(network, level);
  release(before);
  return true;
}

/** Reads the flow's raw parameters of a run's sites from their states. */
function readHead(network: Network, pass: i32): void {
  const width = network.model.definition.width;
  const place = passAt(network.model.layout, level.index, pass);
  const size = network.headSize;
  const states = statesAt(network, level, run.row, run.first);
  const bias = network.weights + place.headBias;
  linear(network, level, run.outputs, size, states, width, place.head, bias, run.count, REPLACE);
}
