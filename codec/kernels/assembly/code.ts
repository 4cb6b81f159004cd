// Coding the sites of a lattice row on the stack. The flow acts on integers: y on a grid of 2^-Y_BITS of a sample, z on a
// grid of 2^-Z_BITS of the site's scale. Scaling by R / 2^SCALE_BITS is exactly invertible because what it loses or gains
// goes to or comes from the stack (modular scale: Zhang et al., iFlow, 2021); it costs SCALE_BITS - log2 R bits, minus its
// log-determinant.

import { alpha, beta, channels, fieldAt, sweeps } from './field';
import { bounded, exp, log, phi, sigmoid4, sum4 } from './math';
import {
  binMirrored,
  binStart,
  binWidth,
  mixInverseScales,
  mixMeans,
  mixWeights,
  projectionIndex,
  raw,
  shearIndex,
  SHEAR_BOUND,
  siteBin,
  siteLogScale,
  siteMean,
  siteMixture,
} from './site';
import { peek, pop, popBits, popUniform, push, pushBits, pushUniform } from './stack';

const Y_BITS: u32 = 6;
const Z_BITS: u32 = 8;
const SCALE_BITS: u32 = 12;

const Y_UNIT: f32 = 64;
const Z_UNIT: f32 = 256;
const SCALE_UNIT: f32 = 4096;

/** The dequantizer's bins are coded in 2^16 slots, two of them given to every bin. */
const BINS: i32 = 64;
const BIN_BITS: u32 = 16;
const BIN_SLOTS: f32 = 65536 - 128;

/** Base symbols lie in a window of z of [-16, 16), coded in 2^24 slots, one given to every symbol and one to the escape. */
const SYMBOLS: i32 = 8192;
const SYMBOL_BITS: u32 = 24;
const SYMBOL_SLOTS: f32 = 16777216 - 8192 - 1;
const ESCAPE: u32 = 16777215;

/** Sites are coded in groups that go through the flow step by step together: their fields are independent work. */
const GROUP: i32 = 4;

/** Of each site of the group, 16 bytes: the integer state, and the same as float32, cell centres in units of the scale. */
const state: usize = memory.data(64);
const centres: usize = memory.data(64);
/** Normalisation of each coordinate: integer part of the location, scale R, shift. */
const origins: usize = memory.data(64);
const scales: usize = memory.data(64);
const shifts: usize = memory.data(64);
/** The sub-step at hand: each site's scale R and shift. */
const stepScales: usize = memory.data(16);
const stepShifts: usize = memory.data(16);

@inline
function slotOf(s: i32, k: i32): usize {
  return <usize>(4 * s + k) << 2;
}

@inline
function setState(slot: usize, z: i32): void {
  store<i32>(state + slot, z);
  store<f32>(centres + slot, (<f32>z + 0.5) / Z_UNIT);
}

@inline
function getState(slot: usize): i32 {
  return load<i32>(state + slot);
}

@inline
function toInteger(x: f32): i32 {
  return <i32>nearest<f32>(x);
}

/** z <- floor(z R / 2^SCALE_BITS), dithered by a remainder from the stack. */
@inline
function scaleForward(z: i32, range: u32): i32 {
  const v = <i64>z * <i64>range + <i64>popUniform(range);
  pushBits(<u32>v & ((1 << SCALE_BITS) - 1), SCALE_BITS);
  return <i32>(v >> SCALE_BITS);
}

@inline
function scaleBackward(z: i32, range: u32): i32 {
  const v = ((<i64>z) << SCALE_BITS) + <i64>popBits(SCALE_BITS);
  let quotient = v / <i64>range;
  let remainder = v - quotient * <i64>range;
  if (remainder < 0) {
    remainder += <i64>range;
    quotient -= 1;
  }
  pushUniform(<u32>remainder, range);
  return <i32>quotient;
}

let binFactor: f32 = 0;
let binBase: f32 = 0;

/** First slot of the dequantizer's bin j: the truncated logistic's cumulative function, free of cancellation. */
@inline
function binSlot(j: i32): u32 {
  if (j <= 0) return 0;
  if (j >= BINS) return 1 << BIN_BITS;
  const e = exp((<f32>j * binWidth) / Y_UNIT);
  const cumulative = min<f32>(((e - 1) / (1 + binBase * e)) * binFactor, 1);
  return <u32>(cumulative * BIN_SLOTS) + 2 * <u32>j;
}

@inline
function binOpen(): void {
  const e = exp(binWidth);
  binBase = exp(binStart);
  binFactor = (1 + binBase * e) / (e - 1);
}

