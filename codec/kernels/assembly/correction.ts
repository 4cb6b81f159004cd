// The correction of a flow that learns: for each coordinate a linear prediction of what the network's location misses, from the samples
// around the site and from what was missed at neighbouring sites (compare the error feedback of CALIC: Wu, Memon 1997). A vector holds
// the channels of a cell; what it holds behind them is of no account, and is kept out of everything that stays.

import { cell, RING } from './lattice';
import { held } from './math';
import {
  errorsWindow,
  firstOfErrors,
  firstOfSamples,
  MAPS,
  SAMPLE_MAPS,
  samplesWindow,
  Window,
} from './windows';

/** What a sample's difference to the neighbours' mean counts beside an error, both in units of the spread: so it learns more slowly. */
const SAMPLE_UNIT: f32 = 0.1;
/** Errors further than so many spreads from zero count as that many. */
const MOST_SPREADS: f32 = 8;

/** The correction of a pass at a level. */
@unmanaged
export class Correction {
  pass: i32;
  columns: i32;
  channels: i32;
  /** Four for each cell of the windows: one a channel. */
  weights: usize;
  gradient: usize;
}

const MAP_ADDRESSES: usize = offsetof<Correction>();

/** Bytes of a correction. */
export function correctionBytes(): i32 {
  return <i32>MAP_ADDRESSES + (MAPS << 2);
}

/** Float32 weights of a pass's correction. */
export function correctionWeights(pass: i32): i32 {
  let cells = 0;
  for (let w: i32 = 0; w <= pass; w++) {
    const window = samplesWindow(firstOfSamples(pass) + w);
    cells += window.rows * window.columns;
  }
  for (let w: i32 = 0; w <= pass + 1; w++) {
    const window = errorsWindow(firstOfErrors(pass) + w);
    cells += window.rows * window.columns;
  }
  return cells << 2;
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
}

/** Sets the address of one of the level's maps (`windows.ts`). */
export function correctionMap(at: Correction, map: i32, address: usize): void {
  store<u32>(changetype<usize>(at) + MAP_ADDRESSES + (<usize>map << 2), <u32>address);
}

@inline
function mapOf(at: Correction, map: i32): usize {
  return <usize>load<u32>(changetype<usize>(at) + MAP_ADDRESSES + (<usize>map << 2));
}

/** All bits of the lanes that are channels. */
@inline
function channelLanes(channels: i32): v128 {
  return i32x4.gt_s(i32x4.splat(channels), i32x4(0, 1, 2, 3));
}

/** Address of a window's first cell, of the site in row i and column j. */
@inline
function firstCell(at: Correction, window: Window, i: i32, j: i32): usize {
  return cell(mapOf(at, window.map), at.columns, at.channels, i + window.row, j + window.column);
}

/** The sum of a window's cells, less `zero` each, times their weights, the first of which is at `weights`. */
function windowSum(at: Correction, window: Window, i: i32, j: i32, zero: v128, weights: usize): v128 {
  const size = <usize>at.channels << 2;
  const stride = <usize>(at.columns + 2 * RING) * size;
  let row = firstCell(at, window, i, j);
  let sum = f32x4.splat(0);
  for (let r: i32 = 0; r < window.rows; r++) {
    for (let c: i32 = 0; c < window.columns; c++) {
      const value = f32x4.sub(v128.load(row + <usize>c * size), zero);
      sum = f32x4.add(sum, f32x4.mul(value, v128.load(weights)));
      weights += 16;
    }
    row += stride;
  }
  return sum;
}

