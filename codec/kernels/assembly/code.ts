// Coding the sites of a lattice row on the stack. The flow acts on integers: y on a grid of 2^-Y_BITS of a sample, z on a
// grid of 2^-Z_BITS of the site's scale. Scaling by R / 2^SCALE_BITS is exactly invertible because what it loses or gains
// goes to or comes from the stack (modular scale: Zhang et al., iFlow, 2021); it costs SCALE_BITS - log2 R bits, minus its
// log-determinant.

import { alpha, beta, channels, fieldAt, sweeps } from './field';
import { exp, phi, sigmoid4, sum4 } from './math';
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
import { bounded } from './math';
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

/** The integer state of the site being coded, and the same as float32, cell centres in units of the scale. */
const state: usize = memory.data(16);
const centres: usize = memory.data(16);
/** Location of each coordinate: integer part, and the scale R of its normalisation and shift. */
const origins: usize = memory.data(16);
const scales: usize = memory.data(16);
const shifts: usize = memory.data(16);

@inline
function setState(k: i32, z: i32): void {
  store<i32>(state + (<usize>k << 2), z);
  store<f32>(centres + (<usize>k << 2), (<f32>z + 0.5) / Z_UNIT);
}

@inline
function getState(k: i32): i32 {
  return load<i32>(state + (<usize>k << 2));
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
  let low: i32 = 0;
  let high: i32 = BINS;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (binSlot(middle) <= slot) low = middle;
    else high = middle;
  }
  const start = binSlot(low);
  pop(start, binSlot(low + 1) - start, BIN_BITS);
  return binMirrored ? BINS - 1 - low : low;
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
  let low: i32 = 0;
  let high: i32 = SYMBOLS;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (symbolSlot(middle) <= slot) low = middle;
    else high = middle;
  }
  const start = symbolSlot(low);
  pop(start, symbolSlot(low + 1) - start, SYMBOL_BITS);
  return low - SYMBOLS / 2;
}

/** Integer parts of the normalisation z = (y - m) / s of coordinate k. */
@inline
function normalisation(k: i32, mean: f32, logScale: f32): void {
  const at = <usize>k << 2;
  const whole = floor<f32>(mean);
  const range = nearest<f32>(SCALE_UNIT * (Z_UNIT / Y_UNIT) * exp(-logScale));
  store<i32>(origins + at, <i32>whole);
  store<i32>(scales + at, <i32>range);
  store<i32>(shifts + at, toInteger(((mean - whole) * Y_UNIT * range) / SCALE_UNIT));
}

/** Shift of coordinate k by the linear form of the coordinates before it. */
@inline
function shear(row: usize, k: i32): i32 {
  let sum: f32 = 0;
  for (let o: i32 = 0; o < k; o++) {
    sum += bounded(raw(row, shearIndex(k, o)), SHEAR_BOUND) * load<f32>(centres + (<usize>o << 2));
  }
  return toInteger(sum * Z_UNIT);
}

/** Scale and shift of the exact flow of coordinate k's part of the field over sweep n. */
let stepRange: u32 = 0;
let stepShift: i32 = 0;

@inline
function subStep(row: usize, n: i32, k: i32): void {
  fieldAt(n, k, row + (<usize>projectionIndex() << 2), centres);
  const e = exp(alpha);
  stepRange = <u32>nearest<f32>(SCALE_UNIT * e);
  stepShift = toInteger(beta * phi(alpha, e) * Z_UNIT);
}

/** Coordinate of sub-step i of sweep n: sweeps alternate in direction, so that two of them make a symmetric step. */
@inline
function coordinate(n: i32, i: i32): i32 {
  return n & 1 ? channels - 1 - i : i;
}

/** Flow from y (in `state`, relative to `origins`) to z(1). */
function flowForward(row: usize): void {
  for (let k: i32 = 0; k < channels; k++) {
    const at = <usize>k << 2;
    setState(k, scaleForward(getState(k), load<u32>(scales + at)) - load<i32>(shifts + at));
  }
  for (let k: i32 = 1; k < channels; k++) setState(k, getState(k) + shear(row, k));
  for (let n: i32 = 0; n < sweeps; n++) {
    for (let i: i32 = 0; i < channels; i++) {
      const k = coordinate(n, i);
      subStep(row, n, k);
      setState(k, scaleForward(getState(k), stepRange) + stepShift);
    }
  }
}

