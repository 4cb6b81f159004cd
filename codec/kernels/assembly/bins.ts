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
// with its scale leave a quarter at least: 6e-7 of the argument, still more than 2^-21. That roundings may pass the bounds of a and
// of the logistic's scale by an ulp changes none of this.

import { flowBackward, flowForward } from './flow';
import { Coordinate, coordinate, Flow, Logistic, logistic } from './group';
import { exp4, LOG2E, log4, within4 } from './math';
import { siteOpen } from './site';

/** Bins of a window around the mean; a sample outside goes through an escape. */
export const BINS: i32 = 4096;
export const BIN_BITS: u32 = 24;
export const ESCAPE_SLOTS: u32 = 4096;
export const ESCAPE: u32 = 16777216 - 4096;
const SHARED_SLOTS: f32 = 16777216 - 4096 - 4096;

/** The density that this coding amounts to, in the window: a share of the flow's, over a floor. */
export const BASE_SHARE: f32 = SHARED_SLOTS / 16777216;
export const FLOOR: f32 = 1.0 / 16777216;

const FINE_SCALE: f32 = 5;

/**
 * Sets the window of a coordinate. Where a scale is wide, a bin is a power of two of samples, of which the lower bits are coded
 * plainly: 32 to 64 bins a scale.
 */
function binsOpen(at: Coordinate): void {
  const octave = f32x4.floor(f32x4.mul(at.logScale, f32x4.splat(LOG2E)));
  const shift = f32x4.pmax(f32x4.splat(0), f32x4.sub(octave, f32x4.splat(FINE_SCALE)));
  at.shift = i32x4.trunc_sat_f32x4_s(shift);
  at.samples = i32x4.shl(i32x4.add(i32x4.splat(127), at.shift), 23);
  at.perSample = i32x4.shl(i32x4.sub(i32x4.splat(127), at.shift), 23);
  at.first = f32x4.sub(f32x4.floor(f32x4.mul(at.mean, at.perSample)), f32x4.splat(<f32>(BINS / 2)));
}

/** Opens coordinate k of the group, but for what the coordinates before it tell (`flowGiven`). */
export function coordinateOpen(flow: Flow, k: i32): Coordinate {
  siteOpen(flow, k);
  const at = coordinate(flow, k);
  binsOpen(at);
  return at;
}

/** The bins of samples, or of positions, counted from the window's first. All numbers are small enough to be exact. */
@inline
export function binOf(at: Coordinate, y: v128): v128 {
  return f32x4.sub(f32x4.floor(f32x4.mul(y, at.perSample)), at.first);
}

/** The lanes whose bins lie in the window. */
@inline
export function inWindow(bin: v128): v128 {
  return v128.and(f32x4.ge(bin, f32x4.splat(0)), f32x4.lt(bin, f32x4.splat(<f32>BINS)));
}

/** Lower edges of bins, in samples. */
@inline
export function lowerEdge(at: Coordinate, bin: v128): v128 {
  return f32x4.mul(f32x4.add(at.first, bin), at.samples);
}

/** The slot that a share of the base below a bin's lower edge amounts to: an integer, of which float32 holds all up to 2^24. */
@inline
function slotOf(share: v128, bin: v128): v128 {
  const shared = f32x4.trunc(f32x4.mul(f32x4.pmin(f32x4.splat(1), share), f32x4.splat(SHARED_SLOTS)));
  const slot = v128.and(f32x4.add(shared, bin), f32x4.gt(bin, f32x4.splat(0)));
  return v128.bitselect(slot, f32x4.splat(<f32>ESCAPE), f32x4.lt(bin, f32x4.splat(<f32>BINS)));
}

/** What a logistic has below z: the sigmoid of (z - mean) / scale. */
@inline
function shareBelow(own: Logistic, z: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.mul(f32x4.sub(own.mean, z), own.inverseScale))));
}

/** Sets the first slots of bins, and those of the bins behind them: both edges at once, as neither waits for the other. */
export function slotsOpen(flow: Flow, at: Coordinate, bin: v128): void {
  const next = f32x4.add(bin, f32x4.splat(1));
  const lower = flowForward(at, lowerEdge(at, bin));
  const upper = flowForward(at, lowerEdge(at, next));
  let below = f32x4.splat(0);
  let upTo = f32x4.splat(0);
  for (let n: i32 = 0; n < flow.mixtures; n++) {
    const own = logistic(at, n);
    below = f32x4.add(below, f32x4.mul(own.weight, shareBelow(own, lower)));
    upTo = f32x4.add(upTo, f32x4.mul(own.weight, shareBelow(own, upper)));
  }
  at.firstSlot = slotOf(below, bin);
  at.nextSlot = slotOf(upTo, next);
}

