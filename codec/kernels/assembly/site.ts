// What the head's raw outputs at a site mean: one set of formulas for the coded map and for the trained one. The order of
// the outputs is that of `headLayout` in the model definition.
// A row holds, for d coordinates and K logistics: mean, logScale (d each), the shear's lower triangle, mixture logits, means and
// log-scales (d x K each), and the field's projection (d x hidden).

import { highestLogScale, meanLimit } from './depth';
import { coordinate, Flow, logistic, raw } from './group';
import { bounded4, exp4, within4 } from './math';

export const LOG_SCALE_CENTRE: f32 = -0.5;
export const LOG_SCALE_BOUND: f32 = 3;
/** log s is never less than this, whatever its neighbours say. */
export const LOWEST_LOG_SCALE: f32 = -2.7;
export const SHEAR_BOUND: f32 = 4;
export const MIX_MEAN_BOUND: f32 = 12;
export const MIX_LOG_SCALE_BOUND: f32 = 3.5;

/**
 * How fast the outputs of a head go on learning, beside its logarithms of scales and its shear (models/README.md has what was tried): the mean
 * slowly, as the correction learns what it misses, the mixture fast, as it tells how an image's noise is distributed.
 */
const MEAN_RATE: f32 = 0.1;
const MIX_LOGIT_RATE: f32 = 6;
const MIX_MEAN_RATE: f32 = 3;
const MIX_LOG_SCALE_RATE: f32 = 2;
const PROJECTION_RATE: f32 = 2;

/** Writes the relative rates of a head's `size` outputs. */
export function headRates(rates: usize, channels: i32, mixtures: i32, size: i32): void {
  const logits = firstLogit(channels);
  const block = channels * mixtures;
  for (let i: i32 = 0; i < size; i++) {
    let rate: f32 = 1;
    if (i < channels) rate = MEAN_RATE;
    else if (i >= logits + 3 * block) rate = PROJECTION_RATE;
    else if (i >= logits + 2 * block) rate = MIX_LOG_SCALE_RATE;
    else if (i >= logits + block) rate = MIX_MEAN_RATE;
    else if (i >= logits) rate = MIX_LOGIT_RATE;
    store<f32>(rates + (<usize>i << 2), rate);
  }
}

@inline
export function logScaleIndex(flow: Flow, k: i32): i32 {
  return flow.channels + k;
}

/** Index of the shear's coefficient of coordinate o in coordinate k > o, in the row. */
@inline
export function shearIndex(flow: Flow, k: i32, o: i32): i32 {
  return 2 * flow.channels + ((k * (k - 1)) >> 1) + o;
}

/** Index of the first of the mixtures' logits, behind means, logarithms of scales and the shear. */
@inline
function firstLogit(channels: i32): i32 {
  return 2 * channels + ((channels * (channels - 1)) >> 1);
}

@inline
export function mixtureIndex(flow: Flow, k: i32): i32 {
  return firstLogit(flow.channels) + k * flow.mixtures;
}

@inline
export function projectionIndex(flow: Flow): i32 {
  return mixtureIndex(flow, 3 * flow.channels);
}

/** What `features` tells of the sites' known neighbours: of each coordinate their mean, their spread, and its logarithm. */
@inline
function localMean(flow: Flow, k: i32): v128 {
  return v128.load(flow.locals + (<usize>k << 4));
}

@inline
export function localSpread(flow: Flow, k: i32): v128 {
  return v128.load(flow.locals + (<usize>(flow.channels + k) << 4));
}

@inline
function localLogSpread(flow: Flow, k: i32): v128 {
  return v128.load(flow.locals + (<usize>(2 * flow.channels + k) << 4));
}

/** Sets what coordinate k's density has of its own: what no other coordinate changes. */
export function siteOpen(flow: Flow, k: i32): void {
  const at = coordinate(flow, k);
  // The location m, in sample units: relative to the neighbours' mean, in units of their spread.
  const mean = f32x4.add(localMean(flow, k), f32x4.mul(localSpread(flow, k), raw(flow, k)));
  at.mean = within4(mean, -meanLimit, meanLimit);
  // log s: relative to the neighbours' spread.
  const relative = bounded4(raw(flow, logScaleIndex(flow, k)), LOG_SCALE_BOUND);
  const scale = f32x4.add(f32x4.add(localLogSpread(flow, k), f32x4.splat(LOG_SCALE_CENTRE)), relative);
  at.logScale = within4(scale, LOWEST_LOG_SCALE, highestLogScale);
  mixtureOpen(flow, k);
}

/** Weights (sum 1), means and inverse scales of coordinate k's logistics. */
function mixtureOpen(flow: Flow, k: i32): void {
  const at = coordinate(flow, k);
  const count = flow.mixtures;
  const logits = mixtureIndex(flow, k);
  const block = flow.channels * count;
  let highest = raw(flow, logits);
  for (let n: i32 = 1; n < count; n++) highest = f32x4.pmax(highest, raw(flow, logits + n));
  let total = f32x4.splat(0);
  for (let n: i32 = 0; n < count; n++) {
    const own = logistic(at, n);
    own.weight = exp4(f32x4.sub(raw(flow, logits + n), highest));
    total = f32x4.add(total, own.weight);
    own.mean = bounded4(raw(flow, logits + block + n), MIX_MEAN_BOUND);
    own.inverseScale = exp4(f32x4.neg(bounded4(raw(flow, logits + 2 * block + n), MIX_LOG_SCALE_BOUND)));
  }
  const share = f32x4.div(f32x4.splat(1), total);
  for (let n: i32 = 0; n < count; n++) {
    const own = logistic(at, n);
    own.weight = f32x4.mul(own.weight, share);
  }
}