function flowBackward(row: usize): void {
  for (let n: i32 = sweeps - 1; n >= 0; n--) {
    for (let i: i32 = channels - 1; i >= 0; i--) {
      const k = coordinate(n, i);
      subStep(row, n, k);
      setState(k, scaleBackward(getState(k) - stepShift, stepRange));
    }
  }
  for (let k: i32 = channels - 1; k > 0; k--) setState(k, getState(k) - shear(row, k));
  for (let k: i32 = channels - 1; k >= 0; k--) {
    const at = <usize>k << 2;
    setState(k, scaleBackward(getState(k) + load<i32>(shifts + at), load<u32>(scales + at)));
  }
}

/** Encodes one site. `trace`, if not 0, receives the dequantized u of each coordinate, 0 .. 1, as float32. */
function encodeSite(row: usize, x: usize, predictions: usize, trace: usize): void {
  for (let k: i32 = 0; k < channels; k++) {
    const at = <usize>k << 2;
    const mean = siteMean(row, load<f32>(predictions + at), k);
    const logScale = siteLogScale(row, k);
    const sample = load<f32>(x + at);
    siteBin(row, sample, mean, logScale, k);
    const u = popBin();
    if (trace) store<f32>(trace + at, (<f32>u + 0.5) / Y_UNIT);
    normalisation(k, mean, logScale);
    setState(k, ((<i32>sample - load<i32>(origins + at)) << Y_BITS) + u);
  }
  flowForward(row);
  for (let k: i32 = 0; k < channels; k++) {
    siteMixture(row, k);
    pushSymbol(getState(k));
  }
}

function decodeSite(row: usize, x: usize, predictions: usize): void {
  for (let k: i32 = channels - 1; k >= 0; k--) {
    siteMixture(row, k);
    setState(k, popSymbol());
    normalisation(k, siteMean(row, load<f32>(predictions + (<usize>k << 2)), k), siteLogScale(row, k));
  }
  flowBackward(row);
  for (let k: i32 = channels - 1; k >= 0; k--) {
    const at = <usize>k << 2;
    const y = getState(k);
    const sample = <f32>((y >> Y_BITS) + load<i32>(origins + at));
    store<f32>(x + at, sample);
    siteBin(row, sample, siteMean(row, load<f32>(predictions + at), k), siteLogScale(row, k), k);
    pushBin(y & ((1 << Y_BITS) - 1));
  }
}

/**
 * Pushes the samples of `columns` sites, last site first: `head` holds `headSize` floats a site, `x` and `predictions` one
 * float32 a coordinate. `trace` is 0 or receives the dequantized u.
 */
export function encodeRow(head: usize, headSize: i32, x: usize, predictions: usize, columns: i32, trace: usize): void {
  const stride = <usize>channels << 2;
  for (let j: i32 = columns - 1; j >= 0; j--) {
    const at = <usize>j * stride;
    encodeSite(head + (<usize>(j * headSize) << 2), x + at, predictions + at, trace ? trace + at : 0);
  }
}

/** Pops what `encodeRow` pushed, first site first, into `x`. */
export function decodeRow(head: usize, headSize: i32, x: usize, predictions: usize, columns: i32): void {
  const stride = <usize>channels << 2;
  for (let j: i32 = 0; j < columns; j++) {
    const at = <usize>j * stride;
    decodeSite(head + (<usize>(j * headSize) << 2), x + at, predictions + at);
  }
}

/** The flow of one site alone, for measuring it: integer state y (d values) to z(1), with what it takes from the stack. */
export function flowSite(row: usize, y: usize, predictions: usize, forward: bool): void {
  for (let k: i32 = 0; k < channels; k++) {
    const at = <usize>k << 2;
    normalisation(k, siteMean(row, load<f32>(predictions + at), k), siteLogScale(row, k));
    setState(k, load<i32>(y + at));
  }
  if (forward) flowForward(row);
  else flowBackward(row);
  for (let k: i32 = 0; k < channels; k++) store<i32>(y + (<usize>k << 2), getState(k));
}
