// The flow on integers. Scaling by R / 2^SCALE_BITS is exactly invertible because what it loses or gains goes to or comes
// from the stack (modular scale: Zhang et al., iFlow, 2021); it costs SCALE_BITS - log2 R bits, minus its log-determinant.
//
// The map is a bijection whatever a model's outputs are. A step changes one coordinate, by what depends on the context and on the
// other coordinates alone, which both sides know. Scaling acts on [-REACH, REACH) and makes of it [-edge, edge), where
// edge = REACH R / 2^bits is an integer; what lies outside moves along with the edge, and costs nothing. Shifts stay within REACH. So
// nothing wraps round: in units of REACH, |y| is below 2.3, normalising adds less than 59, the sub-steps' scales, e^2.4 in all, less
// than 11, and shear and sub-steps shift by 17 at most; an i32 holds 128.

import { alpha, beta, channels, coordinate, fieldAt, sweeps } from './field';
import { normalBits, SCALE_BITS, Y_UNIT, Z_UNIT } from './grids';
import { bounded, exp, phi } from './math';
import { projectionIndex, raw, SHEAR_BOUND, shearIndex, siteLogScale, siteMean } from './site';
import { popBits, popUniform, pushBits, pushUniform } from './stack';
import { DIVERGENCE, mark, NORMALISATION } from './tally';

const SCALE_UNIT: f32 = 4096;

/** Of y 2^18 samples, twice as many as are between two samples of 16 bits; of z 2^16 scales. A multiple of every 2^bits. */
const REACH: i32 = 1 << 24;

/** Sites are coded in groups that go through the flow step by step together: their fields are independent work. */
export const GROUP: i32 = 4;

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
export function slotOf(s: i32, k: i32): usize {
  return <usize>(4 * s + k) << 2;
}

@inline
export function setState(slot: usize, z: i32): void {
  store<i32>(state + slot, z);
  store<f32>(centres + slot, (<f32>z + 0.5) / Z_UNIT);
}

@inline
export function getState(slot: usize): i32 {
  return load<i32>(state + slot);
}

/** A shift's nearest integer within REACH. */
@inline
function toInteger(x: f32): i32 {
  return min<i32>(max<i32>(<i32>nearest<f32>(x), -REACH), REACH);
}

/** The end of what [0, REACH) is scaled to. */
@inline
function edgeOf(range: u32, bits: u32): i32 {
  return (REACH >> bits) * <i32>range;
}

@inline
function isWithin(z: i32, edge: i32): bool {
  return <u32>(z + edge) < <u32>(2 * edge);
}

/** Moves z, which lies outside of [-from, from), to where it lies as far outside of [-to, to). */
@inline
function moved(z: i32, from: i32, to: i32): i32 {
  return z < 0 ? z + from - to : z - from + to;
}

/** z <- floor(z R / 2^bits), dithered by a remainder from the stack. */
@inline
function scaleForward(z: i32, range: u32, bits: u32): i32 {
  if (!isWithin(z, REACH)) return moved(z, REACH, edgeOf(range, bits));
  const v = <i64>z * <i64>range + <i64>popUniform(range);
  pushBits(<u32>v & ((1 << bits) - 1), bits);
  return <i32>(v >> bits);
}

@inline
function scaleBackward(z: i32, range: u32, bits: u32): i32 {
  const edge = edgeOf(range, bits);
  if (!isWithin(z, edge)) return moved(z, edge, REACH);
  const v = ((<i64>z) << bits) + <i64>popBits(bits);
  let quotient = v / <i64>range;
  let remainder = v - quotient * <i64>range;
  if (remainder < 0) {
    remainder += <i64>range;
    quotient -= 1;
  }
  pushUniform(<u32>remainder, range);
  return <i32>quotient;
}

/** Prepares the normalisation z = (y - m) / s of site s's coordinate k in integers. */
@inline
export function normalise(row: usize, s: i32, k: i32, local: usize): void {
  const slot = slotOf(s, k);
  const mean = siteMean(row, local, k);
  const logScale = siteLogScale(row, local, k);
  const unit = <f32>(1 << normalBits);
  const whole = floor<f32>(mean);
  const range = nearest<f32>(unit * (Z_UNIT / Y_UNIT) * exp(-logScale));
  store<i32>(origins + slot, <i32>whole);
  store<i32>(scales + slot, <i32>range);
  store<i32>(shifts + slot, toInteger(((mean - whole) * Y_UNIT * range) / unit));
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

/** Flow of a group of sites from y (the state, relative to `origin`) to z(1). */
export function flowForward(rows: usize, rowStride: usize, sites: i32): void {
  for (let k: i32 = 0; k < channels; k++) {
    for (let s: i32 = sites - 1; s >= 0; s--) {
      const slot = slotOf(s, k);
      setState(slot, scaleForward(getState(slot), load<u32>(scales + slot), normalBits) - load<i32>(shifts + slot));
      mark(s, k, NORMALISATION);
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
        setState(slotOf(s, k), scaleForward(getState(slotOf(s, k)), range, SCALE_BITS) + shift);
        mark(s, k, DIVERGENCE);
      }
    }
  }
}

export function flowBackward(rows: usize, rowStride: usize, sites: i32): void {
  for (let n: i32 = sweeps - 1; n >= 0; n--) {
    for (let i: i32 = channels - 1; i >= 0; i--) {
      const k = coordinate(n, i);
      subSteps(rows, rowStride, sites, n, k);
      for (let s: i32 = 0; s < sites; s++) {
        const range = load<u32>(stepScales + (<usize>s << 2));
        const shift = load<i32>(stepShifts + (<usize>s << 2));
        setState(slotOf(s, k), scaleBackward(getState(slotOf(s, k)) - shift, range, SCALE_BITS));
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
      setState(slot, scaleBackward(getState(slot) + load<i32>(shifts + slot), load<u32>(scales + slot), normalBits));
    }
  }
}

/** Integer part of the location that site s's coordinate k is normalised by, in samples. */
@inline
export function origin(s: i32, k: i32): i32 {
  return load<i32>(origins + slotOf(s, k));
}

/** The flow of one site alone, for measuring it: integer state y (d values) to z(1) on the stack, or back. */
export function flowSite(row: usize, y: usize, local: usize, forward: bool): void {
  for (let k: i32 = 0; k < channels; k++) {
    const at = <usize>k << 2;
    normalise(row, 0, k, local);
    setState(slotOf(0, k), load<i32>(y + at));
  }
  if (forward) flowForward(row, 0, 1);
  else flowBackward(row, 0, 1);
  for (let k: i32 = 0; k < channels; k++) store<i32>(y + (<usize>k << 2), getState(slotOf(0, k)));
}