/** Takes the slots of bins in the window, and leaves other lanes at the escape's. */
export function takeBins(flow: Flow, at: Coordinate, bin: v128): void {
  const inside = inWindow(bin);
  slotsOpen(flow, at, bin);
  const frequency = f32x4.sub(at.nextSlot, at.firstSlot);
  setBins(
    at,
    bin,
    v128.bitselect(at.firstSlot, f32x4.splat(<f32>ESCAPE), inside),
    v128.bitselect(frequency, f32x4.splat(<f32>ESCAPE_SLOTS), inside),
  );
}

@inline
function setBins(at: Coordinate, bin: v128, start: v128, frequency: v128): void {
  at.bin = i32x4.trunc_sat_f32x4_s(bin);
  at.start = i32x4.trunc_sat_f32x4_s(start);
  at.frequency = i32x4.trunc_sat_f32x4_s(frequency);
}

/**
 * Finds the bins of slots in the `wanted` lanes: from the position to which the flow carries a slot's quantile backward, by Newton's
 * method on the slots of edges; the bracket (low, high) falls back to bisection where the density changes too fast.
 */
export function findBins(flow: Flow, at: Coordinate, slot: v128, wanted: v128): void {
  const one = f32x4.splat(1);
  let low = f32x4.splat(0);
  let high = f32x4.splat(<f32>BINS);
  let bin = binGuess(flow, at, slot);
  while (true) {
    slotsOpen(flow, at, bin);
    const start = at.firstSlot;
    const end = at.nextSlot;
    const below = f32x4.lt(slot, start);
    const above = f32x4.ge(slot, end);
    const missed = v128.and(v128.or(below, above), wanted);
    const frequency = f32x4.sub(end, start);
    if (!v128.any_true(missed)) return setBins(at, bin, start, frequency);
    high = v128.bitselect(bin, high, below);
    low = v128.bitselect(f32x4.add(bin, one), low, above);
    const step = f32x4.floor(f32x4.div(f32x4.sub(slot, start), frequency));
    const next = f32x4.add(bin, within4(step, <f32>-BINS, <f32>BINS));
    const middle = f32x4.floor(f32x4.mul(f32x4.add(low, high), f32x4.splat(0.5)));
    const inside = v128.and(f32x4.ge(next, low), f32x4.lt(next, high));
    bin = v128.bitselect(v128.bitselect(next, middle, inside), bin, missed);
  }
}

/** About the bins to which slots belong: those of the base's quantiles, carried backward. */
@inline
function binGuess(flow: Flow, at: Coordinate, slot: v128): v128 {
  const one = f32x4.splat(1);
  const share = f32x4.mul(f32x4.add(slot, f32x4.splat(0.5)), f32x4.splat(1.0 / 16777216));
  const rest = f32x4.pmax(f32x4.splat(1e-8), f32x4.sub(one, share));
  const logit = log4(f32x4.div(share, rest));
  // One step costs half of what a missed bin does and saves most of them; a second saves less than it costs.
  const z = nearerQuantile(flow, at, quantileGuess(flow, at, logit), logit);
  const y = within4(flowBackward(at, z), -16777216, 16777216);
  return within4(binOf(at, y), 0, <f32>(BINS - 1));
}

/** Where the base's distribution would have the given logits if it were one logistic of its mean and mean scale. */
@inline
function quantileGuess(flow: Flow, at: Coordinate, logit: v128): v128 {
  const one = f32x4.splat(1);
  let middle = f32x4.splat(0);
  for (let n: i32 = 0; n < flow.mixtures; n++) {
    const own = logistic(at, n);
    middle = f32x4.add(middle, f32x4.mul(own.weight, own.mean));
  }
  let spread = f32x4.splat(0);
  for (let n: i32 = 0; n < flow.mixtures; n++) {
    const own = logistic(at, n);
    const reach = f32x4.add(f32x4.div(one, own.inverseScale), f32x4.abs(f32x4.sub(own.mean, middle)));
    spread = f32x4.add(spread, f32x4.mul(own.weight, reach));
  }
  return f32x4.add(middle, f32x4.mul(spread, logit));
}

/** A step of Newton's method to where the base's distribution G has the given logits: log (G / (1 - G)) is nearly linear. */
@inline
function nearerQuantile(flow: Flow, at: Coordinate, z: v128, logit: v128): v128 {
  let below = f32x4.splat(0);
  let above = f32x4.splat(0);
  let density = f32x4.splat(0);
  for (let n: i32 = 0; n < flow.mixtures; n++) {
    const own = logistic(at, n);
    const e = exp4(f32x4.mul(f32x4.sub(own.mean, z), own.inverseScale));
    const left = f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), e));
    const weighted = f32x4.mul(own.weight, left);
    const right = f32x4.mul(e, left);
    below = f32x4.add(below, weighted);
    above = f32x4.add(above, f32x4.mul(own.weight, right));
    density = f32x4.add(density, f32x4.mul(f32x4.mul(weighted, right), own.inverseScale));
  }
  const missing = f32x4.sub(logit, log4(f32x4.div(below, above)));
  return f32x4.add(z, f32x4.div(f32x4.mul(f32x4.mul(below, above), missing), density));
}