/** The gradient of `windowSum` in the weights, added to that at `gradient`, from that in the sum. */
function windowGradient(at: Correction, window: Window, i: i32, j: i32, zero: v128, gradient: usize, dSum: v128): void {
  const size = <usize>at.channels << 2;
  const stride = <usize>(at.columns + 2 * RING) * size;
  let row = firstCell(at, window, i, j);
  for (let r: i32 = 0; r < window.rows; r++) {
    for (let c: i32 = 0; c < window.columns; c++) {
      const value = f32x4.sub(v128.load(row + <usize>c * size), zero);
      v128.store(gradient, f32x4.add(v128.load(gradient), f32x4.mul(value, dSum)));
      gradient += 16;
    }
    row += stride;
  }
}

@inline
function weightBytes(window: Window): usize {
  return <usize>(window.rows * window.columns) << 4;
}

/**
 * Adds the correction to the raw locations of the `count` sites of row i from column j on; `head` and `locals` as for `noteRow`,
 * `headSize` the outputs of the head.
 */
export function correctRow(at: Correction, i: i32, j: i32, count: i32, head: usize, headSize: i32, locals: usize): void {
  const channels = at.channels;
  for (let s: i32 = 0; s < count; s++) {
    const local = locals + (<usize>(3 * s * channels) << 2);
    const mean = v128.load(local);
    let weights = at.weights;
    let fromSamples = f32x4.splat(0);
    for (let w: i32 = 0; w <= at.pass; w++) {
      const window = samplesWindow(firstOfSamples(at.pass) + w);
      fromSamples = f32x4.add(fromSamples, windowSum(at, window, i, j + s, mean, weights));
      weights += weightBytes(window);
    }
    let sum = f32x4.mul(fromSamples, f32x4.splat(SAMPLE_UNIT));
    for (let w: i32 = 0; w <= at.pass + 1; w++) {
      const window = errorsWindow(firstOfErrors(at.pass) + w);
      sum = f32x4.add(sum, windowSum(at, window, i, j + s, f32x4.splat(0), weights));
      weights += weightBytes(window);
    }
    const correction = v128.and(f32x4.div(sum, v128.load(local + (<usize>channels << 2))), channelLanes(channels));
    const to = head + (<usize>(s * headSize) << 2);
    v128.store(to, f32x4.add(held(v128.load(to)), correction));
  }
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
  const lanes = channelLanes(channels);
  const errors = mapOf(at, SAMPLE_MAPS + at.pass);
  for (let s: i32 = 0; s < count; s++) {
    const local = locals + (<usize>(3 * s * channels) << 2);
    const mean = v128.load(local);
    const spread = v128.load(local + (<usize>channels << 2));
    const row = <usize>(s * headSize) << 2;
    const dSum = v128.and(f32x4.div(v128.load(dHead + row), spread), lanes);
    const dSamples = f32x4.mul(dSum, f32x4.splat(SAMPLE_UNIT));
    let gradient = at.gradient;
    for (let w: i32 = 0; w <= at.pass; w++) {
      const window = samplesWindow(firstOfSamples(at.pass) + w);
      windowGradient(at, window, i, j + s, mean, gradient, dSamples);
      gradient += weightBytes(window);
    }
    for (let w: i32 = 0; w <= at.pass + 1; w++) {
      const window = errorsWindow(firstOfErrors(at.pass) + w);
      windowGradient(at, window, i, j + s, f32x4.splat(0), gradient, dSum);
      gradient += weightBytes(window);
    }
    const location = f32x4.add(mean, f32x4.mul(spread, held(v128.load(head + row))));
    const sample = v128.load(x + (<usize>(s * channels) << 2));
    const missed = f32x4.sub(f32x4.add(sample, f32x4.splat(0.5)), location);
    const most = f32x4.mul(spread, f32x4.splat(MOST_SPREADS));
    const error = f32x4.pmin(most, f32x4.pmax(f32x4.neg(most), missed));
    const to = cell(errors, at.columns, channels, i, j + s);
    store<f32>(to, f32x4.extract_lane(error, 0));
    if (channels == 1) continue;
    store<f32>(to, f32x4.extract_lane(error, 1), 4);
    store<f32>(to, f32x4.extract_lane(error, 2), 8);
  }
}