function popBin(): i32 {
  binOpen();
  const slot = peek(BIN_BITS);
  // The quantile function finds the bin but for rounding: log(1 + c) - log(1 - c e^A), c = q / ((1 + e^(A+D)) / (e^D - 1)).
  const c: f32 = <f32>slot / (65536 * binFactor);
  const w = log(1 + c) - log(max<f32>(1 - c * binBase, 1e-30));
  let j = min<i32>(max<i32>(<i32>((w / binWidth) * Y_UNIT), 0), BINS - 1);
  let start = binSlot(j);
  let end = binSlot(j + 1);
  while (slot < start) {
    end = start;
    start = binSlot(--j);
  }
  while (slot >= end) {
    start = end;
    end = binSlot(++j + 1);
  }
  pop(start, end - start, BIN_BITS);
  return binMirrored ? BINS - 1 - j : j;
}

function pushBin(u: i32): void {
  binOpen();
  const j = binMirrored ? BINS - 1 - u : u;
  const start = binSlot(j);
  push(start, binSlot(j + 1) - start, BIN_BITS);
}

/** First slot of base symbol i: every step is monotone in i, so the sum of the rounded parts is too. */
@inline
function symbolSlot(i: i32): u32 {
  if (i <= 0) return 0;
  if (i >= SYMBOLS) return ESCAPE;
  const edge = f32x4.splat(<f32>(i - SYMBOLS / 2) / Z_UNIT);
  const cumulative = sum4(
    f32x4.mul(mixWeights, sigmoid4(f32x4.mul(f32x4.sub(edge, mixMeans), mixInverseScales))),
  );
  return <u32>(min<f32>(cumulative, 1) * SYMBOL_SLOTS) + <u32>i;
}

/** A z outside the window: sign, length and digits of its magnitude. */
function pushEscaped(z: i32): void {
  const magnitude = <u32>abs(z);
  const length = 32 - <u32>clz<u32>(magnitude);
  pushUniform(magnitude & 0xff, 256);
  pushUniform(magnitude >> 8, <u32>1 << (length - 8));
  pushUniform(length, 32);
  pushBits(z < 0 ? 1 : 0, 1);
}

function popEscaped(): i32 {
  const negative = popBits(1);
  const length = max<u32>(popUniform(32), 12);
  const high = popUniform(<u32>1 << (length - 8));
  const magnitude = <i32>((high << 8) | popUniform(256));
  return negative ? -magnitude : magnitude;
}

function pushSymbol(z: i32): void {
  const i = z + SYMBOLS / 2;
  if (<u32>i < <u32>SYMBOLS) {
    const start = symbolSlot(i);
    push(start, symbolSlot(i + 1) - start, SYMBOL_BITS);
  } else {
    pushEscaped(z);
    push(ESCAPE, 1, SYMBOL_BITS);
  }
}

function popSymbol(): i32 {
  const slot = peek(SYMBOL_BITS);
  if (slot == ESCAPE) {
    pop(ESCAPE, 1, SYMBOL_BITS);
    return popEscaped();
  }
  // Newton's method on the cumulative function, from where one logistic of the mixture's mean and scale would have it; the
  // bracket (low, high) falls back to bisection where the density changes too fast.
  let low: i32 = 0;
  let high: i32 = SYMBOLS;
  let i = symbolGuess(slot);
  while (true) {
    const start = symbolSlot(i);
    const end = symbolSlot(i + 1);
    if (slot < start) {
      high = i;
    } else if (slot >= end) {
      low = i + 1;
    } else {
      pop(start, end - start, SYMBOL_BITS);
      return i - SYMBOLS / 2;
    }
    const next = i + <i32>floor<f32>(<f32>(<i32>slot - <i32>start) / <f32>(end - start));
    i = next >= low && next < high ? next : (low + high) >> 1;
  }
}

@inline
function symbolGuess(slot: u32): i32 {
  const mean = sum4(f32x4.mul(mixWeights, mixMeans));
  const spread = f32x4.add(f32x4.div(f32x4.splat(1), mixInverseScales), f32x4.abs(f32x4.sub(mixMeans, f32x4.splat(mean))));
  const share: f32 = (<f32>slot + 0.5) / 16777216;
  const z = mean + sum4(f32x4.mul(mixWeights, spread)) * (log(share) - log(max<f32>(1 - share, 1e-8)));
  return min<i32>(max<i32>(<i32>floor<f32>(z * Z_UNIT) + SYMBOLS / 2, 0), SYMBOLS - 1);
}

