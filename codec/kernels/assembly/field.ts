// The vector field of the conditional flow: dz/dt = a z + b for each coordinate, where a and b are constant in t and come from
// the context and from the coordinates before it, by an MLP with one hidden layer. The divergence is a.

import { bounded, boundedSlope, hold, sum4 } from './math';

/** Bound of |a|: a coordinate's log-determinant stays within it. */
export const RATE_BOUND: f32 = 2.4;
/** Earlier coordinates enter the field within this bound, in units of the site's scale. */
export const CLAMP: f32 = 8;

/** Coordinates, hidden units a coordinate, logistics a coordinate. */
export let channels: i32 = 0;
export let hidden: i32 = 0;
export let mixtures: i32 = 0;

let others: usize = 0;
let weightsA: usize = 0;
let weightsB: usize = 0;
let hiddenBias: usize = 0;
let biasA: usize = 0;
let biasB: usize = 0;
/** Distance from a field parameter to its gradient. */
let toGradient: usize = 0;

/** a before its bound, a and b of the last evaluation. */
export let rawRate: f32 = 0;
export let rate: f32 = 0;
export let drift: f32 = 0;

/**
 * Sets the flow's sizes and its parameters (`field.*` of the model definition, in that order, padded to a multiple of 16 bytes) with
 * their gradients. The parameters are held so that the field is finite at every state.
 */
export function fieldOpen(d: i32, h: i32, k: i32, parameters: usize, gradients: usize): void {
  channels = d;
  hidden = h;
  mixtures = k;
  others = parameters;
  weightsA = others + (<usize>(((d * (d - 1)) >> 1) * h) << 2);
  weightsB = weightsA + (<usize>(d * h) << 2);
  hiddenBias = weightsB + (<usize>(d * h) << 2);
  biasA = hiddenBias + (<usize>(d * h) << 2);
  biasB = biasA + (<usize>d << 2);
  const end = biasB + (<usize>d << 2);
  hold(parameters, <i32>((end - parameters + 15) >> 4) << 2);
  toGradient = gradients - parameters;
}

@inline
function clamped(z: f32): f32 {
  return max<f32>(min<f32>(z, CLAMP), -CLAMP);
}

/** Weights of coordinate o in coordinate k > o. */
@inline
function othersAt(k: i32, o: i32): usize {
  return others + (<usize>((((k * (k - 1)) >> 1) + o) * hidden) << 2);
}

/** Hidden units' inputs at byte offset `at`, four at a time, from coordinates `z` before k. */
@inline
function hiddenInput(k: i32, projection: usize, z: usize, at: usize): v128 {
  const row = <usize>(k * hidden) << 2;
  let u = f32x4.add(v128.load(projection + row + at), v128.load(hiddenBias + row + at));
  for (let o: i32 = 0; o < k; o++) {
    const value = f32x4.splat(clamped(load<f32>(z + (<usize>o << 2))));
    u = f32x4.add(u, f32x4.mul(value, v128.load(othersAt(k, o) + at)));
  }
  return u;
}

/** Evaluates coordinate k's field, given the states of those before it (float32 each), into `rate` and `drift`. */
export function fieldAt(k: i32, projection: usize, z: usize): void {
  const row = <usize>hidden << 2;
  const a = weightsA + <usize>k * row;
  const b = weightsB + <usize>k * row;
  let sumA = f32x4.splat(0);
  let sumB = f32x4.splat(0);
  for (let i: usize = 0; i < row; i += 16) {
    const u = hiddenInput(k, projection, z, i);
    const v = f32x4.div(u, f32x4.add(f32x4.splat(1), f32x4.abs(u)));
    sumA = f32x4.add(sumA, f32x4.mul(v, v128.load(a + i)));
    sumB = f32x4.add(sumB, f32x4.mul(v, v128.load(b + i)));
  }
  const at = <usize>k << 2;
  rawRate = sum4(sumA) + load<f32>(biasA + at);
  rate = bounded(rawRate, RATE_BOUND);
  drift = sum4(sumB) + load<f32>(biasB + at);
}

@inline
function accumulate(at: usize, v: v128): void {
  v128.store(at, f32x4.add(v128.load(at), v));
}

@inline
function accumulateScalar(at: usize, v: f32): void {
  store<f32>(at, load<f32>(at) + v);
}

/**
 * Backward of `fieldAt` at the same arguments, of which `rawRate` was the outcome: from the gradients in rate and drift adds
 * those in the field's parameters, the site's projection and the coordinates before k.
 */
export function fieldGradient(
  k: i32,
  projection: usize,
  z: usize,
  rawRate: f32,
  dRate: f32,
  dDrift: f32,
  dProjection: usize,
  dz: usize,
): void {
  const row = <usize>hidden << 2;
  const own = <usize>k * row;
  const a = weightsA + own;
  const b = weightsB + own;
  const dA = dRate * boundedSlope(rawRate, RATE_BOUND);
  const dA4 = f32x4.splat(dA);
  const dB4 = f32x4.splat(dDrift);
  const one = f32x4.splat(1);
  for (let i: usize = 0; i < row; i += 16) {
    const u = hiddenInput(k, projection, z, i);
    const q = f32x4.div(one, f32x4.add(one, f32x4.abs(u)));
    const v = f32x4.mul(u, q);
    accumulate(a + i + toGradient, f32x4.mul(v, dA4));
    accumulate(b + i + toGradient, f32x4.mul(v, dB4));
    let du = f32x4.add(f32x4.mul(dA4, v128.load(a + i)), f32x4.mul(dB4, v128.load(b + i)));
    du = f32x4.mul(du, f32x4.mul(q, q));
    accumulate(hiddenBias + own + i + toGradient, du);
    accumulate(dProjection + own + i, du);
    for (let o: i32 = 0; o < k; o++) {
      const zo = load<f32>(z + (<usize>o << 2));
      const w = othersAt(k, o) + i;
      accumulate(w + toGradient, f32x4.mul(du, f32x4.splat(clamped(zo))));
      if (abs(zo) < CLAMP) accumulateScalar(dz + (<usize>o << 2), sum4(f32x4.mul(du, v128.load(w))));
    }
  }
  accumulateScalar(biasA + (<usize>k << 2) + toGradient, dA);
  accumulateScalar(biasB + (<usize>k << 2) + toGradient, dDrift);
}
