// Lattices of a pyramid level and what the context network sees of them. A lattice map holds float32 samples, NHWC, of the
// level's cell grid with a ring of two cells around it: (rows + 4) * (columns + 4) * channels values. Cells that the image
// does not have, and the ring, repeat their nearest neighbour.

import { meanGain } from './depth';
import { log4 } from './math';
import { firstOfSamples, samplesWindow } from './windows';

const PASS_D: i32 = 0;
const PASS_H: i32 = 1;

/** Cells around the grid on each side of a lattice map. */
export const RING: i32 = 2;

/** The least spread of a site's neighbours, in sample units. */
export const LEAST_SPREAD: f32 = 0.25;

/** Address of a cell of a lattice map. */
@inline
export function cell(map: usize, columns: i32, channels: i32, i: i32, j: i32): usize {
  return map + (<usize>(((i + RING) * (columns + 2 * RING) + j + RING) * channels) << 2);
}

/** Copies a pixel: a call of `memory.copy` takes longer than so few numbers. */
@inline
function copyPixel(to: usize, from: usize, channels: i32): void {
  for (let c: usize = 0; c < <usize>channels << 2; c += 4) store<f32>(to + c, load<f32>(from + c));
}

/** Stores a number of each channel. */
@inline
export function storeChannels(to: usize, v: v128, channels: i32): void {
  store<f32>(to, f32x4.extract_lane(v, 0));
  if (channels == 1) return;
  store<f32>(to, f32x4.extract_lane(v, 1), 4);
  store<f32>(to, f32x4.extract_lane(v, 2), 8);
}

/** Copies features, a multiple of four, as `copyPixel`. */
@inline
function copyFeatures(to: usize, from: usize, count: i32): void {
  for (let c: usize = 0; c < <usize>count << 2; c += 16) v128.store(to + c, v128.load(from + c));
}

/**
 * Takes every second pixel of a level's image, from row dy and column dx, as a map of cells. The level's
 * height x width image is every 2^shift-th pixel of the tile, which is tileWidth wide.
 */
export function splitLattice(
  map: usize,
  columns: i32,
  tile: usize,
  tileWidth: i32,
  shift: i32,
  height: i32,
  width: i32,
  channels: i32,
  dy: i32,
  dx: i32,
): void {
  for (let i: i32 = 0; 2 * i + dy < height; i++) {
    const line = ((2 * i + dy) << shift) * tileWidth;
    for (let j: i32 = 0; 2 * j + dx < width; j++) {
      const from = tile + (<usize>((line + ((2 * j + dx) << shift)) * channels) << 2);
      copyPixel(cell(map, columns, channels, i, j), from, channels);
    }
  }
}

/** Undoes `splitLattice`: puts the cells of a map that the image has at their pixels of the tile. */
export function mergeLattice(
  tile: usize,
  tileWidth: i32,
  shift: i32,
  height: i32,
  width: i32,
  map: usize,
  columns: i32,
  channels: i32,
  dy: i32,
  dx: i32,
): void {
  for (let i: i32 = 0; 2 * i + dy < height; i++) {
    const line = ((2 * i + dy) << shift) * tileWidth;
    for (let j: i32 = 0; 2 * j + dx < width; j++) {
      const to = tile + (<usize>((line + ((2 * j + dx) << shift)) * channels) << 2);
      copyPixel(to, cell(map, columns, channels, i, j), channels);
    }
  }
}

/**
 * Completes a map of which the first `knownRows` x `knownColumns` cells are known: the rest and the ring repeat the nearest
 * known cell; a map with no known cell at all takes those of `fallback`.
 */
export function extendLattice(
  map: usize,
  rows: i32,
  columns: i32,
  channels: i32,
  knownRows: i32,
  knownColumns: i32,
  fallback: usize,
): void {
  if (knownRows == 0 || knownColumns == 0) {
    memory.copy(map, fallback, <usize>((rows + 2 * RING) * (columns + 2 * RING) * channels) << 2);
    return;
  }
  const size = <usize>channels << 2;
  for (let i: i32 = 0; i < knownRows; i++) {
    const first = cell(map, columns, channels, i, 0);
    const last = cell(map, columns, channels, i, knownColumns - 1);
    for (let j: i32 = 1; j <= RING; j++) memory.copy(first - <usize>j * size, first, size);
    for (let j: i32 = 1; j <= columns - knownColumns + RING; j++) memory.copy(last + <usize>j * size, last, size);
  }
  const stride = <usize>(columns + 2 * RING) * size;
  const top = cell(map, columns, channels, 0, -RING);
  const bottom = cell(map, columns, channels, knownRows - 1, -RING);
  for (let i: i32 = 1; i <= RING; i++) memory.copy(top - <usize>i * stride, top, stride);
  for (let i: i32 = 1; i <= rows - knownRows + RING; i++) memory.copy(bottom + <usize>i * stride, bottom, stride);
}

