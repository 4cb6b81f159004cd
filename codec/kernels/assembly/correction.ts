// The correction of a flow that learns: for each coordinate a linear prediction of what the network's location misses, from the samples
// around the site and from what was missed at neighbouring sites (compare the error feedback of CALIC: Wu, Memon 1997). A vector holds
// the channels of a cell; what it holds behind them is of no account, and is kept out of everything that stays. Four sites go side by
// side, as weights and gradients are then loaded once for all of them.

import { LANES } from './group';
import { cell, RING, storeChannels } from './lattice';
import { held } from './math';
import { errorsWindow, firstOfErrors, firstOfSamples, MAPS, SAMPLE_MAPS, samplesWindow, Window } from './windows';

/** What a sample's difference to the neighbours' mean counts beside an error, both in units of the spread: so it learns more slowly. */
const SAMPLE_UNIT: f32 = 0.1;
/** Errors further than so many spreads from zero count as that many. */
const MOST_SPREADS: f32 = 8;
/** Cells that a pass sees at most. */
const MOST_CELLS: i32 = 64;

/** The correction of a pass at a level. */
@unmanaged
export class Correction {
  pass: i32;
  columns: i32;
  channels: i32;
  /** Cells of samples that the pass sees, and all that it sees. */
  samples: i32;
  cells: i32;
  /** Four for each cell: one a channel. */
  weights: usize;
  gradient: usize;
}

const MAP_ADDRESSES: usize = offsetof<Correction>();
const SEEN: usize = MAP_ADDRESSES + <usize>(MAPS << 2);

/** Bytes of a correction: behind it lie the addresses of the level's maps, and of what the pass sees of the site in row and column 0. */
export function correctionBytes(): i32 {
  return <i32>SEEN + (MOST_CELLS << 2);
}

/** Float32 weights of a pass's correction. */
export function correctionWeights(pass: i32): i32 {
  let cells = 0;
  for (let w: i32 = 0; w <= pass; w++) cells += sizeOf(samplesWindow(firstOfSamples(pass) + w));
  for (let w: i32 = 0; w <= pass + 1; w++) cells += sizeOf(errorsWindow(firstOfErrors(pass) + w));
  return cells << 2;
}

@inline
function sizeOf(window: Window): i32 {
  return window.rows * window.columns;
}

/** Sets the address of one of the level's maps (`windows.ts`); before `correctionOpen`. */
export function correctionMap(at: Correction, map: i32, address: usize): void {
  store<u32>(changetype<usize>(at) + MAP_ADDRESSES + (<usize>map << 2), <u32>address);
}

@inline
function mapOf(at: Correction, map: i32): usize {
  return <usize>load<u32>(changetype<usize>(at) + MAP_ADDRESSES + (<usize>map << 2));
}

export function correctionOpen(
  at: Correction,
  pass: i32,
  columns: i32,
  channels: i32,
  weights: usize,
  gradient: usize,
): void {
  at.pass = pass;
  at.columns = columns;
  at.channels = channels;
  at.weights = weights;
  at.gradient = gradient;
  at.cells = 0;
  for (let w: i32 = 0; w <= pass; w++) see(at, samplesWindow(firstOfSamples(pass) + w));
  at.samples = at.cells;
  for (let w: i32 = 0; w <= pass + 1; w++) see(at, errorsWindow(firstOfErrors(pass) + w));
}

/** Adds a window's cells to what the pass sees. */
function see(at: Correction, window: Window): void {
  for (let r: i32 = 0; r < window.rows; r++) {
    for (let c: i32 = 0; c < window.columns; c++) {
      const address = cell(mapOf(at, window.map), at.columns, at.channels, window.row + r, window.column + c);
      store<u32>(changetype<usize>(at) + SEEN + (<usize>at.cells << 2), <u32>address);
      at.cells++;
    }
  }
}

/** Address of what the site `offset` bytes behind that in row and column 0 sees as number `index`. */
@inline
function seen(at: Correction, index: i32, offset: usize): usize {
  return <usize>load<u32>(changetype<usize>(at) + SEEN + (<usize>index << 2)) + offset;
}

