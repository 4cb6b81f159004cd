// The context network's way through a tile: `codec/flow/context.ts` tells what it computes. What is computed is the kernels'.

import { depthwise } from '../../kernels/assembly/depthwise';
import { flowOpen } from '../../kernels/assembly/field';
import { Flow, flowBytes } from '../../kernels/assembly/group';
import { extendLattice, features, mergeLattice, RING, splitLattice, spreadCarry } from '../../kernels/assembly/lattice';
import { ACCUMULATE, product, RELU } from '../../kernels/assembly/product';
import { quantize, quantizedProduct, quantizeWeights } from '../../kernels/assembly/quantized';
import { alloc, mark, release } from './arena';
import { failed } from './error';
import {
  blockBytes,
  blocksOf,
  contextAt,
  depthwiseBias,
  expandAt,
  expandBias,
  headSize,
  PASSES,
  passAt,
  projectAt,
  projectBias,
  stemInputs,
  TEXTURE_VALUES,
} from './layout';
import { Model } from './model';

/** What a result does: it replaces what is there. */
export const REPLACE: i32 = 0;

@unmanaged
export class Network {
  model: Model;
  /** The weights, of its own where they learn. */
  weights: usize;
  /** Linear maps as whole numbers, each where its weights lie among those: of half their bytes, with the outputs' scales behind. */
  integers: usize;
  /** The tile's texture as the network sees it. */
  texture: usize;
  /** Scratch for a pass's stem bias. */
  bias: usize;
  /** Outputs of the head. */
  headSize: i32;
  /** Whether each pass's last block waits to be computed by `openRow` and `computeStates`, as its weights change on the way. */
  lastWaits: bool;
  flow: Flow;
}

/** A level of the pyramid. */
@unmanaged
export class Level {
  /** 0 is the finest. */
  index: i32;
  /** Size of its image, and of its grid of cells. */
  height: i32;
  width: i32;
  rows: i32;
  columns: i32;
  /** Maps of the lattices A, D, H and V. */
  a: usize;
  d: usize;
  h: usize;
  v: usize;
  /** What the coarser level hands up. */
  carried: usize;
  /** A row of stem inputs, of the filtered state, of hidden channels; and of either as integers with their scales. */
  inputs: usize;
  mixed: usize;
  hidden: usize;
  quantized: usize;
  scales: usize;
  /** Where the first state lies, and the state at hand. */
  first: usize;
  state: usize;
  /** Neighbour statistics of all sites. */
  locals: usize;
}

/** A network with its model's weights; `gradients` of all of them where they learn, else 0. Null with an error without memory. */
export function openNetwork(model: Model, gradients: usize, lastWaits: bool): Network {
  const d = model.definition;
  const layout = model.layout;
  const network = changetype<Network>(alloc(offsetof<Network>()));
  if (failed()) return network;
  network.model = model;
  network.lastWaits = lastWaits;
  network.weights = alloc(layout.bytes);
  network.integers = alloc(layout.bytes);
  network.texture = alloc(<u64>(TEXTURE_VALUES * d.channels) << 2);
  network.bias = alloc(<u64>d.width << 2);
  network.headSize = headSize(d);
  network.flow = changetype<Flow>(alloc(flowBytes(d.channels, network.headSize)));
  if (failed()) return network;
  memory.copy(network.weights, model.weights, <usize>layout.bytes);
  takeIntegers(network);
  const toField = layout.field;
  flowOpen(
    network.flow,
    d.channels,
    d.hidden,
    d.mixtures,
    network.headSize,
    network.weights + toField,
    gradients ? gradients + toField : 0,
  );
  return network;
}

function takeIntegers(network: Network): void {
  const d = network.model.definition;
  const layout = network.model.layout;
  for (let level = 0; level < layout.contextCount; level++) {
    takeMap(network, contextAt(layout, level).carry, d.width, 4 * d.carry);
    for (let pass = 0; pass < PASSES; pass++) {
      const own = passAt(layout, level, pass);
      takeMap(network, own.stem, stemInputs(d, pass), d.width);
      if (pass > 0) takeMap(network, own.state, d.width, d.width);
      for (let block = 0; block < blocksOf(d, pass); block++) takeBlock(network, blockAt(network, level, pass, block));
      takeHead(network, level, pass);
    }
  }
}

/** Takes a linear map's weights, `map` bytes from the first, as whole numbers. */
function takeMap(network: Network, map: usize, inputs: i32, outputs: i32): void {
  const to = network.integers + map;
  quantizeWeights(to, to + (<usize>(inputs * outputs) << 1), network.weights + map, inputs, outputs);
}