/** Integer parts of the normalisation z = (y - m) / s. */
@inline
function normalisation(slot: usize, mean: f32, logScale: f32): void {
  const whole = floor<f32>(mean);
  const range = nearest<f32>(SCALE_UNIT * (Z_UNIT / Y_UNIT) * exp(-logScale));
  store<i32>(origins + slot, <i32>whole);
  store<i32>(scales + slot, <i32>range);
  store<i32>(shifts + slot, toInteger(((mean - whole) * Y_UNIT * range) / SCALE_UNIT));
}

/** Shift of site s's coordinate k by the linear form of the coordinates before it. */
@inline
function shear(row: usize, s: i32, k: i32): i32 {
  let sum: f32 = 0;
  for (let o: i32 = 0; o < k; o++) {
    sum += bounded(raw(row, shearIndex(k, o)), SHEAR_BOUND) * load<f32>(centres + slotOf(s, o));
  }
  return toInteger(sum * Z_UNIT);
}

/** Scale and shift of the exact flow of coordinate k's part of the field over sweep n, for each of the sites. */
@inline
function subSteps(rows: usize, rowStride: usize, sites: i32, n: i32, k: i32): void {
  const projection = rows + (<usize>projectionIndex() << 2);
  for (let s: i32 = 0; s < sites; s++) {
    fieldAt(n, k, projection + <usize>s * rowStride, centres + slotOf(s, 0));
    const e = exp(alpha);
    store<i32>(stepScales + (<usize>s << 2), <i32>nearest<f32>(SCALE_UNIT * e));
    store<i32>(stepShifts + (<usize>s << 2), toInteger(beta * phi(alpha, e) * Z_UNIT));
  }
}

/** Coordinate of sub-step i of sweep n: sweeps alternate in direction, so that two of them make a symmetric step. */
@inline
function coordinate(n: i32, i: i32): i32 {
  return n & 1 ? channels - 1 - i : i;
}

/** Flow of a group of sites from y (in `state`, relative to `origins`) to z(1). */
function flowForward(rows: usize, rowStride: usize, sites: i32): void {
  for (let k: i32 = 0; k < channels; k++) {
    for (let s: i32 = sites - 1; s >= 0; s--) {
      const slot = slotOf(s, k);
      setState(slot, scaleForward(getState(slot), load<u32>(scales + slot)) - load<i32>(shifts + slot));
    }
  }
  for (let s: i32 = 0; s < sites; s++) {
    for (let k: i32 = 1; k < channels; k++) {
      setState(slotOf(s, k), getState(slotOf(s, k)) + shear(rows + <usize>s * rowStride, s, k));
    }
  }
  for (let n: i32 = 0; n < sweeps; n++) {
    for (let i: i32 = 0; i < channels; i++) {
      const k = coordinate(n, i);
      subSteps(rows, rowStride, sites, n, k);
      for (let s: i32 = sites - 1; s >= 0; s--) {
        const range = load<u32>(stepScales + (<usize>s << 2));
        const shift = load<i32>(stepShifts + (<usize>s << 2));
        setState(slotOf(s, k), scaleForward(getState(slotOf(s, k)), range) + shift);
      }
    }
  }
}

function flowBackward(rows: usize, rowStride: usize, sites: i32): void {
  for (let n: i32 = sweeps - 1; n >= 0; n--) {
    for (let i: i32 = channels - 1; i >= 0; i--) {
      const k = coordinate(n, i);
      subSteps(rows, rowStride, sites, n, k);
      for (let s: i32 = 0; s < sites; s++) {
        const range = load<u32>(stepScales + (<usize>s << 2));
        const shift = load<i32>(stepShifts + (<usize>s << 2));
        setState(slotOf(s, k), scaleBackward(getState(slotOf(s, k)) - shift, range));
      }
    }
  }
  for (let s: i32 = 0; s < sites; s++) {
    for (let k: i32 = channels - 1; k > 0; k--) {
      setState(slotOf(s, k), getState(slotOf(s, k)) - shear(rows + <usize>s * rowStride, s, k));
    }
  }
  for (let k: i32 = channels - 1; k >= 0; k--) {
    for (let s: i32 = 0; s < sites; s++) {
      const slot = slotOf(s, k);
      setState(slot, scaleBackward(getState(slot) + load<i32>(shifts + slot), load<u32>(scales + slot)));
    }
  }
}