/** Bytes from the cell in row and column 0 to that of row i and column j. */
@inline
function offsetOf(at: Correction, i: i32, j: i32): usize {
  return <usize>((i * (at.columns + 2 * RING) + j) * at.channels) << 2;
}

/** All bits of the lanes that are channels. */
@inline
function channelLanes(channels: i32): v128 {
  return i32x4.gt_s(i32x4.splat(channels), i32x4(0, 1, 2, 3));
}

/** Bytes from the first site of a group to its site `s`, of `count`: a spare one stands where the last does. */
@inline
function stepTo(s: i32, count: i32, bytes: i32): usize {
  return <usize>(min<i32>(s, count - 1) * bytes);
}

@inline
function weighted(sum: v128, address: usize, zero: v128, weight: v128): v128 {
  return f32x4.add(sum, f32x4.mul(f32x4.sub(v128.load(address), zero), weight));
}

/**
 * Adds the correction to the raw locations of the `count` sites of row i from column j on; `head` and `locals` as for `noteRow`,
 * `headSize` the outputs of the head.
 */
export function correctRow(at: Correction, i: i32, j: i32, count: i32, head: usize, headSize: i32, locals: usize): void {
  const channels = at.channels;
  for (let s: i32 = 0; s < count; s += LANES) {
    const group = min<i32>(count - s, LANES);
    const local = locals + (<usize>(3 * s * channels) << 2);
    const offset = offsetOf(at, i, j + s);
    const row = head + (<usize>(s * headSize) << 2);
    correctGroup(at, offset, group, row, <usize>headSize << 2, local);
  }
}

function correctGroup(at: Correction, offset: usize, count: i32, head: usize, headBytes: usize, locals: usize): void {
  const localBytes = 12 * at.channels;
  const size = at.channels << 2;
  const l1 = locals + stepTo(1, count, localBytes);
  const l2 = locals + stepTo(2, count, localBytes);
  const l3 = locals + stepTo(3, count, localBytes);
  const to1 = stepTo(1, count, size);
  const to2 = stepTo(2, count, size);
  const to3 = stepTo(3, count, size);
  const m0 = v128.load(locals);
  const m1 = v128.load(l1);
  const m2 = v128.load(l2);
  const m3 = v128.load(l3);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let weights = at.weights;
  for (let n: i32 = 0; n < at.samples; n++) {
    const from = seen(at, n, offset);
    const weight = v128.load(weights);
    a0 = weighted(a0, from, m0, weight);
    a1 = weighted(a1, from + to1, m1, weight);
    a2 = weighted(a2, from + to2, m2, weight);
    a3 = weighted(a3, from + to3, m3, weight);
    weights += 16;
  }
  const unit = f32x4.splat(SAMPLE_UNIT);
  a0 = f32x4.mul(a0, unit);
  a1 = f32x4.mul(a1, unit);
  a2 = f32x4.mul(a2, unit);
  a3 = f32x4.mul(a3, unit);
  const zero = f32x4.splat(0);
  for (let n: i32 = at.samples; n < at.cells; n++) {
    const from = seen(at, n, offset);
    const weight = v128.load(weights);
    a0 = weighted(a0, from, zero, weight);
    a1 = weighted(a1, from + to1, zero, weight);
    a2 = weighted(a2, from + to2, zero, weight);
    a3 = weighted(a3, from + to3, zero, weight);
    weights += 16;
  }
  correctSite(head, a0, locals, at.channels);
  if (count > 1) correctSite(head + headBytes, a1, l1, at.channels);
  if (count > 2) correctSite(head + 2 * headBytes, a2, l2, at.channels);
  if (count > 3) correctSite(head + 3 * headBytes, a3, l3, at.channels);
}

@inline
function spreadsOf(local: usize, channels: i32): v128 {
  return v128.load(local + (<usize>channels << 2));
}

function correctSite(head: usize, sum: v128, local: usize, channels: i32): void {
  const correction = v128.and(f32x4.div(sum, spreadsOf(local, channels)), channelLanes(channels));
  v128.store(head, f32x4.add(held(v128.load(head)), correction));
}

/**
 * Adds the weights' gradient over the sites that `correctRow` was for and that are coded now, and notes what was missed at them.
 *
 * @param dHead the gradient in their head rows
 * @param x their samples
 */