/** Takes a head's weights as whole numbers, as they are now. */
export function takeHead(network: Network, level: i32, pass: i32): void {
  takeMap(network, passAt(network.model.layout, level, pass).head, network.model.definition.width, network.headSize);
}

function takeBlock(network: Network, block: usize): void {
  const d = network.model.definition;
  const inner = d.width * d.expand;
  takeMap(network, block + expandAt(d), d.width, inner);
  takeMap(network, block + projectAt(d), inner, d.width);
}

/** Bytes from the first weight to a block's. */
function blockAt(network: Network, level: i32, pass: i32, block: i32): usize {
  const own = passAt(network.model.layout, level, pass);
  return own.blocks + <usize>block * blockBytes(network.model.definition);
}

/** A linear map of `count` vectors with whole numbers, for which a level has scratch; its weights lie `map` bytes from the first. */
export function linear(
  network: Network,
  level: Level,
  to: usize,
  outputs: i32,
  from: usize,
  inputs: i32,
  map: usize,
  bias: usize,
  count: i32,
  mode: i32,
): void {
  const weights = network.integers + map;
  const scales = weights + (<usize>(inputs * outputs) << 1);
  const own = level.quantized;
  quantize(own, level.scales, from, <usize>inputs << 2, inputs, count);
  quantizedProduct(to, <usize>outputs << 2, own, level.scales, inputs, weights, scales, bias, outputs, count, mode);
}

/** Takes a tile's texture, a byte each. */
export function describe(network: Network, levels: usize): void {
  for (let i = 0; i < TEXTURE_VALUES * network.model.definition.channels; i++) {
    store<f32>(network.texture + (<usize>i << 2), <f32>load<u8>(levels + i) / 8 - 2);
  }
}

/** Levels of a tile's pyramid; none of a single pixel. */
export function levelsOf(width: i32, height: i32): i32 {
  return 32 - clz<u32>(max<u32>(width, height) - 1);
}

/** Sets a level's sizes. */
export function sizeLevel(level: Level, index: i32, width: i32, height: i32): void {
  level.index = index;
  level.width = (width + (1 << index) - 1) >> index;
  level.height = (height + (1 << index) - 1) >> index;
  level.columns = (level.width + 1) >> 1;
  level.rows = (level.height + 1) >> 1;
}

/** Bytes of a map of cells with a ring of one around it. */
export function mapBytes(rows: i32, columns: i32, channels: i32): u64 {
  return (<u64>(rows + 2) * <u64>(columns + 2) * <u64>channels) << 2;
}

/** Bytes of a lattice's map. */
export function latticeBytes(level: Level, channels: i32): u64 {
  return (<u64>(level.rows + 2 * RING) * <u64>(level.columns + 2 * RING) * <u64>channels) << 2;
}

/** Bytes of a row of a map of cells, with its ring. */
@inline
function rowBytes(columns: i32, channels: i32): usize {
  return <usize>((columns + 2) * channels) << 2;
}

/** The first cell of row i of a map. */
@inline
function cells(map: usize, columns: i32, channels: i32, i: i32): usize {
  return map + <usize>(i + 1) * rowBytes(columns, channels) + (<usize>channels << 2);
}

/** What `coarser`, the level before, hands up to a level, whose room is `carried`, zeroed. */
export function carryUp(network: Network, coarser: Level, level: Level, carried: usize): bool {
  const d = network.model.definition;
  const before = mark();
  const projected = alloc(mapBytes(1, coarser.columns, 4 * d.carry));
  if (!projected) return false;
  const context = contextAt(network.model.layout, level.index);
  const bias = network.weights + context.carryBias;
  const columns = coarser.columns;
  const to = cells(projected, columns, 4 * d.carry, 0);
  for (let i = 0; i < coarser.rows; i++) {
    const state = cells(coarser.state, columns, d.width, i);
    linear(network, coarser, to, 4 * d.carry, state, d.width, context.carry, bias, columns, REPLACE);
    const row = carried + <usize>(2 * i) * rowBytes(level.columns, d.carry);
    spreadCarry(row, min<i32>(2, level.rows - 2 * i), level.columns, projected, columns, d.carry);
  }
  release(before);
  return true;
}

