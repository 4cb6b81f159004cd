// A coordinate's sample on the stack. The flow carries both edges of the sample's bin to z(1); what the base distribution, a
// mixture of logistics, holds between them is the bin's probability. In 2^24 slots a bin owns those from its lower edge's to its
// upper edge's, and one more.
//
// The slots of edges strictly increase, whatever the weights: every step from an edge to its slot is a rounded operation that
// does not fall as its argument grows (a product with a positive number, a sum, exp4 and a division, a truncation), so the slot
// without the one more does not fall, and the one more makes it rise. For exp4, whose relative error is below 2^-22, this needs
// arguments that are equal or 2^-21 apart. They are: edges are 2^shift samples apart, at least 1/64 of the scale; the flow's slope
// makes of that at least e^-2.4 / 64, and the logistic's scale e^-3.5 of that, 4.2e-5 in all. Where the floating-point numbers around
// z(1) are closer than a sixteenth of an edge's step, all roundings together take less than half of the step. Where they are farther
// apart, images of edges that differ at all differ by one such distance, of which the difference to a logistic's mean and the product
// with its scale leave a quarter at least: 6e-7 of the argument, still more than 2^-21.

import { flowBackward, flowForward, logScale, mean } from './flow';
import { LN2, LOG2E, log, sigmoid4, sum4 } from './math';
import { mixInverseScales, mixMeans, mixWeights, siteMixture } from './site';
import { peek, pop, popBits, popUniform, push, pushBits, pushUniform } from './stack';

/** Bins of a window around the mean; a sample outside goes through an escape. */
const BINS: i32 = 4096;
const BIN_BITS: u32 = 24;
const ESCAPE_SLOTS: u32 = 4096;
const ESCAPE: u32 = 16777216 - 4096;
const SHARED_SLOTS: f32 = 16777216 - 4096 - 4096;
/** Binary digits of the least distance outside the window, and how many lengths there are up to 22 digits. */
const ESCAPE_LENGTH: u32 = 12;
const ESCAPE_LENGTHS: u32 = 11;

/** The density that this coding amounts to, in the window: a share of the flow's, over a floor. */
export const BASE_SHARE: f32 = SHARED_SLOTS / 16777216;
export const FLOOR: f32 = 1.0 / 16777216;
/** Nats of the escape: its slots and the choice of a length and a sign; to which the length's digits come. */
const ESCAPE_NATS: f32 = 8.317766 + 2.3978953 + 0.6931472;

/** Where a scale is wide, a bin is 2^shift samples, of which the lower bits are coded plainly: 32 to 64 bins a scale. */
export let shift: i32 = 0;
const FINE_SCALE: i32 = 5;

/** The window's first bin. */
let first: i32 = 0;

/** Prepares the bins of the flow's coordinate. */
export function binsOpen(row: usize, k: i32): void {
  siteMixture(row, k);
  shift = max<i32>(<i32>floor<f32>(logScale * LOG2E) - FINE_SCALE, 0);
  first = (<i32>floor<f32>(mean) >> shift) - BINS / 2;
}

/** The bin of a sample, counted from the window's first. */
@inline
export function binOf(x: i32): i32 {
  return (x >> shift) - first;
}

@inline
export function inWindow(bin: i32): bool {
  return <u32>bin < <u32>BINS;
}

/** Lower edge of a bin, in samples. */
@inline
export function lowerEdge(bin: i32): f32 {
  return <f32>((first + bin) << shift);
}

/** First slot of a bin. */
export function binSlot(bin: i32): u32 {
  if (bin <= 0) return 0;
  if (bin >= BINS) return ESCAPE;
  const z = f32x4.splat(flowForward(lowerEdge(bin)));
  const shares = sigmoid4(f32x4.mul(f32x4.sub(z, mixMeans), mixInverseScales));
  const cumulative = sum4(f32x4.mul(mixWeights, shares));
  return <u32>(min<f32>(cumulative, 1) * SHARED_SLOTS) + <u32>bin;
}

/** Nats of a sample outside the window, but for its lower bits. */
export function escapeNats(bin: i32): f32 {
  return ESCAPE_NATS + <f32>(digits(distanceOf(bin)) - 1) * LN2;
}

/** Distance of a bin outside the window from its middle: at least BINS / 2 on either side. */
@inline
function distanceOf(bin: i32): u32 {
  const from = bin - BINS / 2;
  return <u32>(from < 0 ? ~from : from);
}