@inline
function difference(dst: usize, src: usize, offset: usize, mean: v128): void {
  v128.store(dst + offset, f32x4.sub(v128.load(src + offset), mean));
}

/** Windows of `count` rows by 4 columns from (i, j) on, as differences to the mean; returns the address behind them. */
function windows(dst: usize, map: usize, columns: i32, channels: i32, i: i32, j: i32, count: i32, mean: v128): usize {
  const m0 = i32x4.shuffle(mean, mean, 0, 1, 2, 0);
  const m1 = i32x4.shuffle(mean, mean, 1, 2, 0, 1);
  const m2 = i32x4.shuffle(mean, mean, 2, 0, 1, 2);
  for (let r: i32 = 0; r < count; r++) {
    const src = cell(map, columns, channels, i + r, j);
    if (channels == 3) {
      difference(dst, src, 0, m0);
      difference(dst, src, 16, m1);
      difference(dst, src, 32, m2);
      dst += 48;
    } else {
      difference(dst, src, 0, mean);
      dst += 16;
    }
  }
  return dst;
}

/** Mean of four cells: of three channels in a lane each, of one channel in all lanes. */
@inline
function meanOf(n0: usize, n1: usize, n2: usize, n3: usize, channels: i32): v128 {
  if (channels == 1) return f32x4.splat((load<f32>(n0) + load<f32>(n1) + load<f32>(n2) + load<f32>(n3)) * 0.25);
  // What lies behind three channels is of the next cell, which a map has: no site has the last cell of its ring among its neighbours.
  const sum = f32x4.add(f32x4.add(v128.load(n0), v128.load(n1)), v128.load(n2));
  return f32x4.mul(f32x4.add(sum, v128.load(n3)), f32x4.splat(0.25));
}

/** From the mean distances of channels: stores their spreads, at least LEAST_SPREAD, and these' logarithms; returns the inverses. */
@inline
function spreads(local: usize, channels: i32, distances: v128): v128 {
  const values = f32x4.add(f32x4.splat(LEAST_SPREAD), distances);
  const logarithms = log4(values);
  const size = <usize>channels << 2;
  storeChannels(local + size, values, channels);
  storeChannels(local + 2 * size, logarithms, channels);
  return f32x4.div(f32x4.splat(1), values);
}

/**
 * Divides the differences from `from` to `end` by their spread, the mean magnitude of their channel; writes spreads and their
 * logarithms behind the means in `local`.
 */
function scaleWindows(from: usize, end: usize, channels: i32, local: usize): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  // Three vectors hold each of three channels four times; of one channel, rows of windows have one vector each.
  const stride: usize = channels == 3 ? 48 : 16;
  for (let at = from; at < end; at += stride) {
    s0 = f32x4.add(s0, f32x4.abs(v128.load(at)));
    if (channels == 1) continue;
    s1 = f32x4.add(s1, f32x4.abs(v128.load(at, 16)));
    s2 = f32x4.add(s2, f32x4.abs(v128.load(at, 32)));
  }
  const share: f32 = 0.25 * <f32>stride / <f32>(end - from);
  if (channels == 1) {
    const sum = f32x4.extract_lane(s0, 0) + f32x4.extract_lane(s0, 1) + f32x4.extract_lane(s0, 2) + f32x4.extract_lane(s0, 3);
    const inverse = spreads(local, 1, f32x4.splat(sum * share));
    for (let at = from; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), inverse));
    return;
  }
  // Lane c sums what channel c has in the three vectors, in their order.
  let sum = f32x4.add(s0, i32x4.shuffle(s0, s1, 3, 4, 5, 5));
  sum = f32x4.add(sum, i32x4.shuffle(s1, s2, 2, 3, 4, 4));
  sum = f32x4.add(sum, i32x4.shuffle(s2, s2, 1, 2, 3, 3));
  const inverse = spreads(local, 3, f32x4.mul(sum, f32x4.splat(share)));
  const i0 = i32x4.shuffle(inverse, inverse, 0, 1, 2, 0);
  const i1 = i32x4.shuffle(inverse, inverse, 1, 2, 0, 1);
  const i2 = i32x4.shuffle(inverse, inverse, 2, 0, 1, 2);
  for (let at = from; at < end; at += 48) {
    v128.store(at, f32x4.mul(v128.load(at), i0));
    v128.store(at, f32x4.mul(v128.load(at, 16), i1), 16);
    v128.store(at, f32x4.mul(v128.load(at, 32), i2), 32);
  }
}

