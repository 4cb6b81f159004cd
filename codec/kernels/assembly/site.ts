// What the head's raw outputs at a site mean: one set of formulas for the coded map and for the trained one. The order of
// the outputs is that of `headLayout` in the model definition.
// A row holds, for d coordinates and K logistics: mean, logScale (d each), the shear's lower triangle, mixture logits, means and
// log-scales (d x K each), and the field's projection (d x hidden).

import { highestLogScale, meanLimit } from './depth';
import { channels, mixtures } from './field';
import { bounded, exp4 } from './math';

export const LOG_SCALE_CENTRE: f32 = -0.5;
export const LOG_SCALE_BOUND: f32 = 3;
/** log s is never less than this, whatever its neighbours say. */
export const LOWEST_LOG_SCALE: f32 = -2.7;
export const SHEAR_BOUND: f32 = 4;
export const MIX_MEAN_BOUND: f32 = 12;
export const MIX_LOG_SCALE_BOUND: f32 = 3.5;

@inline
export function raw(row: usize, index: i32): f32 {
  return load<f32>(row + (<usize>index << 2));
}

@inline
export function logScaleIndex(k: i32): i32 {
  return channels + k;
}

/** Index of the shear's coefficient of coordinate o in coordinate k > o, in the row. */
@inline
export function shearIndex(k: i32, o: i32): i32 {
  return 2 * channels + ((k * (k - 1)) >> 1) + o;
}

@inline
export function mixtureIndex(k: i32): i32 {
  return 2 * channels + ((channels * (channels - 1)) >> 1) + k * mixtures;
}

@inline
export function projectionIndex(): i32 {
  return mixtureIndex(3 * channels);
}

/** What `features` tells of a site's known neighbours: of each coordinate their mean, their spread, and its logarithm. */
@inline
function localMean(local: usize, k: i32): f32 {
  return load<f32>(local + (<usize>k << 2));
}

@inline
export function localSpread(local: usize, k: i32): f32 {
  return load<f32>(local + (<usize>(channels + k) << 2));
}

@inline
function localLogSpread(local: usize, k: i32): f32 {
  return load<f32>(local + (<usize>(2 * channels + k) << 2));
}

/** The location m of coordinate k, in sample units: relative to the neighbours' mean, in units of their spread. */
@inline
export function siteMean(row: usize, local: usize, k: i32): f32 {
  const mean = localMean(local, k) + localSpread(local, k) * raw(row, k);
  return max<f32>(min<f32>(mean, meanLimit), -meanLimit);
}

/** log s of coordinate k: relative to the neighbours' spread. */
@inline
export function siteLogScale(row: usize, local: usize, k: i32): f32 {
  const scale = localLogSpread(local, k) + LOG_SCALE_CENTRE + bounded(raw(row, logScaleIndex(k)), LOG_SCALE_BOUND);
  return max<f32>(min<f32>(scale, highestLogScale), LOWEST_LOG_SCALE);
}

/** Weights (sum 1), means and inverse scales of coordinate k's logistics; lanes from K on have weight 0. */
export let mixWeights: v128 = f32x4.splat(0);
export let mixMeans: v128 = f32x4.splat(0);
export let mixInverseScales: v128 = f32x4.splat(0);

@inline
function bounded4(x: v128, bound: f32): v128 {
  return f32x4.div(x, f32x4.add(f32x4.splat(1), f32x4.div(f32x4.abs(x), f32x4.splat(bound))));
}

@inline
function lanes(at: usize): v128 {
  const value = v128.load(at);
  if (mixtures == 4) return value;
  return v128.bitselect(value, f32x4.splat(-80), i32x4.gt_s(i32x4.splat(mixtures), i32x4(0, 1, 2, 3)));
}

export function siteMixture(row: usize, k: i32): void {
  const at = row + (<usize>mixtureIndex(k) << 2);
  const block = <usize>(channels * mixtures) << 2;
  const logits = lanes(at);
  let highest = max<f32>(f32x4.extract_lane(logits, 0), f32x4.extract_lane(logits, 1));
  highest = max<f32>(highest, max<f32>(f32x4.extract_lane(logits, 2), f32x4.extract_lane(logits, 3)));
  let weights = exp4(f32x4.sub(logits, f32x4.splat(highest)));
  weights = v128.and(weights, i32x4.gt_s(i32x4.splat(mixtures), i32x4(0, 1, 2, 3)));
  const pairs = f32x4.add(weights, i32x4.shuffle(weights, weights, 2, 3, 0, 1));
  const total = f32x4.add(pairs, i32x4.shuffle(pairs, pairs, 1, 0, 3, 2));
  mixWeights = f32x4.div(weights, total);
  mixMeans = bounded4(lanes(at + block), MIX_MEAN_BOUND);
  mixInverseScales = exp4(f32x4.neg(bounded4(lanes(at + 2 * block), MIX_LOG_SCALE_BOUND)));
}
