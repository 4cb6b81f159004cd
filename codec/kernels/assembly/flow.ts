// The flow of one coordinate, from a sample's position y to z(1): normalization by the site's location and scale, a shear by the
// coordinates before it, then the ODE dz/dt = a z + b over t in [0, 1], whose solution is closed. All of it together is an affine
// map of y with positive slope, so it is kept as such; backward in time is its inverse.

import { CLAMP, fieldAt } from './field';
import { Coordinate, coordinate, Flow, raw } from './group';
import { bounded4, exp4, phi4, within4 } from './math';
import { SHEAR_BOUND, shearIndex } from './site';

/** Prepares coordinate k, whose density is open (see `site.ts`), given the centres of the first `known` coordinates: k, or none. */
export function flowGiven(flow: Flow, k: i32, known: i32): void {
  const at = coordinate(flow, k);
  at.inverseScale = exp4(f32x4.neg(at.logScale));
  let sum = f32x4.splat(0);
  for (let o: i32 = 0; o < known; o++) {
    const coefficient = bounded4(raw(flow, shearIndex(flow, k, o)), SHEAR_BOUND);
    sum = f32x4.add(sum, f32x4.mul(coefficient, coordinate(flow, o).centre));
  }
  at.shear = sum;
  fieldAt(flow, k, known);
  at.growth = exp4(at.rate);
  at.slope = f32x4.mul(at.growth, at.inverseScale);
  at.offset = f32x4.add(f32x4.mul(at.growth, sum), f32x4.mul(at.drift, phi4(at.rate, at.growth)));
}

/** z(1) of position y, in samples. */
@inline
export function flowForward(at: Coordinate, y: v128): v128 {
  return f32x4.add(f32x4.mul(at.slope, f32x4.sub(y, at.mean)), at.offset);
}

/** Undoes `flowForward`, but for rounding. */
@inline
export function flowBackward(at: Coordinate, z: v128): v128 {
  return f32x4.add(f32x4.div(f32x4.sub(z, at.offset), at.slope), at.mean);
}

/** Keeps z(0) of the samples' middles, and the field's view of it: what later coordinates know of them. */
@inline
export function centreOpen(at: Coordinate): void {
  const middle = f32x4.sub(f32x4.add(at.x, f32x4.splat(0.5)), at.mean);
  at.centre = f32x4.add(f32x4.mul(middle, at.inverseScale), at.shear);
  at.clamped = within4(at.centre, -CLAMP, CLAMP);
}
