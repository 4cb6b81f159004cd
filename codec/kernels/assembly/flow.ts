// The flow of one coordinate, from a sample's position y to z(1): normalization by the site's location and scale, a shear by the
// coordinates before it, then the ODE dz/dt = a z + b over t in [0, 1], whose solution is closed. All of it together is an affine
// map of y with positive slope, so it is kept as such; backward in time is its inverse.

import { drift, fieldAt, rate } from './field';
import { bounded, exp, phi } from './math';
import { projectionIndex, raw, SHEAR_BOUND, shearIndex, siteLogScale, siteMean } from './site';

/** The coordinate at hand: location, log s and 1 / s, the shear's sum; and exp(a). */
export let mean: f32 = 0;
export let logScale: f32 = 0;
export let inverseScale: f32 = 0;
export let shear: f32 = 0;
export let growth: f32 = 0;
let slope: f32 = 0;
let offset: f32 = 0;

/** Prepares coordinate k of a site; `centres` has the normalized bin centres of the coordinates before it (see `centre`). */
export function flowOpen(row: usize, local: usize, k: i32, centres: usize): void {
  mean = siteMean(row, local, k);
  logScale = siteLogScale(row, local, k);
  inverseScale = exp(-logScale);
  let sum: f32 = 0;
  for (let o: i32 = 0; o < k; o++) {
    sum += bounded(raw(row, shearIndex(k, o)), SHEAR_BOUND) * load<f32>(centres + (<usize>o << 2));
  }
  shear = sum;
  fieldAt(k, row + (<usize>projectionIndex() << 2), centres);
  growth = exp(rate);
  slope = growth * inverseScale;
  offset = growth * sum + drift * phi(rate, growth);
}

/** z(1) of position y, in samples. */
@inline
export function flowForward(y: f32): f32 {
  return slope * (y - mean) + offset;
}

/** Undoes `flowForward`, but for rounding. */
@inline
export function flowBackward(z: f32): f32 {
  return (z - offset) / slope + mean;
}

/** z(0) of the middle of sample x's bin: what later coordinates know of it. */
@inline
export function centre(x: f32): f32 {
  return (x + 0.5 - mean) * inverseScale + shear;
}