/** Encodes a group of sites. `trace`, if not 0, receives the dequantized u of each coordinate, 0 .. 1, as float32. */
function encodeGroup(rows: usize, rowStride: usize, x: usize, predictions: usize, sites: i32, trace: usize): void {
  const stride = <usize>channels << 2;
  for (let s: i32 = sites - 1; s >= 0; s--) {
    const row = rows + <usize>s * rowStride;
    for (let k: i32 = 0; k < channels; k++) {
      const slot = slotOf(s, k);
      const at = <usize>s * stride + (<usize>k << 2);
      const mean = siteMean(row, load<f32>(predictions + at), k);
      const logScale = siteLogScale(row, k);
      const sample = load<f32>(x + at);
      siteBin(row, sample, mean, logScale, k);
      const u = popBin();
      if (trace) store<f32>(trace + at, (<f32>u + 0.5) / Y_UNIT);
      normalisation(slot, mean, logScale);
      store<i32>(state + slot, ((<i32>sample - load<i32>(origins + slot)) << Y_BITS) + u);
    }
  }
  flowForward(rows, rowStride, sites);
  for (let s: i32 = sites - 1; s >= 0; s--) {
    for (let k: i32 = 0; k < channels; k++) {
      siteMixture(rows + <usize>s * rowStride, k);
      pushSymbol(getState(slotOf(s, k)));
    }
  }
}

function decodeGroup(rows: usize, rowStride: usize, x: usize, predictions: usize, sites: i32): void {
  const stride = <usize>channels << 2;
  for (let s: i32 = 0; s < sites; s++) {
    const row = rows + <usize>s * rowStride;
    for (let k: i32 = channels - 1; k >= 0; k--) {
      const prediction = load<f32>(predictions + <usize>s * stride + (<usize>k << 2));
      normalisation(slotOf(s, k), siteMean(row, prediction, k), siteLogScale(row, k));
      siteMixture(row, k);
      setState(slotOf(s, k), popSymbol());
    }
  }
  flowBackward(rows, rowStride, sites);
  for (let s: i32 = 0; s < sites; s++) {
    const row = rows + <usize>s * rowStride;
    for (let k: i32 = channels - 1; k >= 0; k--) {
      const slot = slotOf(s, k);
      const at = <usize>s * stride + (<usize>k << 2);
      const y = getState(slot);
      const sample = <f32>((y >> Y_BITS) + load<i32>(origins + slot));
      store<f32>(x + at, sample);
      siteBin(row, sample, siteMean(row, load<f32>(predictions + at), k), siteLogScale(row, k), k);
      pushBin(y & ((1 << Y_BITS) - 1));
    }
  }
}

/**
 * Pushes the samples of `columns` sites, last group first: `head` holds `headSize` floats a site, `x` and `predictions` one
 * float32 a coordinate. `trace` is 0 or receives the dequantized u.
 */
export function encodeRow(head: usize, headSize: i32, x: usize, predictions: usize, columns: i32, trace: usize): void {
  const rowStride = <usize>headSize << 2;
  for (let j: i32 = (columns - 1) & ~(GROUP - 1); j >= 0; j -= GROUP) {
    const at = <usize>(j * channels) << 2;
    const sites = min<i32>(GROUP, columns - j);
    encodeGroup(head + <usize>j * rowStride, rowStride, x + at, predictions + at, sites, trace ? trace + at : 0);
  }
}

/** Pops what `encodeRow` pushed, first group first, into `x`. */
export function decodeRow(head: usize, headSize: i32, x: usize, predictions: usize, columns: i32): void {
  const rowStride = <usize>headSize << 2;
  for (let j: i32 = 0; j < columns; j += GROUP) {
    const at = <usize>(j * channels) << 2;
    decodeGroup(head + <usize>j * rowStride, rowStride, x + at, predictions + at, min<i32>(GROUP, columns - j));
  }
}

/** The flow of one site alone, for measuring it: integer state y (d values) to z(1) on the stack, or back. */
export function flowSite(row: usize, y: usize, predictions: usize, forward: bool): void {
  for (let k: i32 = 0; k < channels; k++) {
    const at = <usize>k << 2;
    normalisation(slotOf(0, k), siteMean(row, load<f32>(predictions + at), k), siteLogScale(row, k));
    setState(slotOf(0, k), load<i32>(y + at));
  }
  if (forward) flowForward(row, 0, 1);
  else flowBackward(row, 0, 1);
  for (let k: i32 = 0; k < channels; k++) store<i32>(y + (<usize>k << 2), getState(slotOf(0, k)));
}