/**
 * Stem inputs of the cells of row i: `inputs` floats a cell. Also writes what is known of each site's neighbours to `locals`
 * (3 * channels floats a cell): the mean of the four nearest, the mean distance of all in the windows from it, and the
 * logarithm of that. `carried` is the padded map of features carried up, for pass D.
 */
export function features(
  pass: i32,
  dst: usize,
  inputs: i32,
  locals: usize,
  a: usize,
  d: usize,
  h: usize,
  carried: usize,
  carry: i32,
  i: i32,
  columns: i32,
  channels: i32,
): void {
  for (let j: i32 = 0; j < columns; j++) {
    let out = dst + (<usize>(j * inputs) << 2);
    const local = locals + (<usize>(3 * j * channels) << 2);
    const n0 = cell(a, columns, channels, i, j);
    let n1: usize;
    let n2: usize;
    let n3: usize;
    if (pass == PASS_D) {
      n1 = cell(a, columns, channels, i, j + 1);
      n2 = cell(a, columns, channels, i + 1, j);
      n3 = cell(a, columns, channels, i + 1, j + 1);
    } else if (pass == PASS_H) {
      n1 = cell(a, columns, channels, i, j + 1);
      n2 = cell(d, columns, channels, i - 1, j);
      n3 = cell(d, columns, channels, i, j);
    } else {
      n1 = cell(a, columns, channels, i + 1, j);
      n2 = cell(d, columns, channels, i, j - 1);
      n3 = cell(d, columns, channels, i, j);
    }
    const mean = meanOf(n0, n1, n2, n3, channels);
    storeChannels(local, mean, channels);
    for (let w: i32 = 0; w <= pass; w++) {
      const window = samplesWindow(firstOfSamples(pass) + w);
      const map = window.map == 0 ? a : window.map == 1 ? d : h;
      out = windows(out, map, columns, channels, i + window.row, j + window.column, window.rows, mean);
    }
    scaleWindows(dst + (<usize>(j * inputs) << 2), out, channels, local);
    for (let c: usize = 0; c < <usize>channels << 2; c += 4) {
      store<f32>(out + c, load<f32>(local + c) * meanGain);
      store<f32>(out + (<usize>channels << 2) + c, load<f32>(local + 2 * (<usize>channels << 2) + c));
    }
    out += <usize>channels << 3;
    if (pass == PASS_D) {
      const from = carried + (<usize>(((i + 1) * (columns + 2) + j + 1) * carry) << 2);
      copyFeatures(out, from, carry);
    }
  }
}

/**
 * Spreads a coarse level's features over the finer level's cells: fine cell (i, j) takes the `carry` features number
 * 2 * (i & 1) + (j & 1) of coarse cell (i >> 1, j >> 1). Both maps have a ring of one.
 */
export function spreadCarry(fine: usize, rows: i32, columns: i32, coarse: usize, coarseColumns: i32, carry: i32): void {
  for (let i: i32 = 0; i < rows; i++) {
    for (let j: i32 = 0; j < columns; j++) {
      const part = 2 * (i & 1) + (j & 1);
      const from = (((i >> 1) + 1) * (coarseColumns + 2) + (j >> 1) + 1) * 4 * carry + part * carry;
      const to = ((i + 1) * (columns + 2) + j + 1) * carry;
      copyFeatures(fine + (<usize>to << 2), coarse + (<usize>from << 2), carry);
    }
  }
}

/** The transpose of `spreadCarry`: collects the gradients of the fine cells at their coarse cells. */
export function collectCarry(coarse: usize, coarseColumns: i32, fine: usize, rows: i32, columns: i32, carry: i32): void {
  for (let i: i32 = 0; i < rows; i++) {
    for (let j: i32 = 0; j < columns; j++) {
      const part = 2 * (i & 1) + (j & 1);
      const to = (((i >> 1) + 1) * (coarseColumns + 2) + (j >> 1) + 1) * 4 * carry + part * carry;
      const from = ((i + 1) * (columns + 2) + j + 1) * carry;
      copyFeatures(coarse + (<usize>to << 2), fine + (<usize>from << 2), carry);
    }
  }
}