@inline
function digits(value: u32): u32 {
  return 32 - <u32>clz<u32>(value);
}

function pushEscaped(bin: i32): void {
  const distance = distanceOf(bin);
  const length = digits(distance);
  const leading = <u32>1 << (length - 9);
  pushBits(distance & 0xff, 8);
  pushUniform((distance >> 8) - leading, leading);
  pushUniform(length - ESCAPE_LENGTH, ESCAPE_LENGTHS);
  pushBits(bin < 0 ? 1 : 0, 1);
}

function popEscaped(): i32 {
  pop(ESCAPE, ESCAPE_SLOTS, BIN_BITS);
  const below = popBits(1);
  const length = popUniform(ESCAPE_LENGTHS) + ESCAPE_LENGTH;
  const leading = <u32>1 << (length - 9);
  const high = popUniform(leading) + leading;
  const distance = <i32>((high << 8) | popBits(8));
  return (below ? ~distance : distance) + BINS / 2;
}

/** What is pushed for a sample, to be noted until its turn comes: the stack is last in, first out. */
@unmanaged
export class Note {
  /** Slots of 2^24. */
  start: u32;
  frequency: u32;
  /** Counted from the window's first; and the bits below it. */
  bin: i32;
  low: u32;
  shift: u32;
}

/** Notes a sample of the coordinate at hand. */
export function noteSample(note: Note, x: i32): void {
  const bin = binOf(x);
  const start = inWindow(bin) ? binSlot(bin) : ESCAPE;
  note.start = start;
  note.frequency = inWindow(bin) ? binSlot(bin + 1) - start : ESCAPE_SLOTS;
  note.bin = bin;
  note.low = x & ((1 << shift) - 1);
  note.shift = shift;
}

export function pushNote(note: Note): void {
  if (note.shift) pushBits(note.low, note.shift);
  if (!inWindow(note.bin)) pushEscaped(note.bin);
  push(note.start, note.frequency, BIN_BITS);
}

/** Bits that a note will take: only for measuring. */
export function noteBits(note: Note): f32 {
  const share = <f32>BIN_BITS * LN2 - log(<f32>note.frequency);
  return (inWindow(note.bin) ? share : escapeNats(note.bin)) / LN2 + <f32>note.shift;
}

/** Pops a sample of the coordinate at hand. */
export function popSample(): i32 {
  const slot = peek(BIN_BITS);
  const bin = slot >= ESCAPE ? popEscaped() : popBin(slot);
  const low = shift ? <i32>popBits(shift) : 0;
  return ((first + bin) << shift) | low;
}

/**
 * Finds the bin of a slot: from the position to which the flow carries the slot's quantile backward, by Newton's method on the
 * slots of edges; the bracket (low, high) falls back to bisection where the density changes too fast.
 */
function popBin(slot: u32): i32 {
  let low: i32 = 0;
  let high: i32 = BINS;
  let bin = binGuess(slot);
  while (true) {
    const start = binSlot(bin);
    const end = binSlot(bin + 1);
    if (slot < start) {
      high = bin;
    } else if (slot >= end) {
      low = bin + 1;
    } else {
      pop(start, end - start, BIN_BITS);
      return bin;
    }
    const step = floor<f32>((<f32>slot - <f32>start) / <f32>(end - start));
    const next = bin + <i32>max<f32>(min<f32>(step, <f32>BINS), <f32>-BINS);
    bin = next >= low && next < high ? next : (low + high) >> 1;
  }
}

/** The bin to which a slot would belong if the base were one logistic of its mean and mean scale. */
@inline
function binGuess(slot: u32): i32 {
  const middle = sum4(f32x4.mul(mixWeights, mixMeans));
  const spread = f32x4.add(f32x4.div(f32x4.splat(1), mixInverseScales), f32x4.abs(f32x4.sub(mixMeans, f32x4.splat(middle))));
  const share: f32 = (<f32>slot + 0.5) / 16777216;
  const z = middle + sum4(f32x4.mul(mixWeights, spread)) * (log(share) - log(max<f32>(1 - share, 1e-8)));
  const y = max<f32>(min<f32>(flowBackward(z), 16777216), -16777216);
  return min<i32>(max<i32>(binOf(<i32>floor<f32>(y)), 0), BINS - 1);
}