/** Takes the memory of a level whose sizes are set, and its lattice A from the tile, which is `tileWidth` wide. */
export function openLevel(network: Network, level: Level, carried: usize, tile: usize, tileWidth: i32): bool {
  const d = network.model.definition;
  const columns = level.columns;
  const inner = d.expand * d.width;
  let widest = 0;
  for (let pass = 0; pass < PASSES; pass++) widest = max<i32>(widest, stemInputs(d, pass));
  const lattice = latticeBytes(level, d.channels);
  level.carried = carried;
  level.a = alloc(lattice);
  level.d = alloc(lattice);
  level.h = alloc(lattice);
  level.v = alloc(lattice);
  level.inputs = alloc(<u64>(columns * widest) << 2);
  level.mixed = alloc(mapBytes(1, columns, d.width));
  level.hidden = alloc(<u64>(columns * inner) << 2);
  level.quantized = alloc(<u64>(columns * max<i32>(inner, widest)) << 1);
  level.scales = alloc(<u64>columns << 2);
  // A state lies over the one before, a row higher: its row i is computed of the other's rows i - 1, i and i + 1.
  const following = PASSES - 1 + d.blocksD + d.blocksH + d.blocksV;
  const states = alloc(mapBytes(level.rows + following, columns, d.width));
  level.first = states + <usize>following * rowBytes(columns, d.width);
  level.locals = alloc((3 * <u64>(level.rows * columns) * <u64>d.channels) << 2);
  if (failed()) return false;
  splitLattice(level.a, columns, tile, tileWidth, level.index, level.height, level.width, d.channels, 0, 0);
  extendLattice(level.a, level.rows, columns, d.channels, level.rows, columns, level.a);
  return true;
}

/** First row and first column of a pass's lattice: D has odd rows and columns, H odd columns, V odd rows. */
@inline
export function rowOffset(pass: i32): i32 {
  return pass == 1 ? 0 : 1;
}

@inline
export function columnOffset(pass: i32): i32 {
  return pass == 2 ? 0 : 1;
}

/** Rows and columns of the grid at which a level has a site of the pass's lattice. */
@inline
export function siteRows(level: Level, pass: i32): i32 {
  return (level.height - rowOffset(pass) + 1) >> 1;
}

@inline
export function siteColumns(level: Level, pass: i32): i32 {
  return (level.width - columnOffset(pass) + 1) >> 1;
}

@inline
export function latticeOf(level: Level, pass: i32): usize {
  return pass == 0 ? level.d : pass == 1 ? level.h : level.v;
}

/** Puts a pass's samples, which are known now, into the tile. */
export function putLattice(network: Network, level: Level, pass: i32, tile: usize, tileWidth: i32): void {
  const channels = network.model.definition.channels;
  const map = latticeOf(level, pass);
  extendLattice(map, level.rows, level.columns, channels, siteRows(level, pass), siteColumns(level, pass), level.a);
  mergeLattice(
    tile,
    tileWidth,
    level.index,
    level.height,
    level.width,
    map,
    level.columns,
    channels,
    rowOffset(pass),
    columnOffset(pass),
  );
}

/** Computes a pass's context: the state of all its cells, and their neighbour statistics. */
export function runPass(network: Network, level: Level, pass: i32): void {
  const d = network.model.definition;
  const own = passAt(network.model.layout, level.index, pass);
  const weights = network.weights;
  const columns = level.columns;
  const row = rowBytes(columns, d.width);
  const size = <usize>d.width << 2;
  const isFirst = pass == 0;
  let state = level.first;
  if (!isFirst) state = level.state - row;
  const depth = stemInputs(d, pass);
  stemBias(network, own.texture, own.stemBias + <usize>min<i32>(level.index, d.levels - 1) * size);
  for (let i = 0; i < level.rows; i++) {
    features(
      pass,
      level.inputs,
      depth,
      localsAt(network, level, i),
      level.a,
      level.d,
      level.h,
      level.carried,
      d.carry,
      i,
      columns,
      d.channels,
    );
    const to = cells(state, columns, d.width, i);
    if (!isFirst) {
      const before = cells(level.state, columns, d.width, i);
      linear(network, level, to, d.width, before, d.width, own.state, weights + own.stateBias, columns, REPLACE);
    }
    const mode = isFirst ? REPLACE : ACCUMULATE;
    linear(network, level, to, d.width, level.inputs, depth, own.stem, network.bias, columns, mode);
  }
  closeBelow(level, state, d.width);
  const blocks = blocksOf(d, pass);
  for (let block = 0; block < blocks; block++) {
    state -= row;
    level.state = state;
    if (network.lastWaits && block == blocks - 1) break;
    for (let i = 0; i < level.rows; i++) {
      filterRow(network, level, pass, block, i);
      computeCells(network, level, pass, block, i, 0, columns);
    }
    closeBelow(level, state, d.width);
  }
  level.state = state;
}

/** Sets the ring's row below a map to zeros, where another map has been. */
function closeBelow(level: Level, map: usize, channels: i32): void {
  const row = rowBytes(level.columns, channels);
  memory.fill(map + <usize>(level.rows + 1) * row, 0, row);
}