export function correctionLearn(
  at: Correction,
  i: i32,
  j: i32,
  count: i32,
  head: usize,
  headSize: i32,
  dHead: usize,
  x: usize,
  locals: usize,
): void {
  const channels = at.channels;
  const errors = mapOf(at, SAMPLE_MAPS + at.pass);
  for (let s: i32 = 0; s < count; s += LANES) {
    const group = min<i32>(count - s, LANES);
    const local = locals + (<usize>(3 * s * channels) << 2);
    const rows = <usize>(s * headSize) << 2;
    groupGradient(at, offsetOf(at, i, j + s), group, dHead + rows, <usize>headSize << 2, local);
  }
  for (let s: i32 = 0; s < count; s++) {
    const local = locals + (<usize>(3 * s * channels) << 2);
    const raw = held(v128.load(head + (<usize>(s * headSize) << 2)));
    const sample = v128.load(x + (<usize>(s * channels) << 2));
    noteMissed(cell(errors, at.columns, channels, i, j + s), sample, raw, local, channels);
  }
}

function groupGradient(at: Correction, offset: usize, count: i32, dHead: usize, headBytes: usize, locals: usize): void {
  const channels = at.channels;
  const localBytes = 12 * channels;
  const size = channels << 2;
  const l1 = locals + stepTo(1, count, localBytes);
  const l2 = locals + stepTo(2, count, localBytes);
  const l3 = locals + stepTo(3, count, localBytes);
  const to1 = stepTo(1, count, size);
  const to2 = stepTo(2, count, size);
  const to3 = stepTo(3, count, size);
  const lanes = channelLanes(channels);
  const zero = f32x4.splat(0);
  let d0 = v128.and(f32x4.div(v128.load(dHead), spreadsOf(locals, channels)), lanes);
  let d1 = count > 1 ? v128.and(f32x4.div(v128.load(dHead + headBytes), spreadsOf(l1, channels)), lanes) : zero;
  let d2 = count > 2 ? v128.and(f32x4.div(v128.load(dHead + 2 * headBytes), spreadsOf(l2, channels)), lanes) : zero;
  let d3 = count > 3 ? v128.and(f32x4.div(v128.load(dHead + 3 * headBytes), spreadsOf(l3, channels)), lanes) : zero;
  let gradient = at.gradient + (<usize>at.samples << 4);
  for (let n: i32 = at.samples; n < at.cells; n++) {
    const from = seen(at, n, offset);
    let sum = weighted(v128.load(gradient), from, zero, d0);
    sum = weighted(sum, from + to1, zero, d1);
    sum = weighted(sum, from + to2, zero, d2);
    v128.store(gradient, weighted(sum, from + to3, zero, d3));
    gradient += 16;
  }
  const unit = f32x4.splat(SAMPLE_UNIT);
  d0 = f32x4.mul(d0, unit);
  d1 = f32x4.mul(d1, unit);
  d2 = f32x4.mul(d2, unit);
  d3 = f32x4.mul(d3, unit);
  const m0 = v128.load(locals);
  const m1 = v128.load(l1);
  const m2 = v128.load(l2);
  const m3 = v128.load(l3);
  gradient = at.gradient;
  for (let n: i32 = 0; n < at.samples; n++) {
    const from = seen(at, n, offset);
    let sum = weighted(v128.load(gradient), from, m0, d0);
    sum = weighted(sum, from + to1, m1, d1);
    sum = weighted(sum, from + to2, m2, d2);
    v128.store(gradient, weighted(sum, from + to3, m3, d3));
    gradient += 16;
  }
}

/** Stores how far a site's samples, in the middle of their bins, lie from its locations. */
function noteMissed(to: usize, sample: v128, raw: v128, local: usize, channels: i32): void {
  const spread = spreadsOf(local, channels);
  const location = f32x4.add(v128.load(local), f32x4.mul(spread, raw));
  const missed = f32x4.sub(f32x4.add(sample, f32x4.splat(0.5)), location);
  const most = f32x4.mul(spread, f32x4.splat(MOST_SPREADS));
  const error = f32x4.pmin(most, f32x4.pmax(f32x4.neg(most), missed));
  storeChannels(to, error, channels);
}
