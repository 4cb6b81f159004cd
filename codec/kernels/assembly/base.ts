// The base density on the stack: z(1) of one coordinate as a symbol of its mixture of logistics.

import { Z_UNIT } from './grids';
import { log, sigmoid4, sum4 } from './math';
import { mixInverseScales, mixMeans, mixWeights, siteMixture } from './site';
import { peek, pop, popBits, popUniform, push, pushBits, pushUniform } from './stack';

/**
 * Base symbols lie in a window of z of [-16, 16) and are coded in 2^24 slots: one is given to every symbol and 4096 to the
 * escape, behind which a z outside the window is coded by sign, length and digits: a density that falls like 1 / |z|.
 */
const SYMBOLS: i32 = 8192;
const SYMBOL_BITS: u32 = 24;
const ESCAPE_SLOTS: u32 = 4096;
const ESCAPE: u32 = 16777216 - 4096;
const SYMBOL_SLOTS: f32 = 16777216 - 4096 - 8192;
/** Binary digits of the least magnitude outside the window, and how many lengths there are up to 31 digits. */
const ESCAPE_LENGTH: u32 = 13;
const ESCAPE_LENGTHS: u32 = 19;

/** The density of z that this coding amounts to: within the window a share of the mixture's, over a floor; */
export const WINDOW: f32 = <f32>(SYMBOLS / 2) / Z_UNIT;
export const BASE_SHARE: f32 = SYMBOL_SLOTS / 16777216;
export const FLOOR_DENSITY: f32 = Z_UNIT / 16777216;
/** outside, by the mean of log2 over an octave of lengths, this much over |z|: sqrt(2) / 2 for digits and sign. */
export const TAIL_DENSITY: f32 = ((<f32>ESCAPE_SLOTS / 16777216) * 0.7071067811865476) / <f32>ESCAPE_LENGTHS;

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

function pushEscaped(z: i32): void {
  const magnitude = <u32>(z < 0 ? ~z : z);
  const length = 32 - <u32>clz<u32>(magnitude);
  const first = <u32>1 << (length - 9);
  pushBits(magnitude & 0xff, 8);
  pushUniform((magnitude >> 8) - first, first);
  pushUniform(length - ESCAPE_LENGTH, ESCAPE_LENGTHS);
  pushBits(z < 0 ? 1 : 0, 1);
}

function popEscaped(): i32 {
  const negative = popBits(1);
  const length = popUniform(ESCAPE_LENGTHS) + ESCAPE_LENGTH;
  const first = <u32>1 << (length - 9);
  const high = popUniform(first) + first;
  const magnitude = <i32>((high << 8) | popBits(8));
  return negative ? ~magnitude : magnitude;
}

/** Pushes z, in units of 2^-Z_BITS, of coordinate k. */
export function pushSymbol(row: usize, k: i32, z: i32): void {
  siteMixture(row, k);
  const i = z + SYMBOLS / 2;
  if (<u32>i < <u32>SYMBOLS) {
    const start = symbolSlot(i);
    push(start, symbolSlot(i + 1) - start, SYMBOL_BITS);
  } else {
    pushEscaped(z);
    push(ESCAPE, ESCAPE_SLOTS, SYMBOL_BITS);
  }
}

/** Pops the z of coordinate k. */
export function popSymbol(row: usize, k: i32): i32 {
  siteMixture(row, k);
  const slot = peek(SYMBOL_BITS);
  if (slot >= ESCAPE) {
    pop(ESCAPE, ESCAPE_SLOTS, SYMBOL_BITS);
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