/** What the level and the tile's texture add to a stem. */
function stemBias(network: Network, texture: usize, bias: usize): void {
  const d = network.model.definition;
  const inputs = TEXTURE_VALUES * d.channels;
  const weights = network.weights;
  const size = <usize>d.width << 2;
  product(
    network.bias,
    size,
    network.texture,
    <usize>inputs << 2,
    inputs,
    weights + texture,
    weights + bias,
    d.width,
    1,
    REPLACE,
  );
}

/** Row i of the states before the block whose states are at hand: those lie a row higher. */
function statesBefore(network: Network, level: Level, i: i32): usize {
  return level.state + <usize>(i + 1) * rowBytes(level.columns, network.model.definition.width);
}

/** Filters row i of the states before a block. The states behind it may lie over the row above from now on. */
function filterRow(network: Network, level: Level, pass: i32, block: i32, i: i32): void {
  const d = network.model.definition;
  const weights = network.weights + blockAt(network, level.index, pass, block);
  const from = statesBefore(network, level, i);
  depthwise(level.mixed, from, weights, weights + depthwiseBias(d), 1, level.columns, d.width, REPLACE);
}

/** Computes the states of `count` cells of the row that was filtered, the first in column j. */
function computeCells(network: Network, level: Level, pass: i32, block: i32, i: i32, j: i32, count: i32): void {
  const d = network.model.definition;
  const columns = level.columns;
  const inner = d.width * d.expand;
  const own = blockAt(network, level.index, pass, block);
  const expandedBias = network.weights + own + expandBias(d);
  const projectedBias = network.weights + own + projectBias(d);
  const hidden = hiddenAt(network, level, j);
  const mixed = mixedAt(network, level, j);
  linear(network, level, hidden, inner, mixed, d.width, own + expandAt(d), expandedBias, count, RELU);
  const out = statesAt(network, level, i, j);
  memory.copy(out, out + rowBytes(columns, d.width), <usize>(count * d.width) << 2);
  linear(network, level, out, d.width, hidden, inner, own + projectAt(d), projectedBias, count, ACCUMULATE);
}

/** Whether a pass's last block waits. */
@inline
export function waits(network: Network, pass: i32): bool {
  return network.lastWaits && blocksOf(network.model.definition, pass) > 0;
}

@inline
function lastBlock(network: Network, pass: i32): i32 {
  return blocksOf(network.model.definition, pass) - 1;
}

/** Begins with row i of a pass whose last block waits. */
export function openRow(network: Network, level: Level, pass: i32, i: i32): void {
  filterRow(network, level, pass, lastBlock(network, pass), i);
}

/** Computes the states of `count` cells of the row that was begun with, the first in column j. */
export function computeStates(network: Network, level: Level, pass: i32, i: i32, j: i32, count: i32): void {
  computeCells(network, level, pass, lastBlock(network, pass), i, j, count);
}

/** Ends a pass whose last block waited. */
export function closePass(network: Network, level: Level): void {
  closeBelow(level, level.state, network.model.definition.width);
}

/** Takes the weights of a pass's last block, which have changed, as whole numbers anew. */
export function requantize(network: Network, level: Level, pass: i32): void {
  const d = network.model.definition;
  takeMap(network, blockAt(network, level.index, pass, lastBlock(network, pass)) + expandAt(d), d.width, d.width * d.expand);
}

/** Filtered states and hidden channels of the row at hand, from column j on. */
export function mixedAt(network: Network, level: Level, j: i32): usize {
  const width = network.model.definition.width;
  return cells(level.mixed, level.columns, width, 0) + (<usize>(j * width) << 2);
}

export function hiddenAt(network: Network, level: Level, j: i32): usize {
  const d = network.model.definition;
  return level.hidden + (<usize>(j * d.width * d.expand) << 2);
}

/** Address of the neighbour statistics of row i. */
export function localsAt(network: Network, level: Level, i: i32): usize {
  return level.locals + (<usize>(3 * i * level.columns * network.model.definition.channels) << 2);
}

/** Address of the samples of row i in a pass's lattice. */
export function samplesAt(network: Network, level: Level, pass: i32, i: i32): usize {
  const cell = (i + RING) * (level.columns + 2 * RING) + RING;
  return latticeOf(level, pass) + (<usize>(cell * network.model.definition.channels) << 2);
}

/** Address of the states of row i, from column j on. */
export function statesAt(network: Network, level: Level, i: i32, j: i32): usize {
  const width = network.model.definition.width;
  return cells(level.state, level.columns, width, i) + (<usize>(j * width) << 2);
}
