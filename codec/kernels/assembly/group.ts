// A flow and the group of sites that it works on: up to four neighbours of a lattice row, one in each lane of every vector. Where a
// group has fewer, its spare lanes repeat its last site, and what they give is left alone.

import { held } from './math';
import { transpose4 } from './transpose';

/** Sites of a group. */
export const LANES: i32 = 4;

/** One coordinate of the group's sites, number by number. What it means is told where it is computed. */
@unmanaged
export class Coordinate {
  /** The samples. */
  x: v128;
  /** `site.ts`: location and log s. */
  mean: v128;
  logScale: v128;
  /** `field.ts`: a before its bound, a and b. */
  rawRate: v128;
  rate: v128;
  drift: v128;
  /** `flow.ts`. */
  inverseScale: v128;
  shear: v128;
  growth: v128;
  slope: v128;
  offset: v128;
  centre: v128;
  clamped: v128;
  /** `bins.ts`: the window's first bin, a bin's samples and their inverse. */
  first: v128;
  samples: v128;
  perSample: v128;
  /** First slots of bins and of those behind them, as float32. */
  firstSlot: v128;
  nextSlot: v128;
  /** `symbol.ts`: slots, as integers; the bins that own them; and the lower bits of the samples, with their number. */
  start: v128;
  frequency: v128;
  bin: v128;
  low: v128;
  shift: v128;
  /** `loss.ts`: gradients in the images of the bin's edges and in the centre. */
  dLower: v128;
  dUpper: v128;
  dCentre: v128;
}

/** One of a coordinate's logistics (`site.ts`): its share in the base density, its mean and its inverse scale. */
@unmanaged
export class Logistic {
  weight: v128;
  mean: v128;
  inverseScale: v128;
}

/** Logistics that a coordinate has room for, behind itself. */
export const MOST_LOGISTICS: i32 = 4;

/** A flow: its sizes, the addresses of its parameters (`field.ts`), and the group at hand. */
@unmanaged
export class Flow {
  /** Coordinates, hidden units a coordinate, logistics a coordinate, outputs of the head. */
  channels: i32;
  hidden: i32;
  mixtures: i32;
  headSize: i32;
  others: usize;
  weightsA: usize;
  weightsB: usize;
  hiddenBias: usize;
  biasA: usize;
  biasB: usize;
  /** Distance from a parameter to its gradient. */
  toGradient: usize;
  /** The group's outputs of the head, its neighbour statistics, and the gradient in the former: a vector for each number. */
  head: usize;
  locals: usize;
  dHead: usize;
}

const FLOW: usize = (offsetof<Flow>() + 15) & ~15;
const LOGISTIC: usize = offsetof<Logistic>();
const COORDINATE: usize = offsetof<Coordinate>() + <usize>MOST_LOGISTICS * LOGISTIC;

/** Bytes of a flow. */
export function flowBytes(channels: i32, headSize: i32): i32 {
  return <i32>FLOW + channels * <i32>COORDINATE + ((2 * headSize + 3 * channels) << 4);
}

/** Sets a flow's sizes, and where it keeps its group: behind itself. */
export function groupsOpen(flow: Flow, channels: i32, hidden: i32, mixtures: i32, headSize: i32): void {
  flow.channels = channels;
  flow.hidden = hidden;
  flow.mixtures = mixtures;
  flow.headSize = headSize;
  flow.head = changetype<usize>(flow) + FLOW + <usize>channels * COORDINATE;
  flow.locals = flow.head + (<usize>headSize << 4);
  flow.dHead = flow.locals + (<usize>(3 * channels) << 4);
}

@inline
export function coordinate(flow: Flow, k: i32): Coordinate {
  return changetype<Coordinate>(changetype<usize>(flow) + FLOW + <usize>k * COORDINATE);
}

@inline
export function logistic(at: Coordinate, n: i32): Logistic {
  return changetype<Logistic>(changetype<usize>(at) + offsetof<Coordinate>() + <usize>n * LOGISTIC);
}

/** Number `index` of the head's outputs. */
@inline
export function raw(flow: Flow, index: i32): v128 {
  return v128.load(flow.head + (<usize>index << 4));
}

@inline
export function setGradient(flow: Flow, index: i32, value: v128): void {
  v128.store(flow.dHead + (<usize>index << 4), value);
}

/** One number of four sites, the first site's and those at distances from it. */
@inline
function gather(at: usize, s1: usize, s2: usize, s3: usize): v128 {
  return f32x4(load<f32>(at), load<f32>(at + s1), load<f32>(at + s2), load<f32>(at + s3));
}

/**
 * Takes the group of `count` sites that begins with site j of a row: of `head`, `headSize` floats a site, of `x`, one float32 a
 * coordinate, and of `locals`, three floats a coordinate.
 */
export function groupOpen(flow: Flow, head: usize, x: usize, locals: usize, j: i32, count: i32): void {
  const l1 = <usize>min<i32>(1, count - 1);
  const l2 = <usize>min<i32>(2, count - 1);
  const l3 = <usize>min<i32>(3, count - 1);
  const size = <usize>flow.headSize << 2;
  const end = flow.locals;
  let from = head + <usize>j * size;
  for (let to = flow.head; to < end; to += 64) {
    const a = held(v128.load(from));
    const b = held(v128.load(from + l1 * size));
    const c = held(v128.load(from + l2 * size));
    const d = held(v128.load(from + l3 * size));
    transpose4(to, 16, a, b, c, d);
    from += 16;
  }
  const channels = <usize>flow.channels;
  const pixel = channels << 2;
  const samples = x + <usize>j * pixel;
  const local = locals + 3 * <usize>j * pixel;
  for (let k: usize = 0; k < channels; k++) {
    coordinate(flow, <i32>k).x = gather(samples + (k << 2), l1 * pixel, l2 * pixel, l3 * pixel);
  }
  for (let n: usize = 0; n < 3 * channels; n++) {
    v128.store(flow.locals + (n << 4), gather(local + (n << 2), 3 * l1 * pixel, 3 * l2 * pixel, 3 * l3 * pixel));
  }
}

/** Writes coordinate k's samples of the group back to the row. */
export function putSamples(flow: Flow, x: usize, j: i32, count: i32, k: i32): void {
  const at = changetype<usize>(coordinate(flow, k));
  for (let lane: i32 = 0; lane < count; lane++) {
    const sample = load<f32>(at + (<usize>lane << 2), offsetof<Coordinate>('x'));
    store<f32>(x + (<usize>((j + lane) * flow.channels + k) << 2), sample);
  }
}

/** Writes the gradients in the group's outputs of the head to the rows of its sites, `headSize` floats each. */
export function putGradient(flow: Flow, dHead: usize, j: i32, count: i32): void {
  const size = <usize>flow.headSize << 2;
  const rows = flow.head;
  // The outputs have served: the rows of four sites take their place, of which the group's own are copied.
  for (let n: usize = 0; n < <usize>flow.headSize; n += 4) {
    const from = flow.dHead + (n << 4);
    const to = rows + (n << 2);
    transpose4(to, size, v128.load(from), v128.load(from, 16), v128.load(from, 32), v128.load(from, 48));
  }
  memory.copy(dHead + <usize>j * size, rows, <usize>count * size);
}

/** The lanes of a group's sites: all bits of those, none of the spare ones. */
@inline
export function lanesOf(count: i32): v128 {
  return i32x4.gt_s(i32x4.splat(count), i32x4(0, 1, 2, 3));
}
