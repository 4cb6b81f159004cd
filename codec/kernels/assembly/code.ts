// Coding the sites of a lattice row, in groups of four neighbours: the first coordinate of all its sites, then the second, each given
// those before it.

import { coordinateOpen, slotsOpen } from './bins';
import { centreOpen, flowGiven } from './flow';
import { Coordinate, coordinate, Flow, groupOpen, LANES, lanesOf, putSamples } from './group';
import { groupLoss } from './loss';
import { NOTE, Note, noteSymbols, popSymbols, symbolBits, takeSymbols } from './symbol';

/** Stores the first `count` lanes, `step` bytes apart. */
function storeLanes(to: usize, step: usize, count: i32, v: v128): void {
  store<f32>(to, f32x4.extract_lane(v, 0));
  if (count > 1) store<f32>(to + step, f32x4.extract_lane(v, 1));
  if (count > 2) store<f32>(to + 2 * step, f32x4.extract_lane(v, 2));
  if (count > 3) store<f32>(to + 3 * step, f32x4.extract_lane(v, 3));
}

/** Bytes of a coordinate's tally. */
const TALLIED: usize = 12;

/** Bytes that the notes of `columns` sites take. */
export function noteBytes(channels: i32, columns: i32): i32 {
  return ((columns + LANES - 1) / LANES) * channels * <i32>NOTE;
}

/**
 * Notes what is to be pushed for `columns` sites: `head` holds the raw outputs of the head, a row a site, `x` one float32 a
 * coordinate, `locals` the three statistics of each. With `dHead` not 0 writes the gradient of the sites' length in each head row and
 * adds that in the field's parameters. `tally` is 0 or receives three float32 a coordinate: its bits, the bits that it would take
 * if the flow knew nothing of the coordinates before it, and what these change its field's divergence by, in nats.
 */
export function noteRow(
  flow: Flow,
  head: usize,
  dHead: usize,
  x: usize,
  locals: usize,
  columns: i32,
  notes: usize,
  tally: usize,
): void {
  const channels = flow.channels;
  for (let j: i32 = 0; j < columns; j += LANES) {
    const count = min<i32>(columns - j, LANES);
    const lanes = lanesOf(count);
    groupOpen(flow, head, x, locals, j, count);
    for (let k: i32 = 0; k < channels; k++) {
      const at = coordinateOpen(flow, k);
      const to = tally + <usize>(j * channels + k) * TALLIED;
      const step = <usize>channels * TALLIED;
      let alone = f32x4.splat(0);
      if (tally) {
        flowGiven(flow, k, 0);
        takeSymbols(flow, at);
        storeLanes(to + 4, step, count, symbolBits(at));
        alone = at.rate;
      }
      flowGiven(flow, k, k);
      takeSymbols(flow, at);
      if (tally) {
        storeLanes(to, step, count, symbolBits(at));
        storeLanes(to + 8, step, count, f32x4.sub(at.rate, alone));
      }
      noteSymbols(at, lanes, changetype<Note>(notes));
      notes += NOTE;
      centreOpen(at);
    }
    if (dHead) groupLoss(flow, dHead, j, count);
  }
}

/** Pops into `x` what `noteRow` noted and `pushNotes` pushed; `dHead` as there. */
export function decodeRow(flow: Flow, head: usize, dHead: usize, x: usize, locals: usize, columns: i32): void {
  for (let j: i32 = 0; j < columns; j += LANES) {
    const count = min<i32>(columns - j, LANES);
    groupOpen(flow, head, x, locals, j, count);
    for (let k: i32 = 0; k < flow.channels; k++) {
      const at = coordinateOpen(flow, k);
      flowGiven(flow, k, k);
      popSymbols(flow, at, count);
      putSamples(flow, x, j, count, k);
      centreOpen(at);
    }
    if (dHead) groupLoss(flow, dHead, j, count);
  }
}

/** Opens coordinate k of a group of `count` sites whose earlier samples `x` holds, so that `binSlot` tells its slots: for tests. */
export function sitesOpen(flow: Flow, head: usize, x: usize, locals: usize, count: i32, k: i32): void {
  groupOpen(flow, head, x, locals, 0, count);
  for (let o: i32 = 0; o <= k; o++) {
    const at = coordinateOpen(flow, o);
    flowGiven(flow, o, o);
    centreOpen(at);
  }
}

/** First slot of a bin of coordinate k in a lane. */
export function binSlot(flow: Flow, k: i32, lane: i32, bin: i32): u32 {
  const at = coordinate(flow, k);
  slotsOpen(flow, at, f32x4.splat(<f32>bin));
  return <u32>load<f32>(changetype<usize>(at) + (<usize>lane << 2), offsetof<Coordinate>('firstSlot'));
}
