// The vector field of the conditional flow, split by coordinate: dz_k/dt = a_k(z_others, t; c) z_k + b_k(z_others, t; c).
// For each coordinate an MLP with one hidden layer sees the other coordinates, the site's projection of the context, and t
// through a bias of each sweep.

import { bounded, boundedSlope, hold, sum4 } from './math';

/** Bound of |a_k|: over a sweep of h = 1/N a coordinate's log-determinant stays within h * RATE_BOUND. */
const RATE_BOUND: f32 = 2.4;
/** The other coordinates enter the field within this bound, in units of the site's scale. */
const CLAMP: f32 = 8;

/** Coordinates, hidden units a coordinate, logistics a coordinate, sweeps. */
export let channels: i32 = 0;
export let hidden: i32 = 0;
export let mixtures: i32 = 0;
export let sweeps: i32 = 0;

let step: f32 = 1;
let tied: bool = true;
let others: usize = 0;
let weightsA: usize = 0;
let weightsB: usize = 0;
let timeBias: usize = 0;
let biasA: usize = 0;
let biasB: usize = 0;
/** Distance from a field parameter to its gradient. */
let toGradient: usize = 0;

/** h * a_k and h * b_k of the last evaluation. */
export let alpha: f32 = 0;
export let beta: f32 = 0;
let rawA: f32 = 0;

/**
 * Sets the flow's sizes and its parameters (`field.*` of the model definition, in that order, padded to a multiple of 16 bytes) with
 * their gradients. The parameters are held so that the field is finite at every state.
 */
export function fieldOpen(d: i32, h: i32, k: i32, n: i32, isTied: bool, parameters: usize, gradients: usize): void {
  channels = d;
  hidden = h;
  mixtures = k;
  sweeps = n;
  tied = isTied;
  step = <f32>1 / <f32>n;
  const sets = isTied ? 1 : n;
  others = parameters;
  weightsA = others + (<usize>(sets * d * (d - 1) * h) << 2);
  weightsB = weightsA + (<usize>(sets * d * h) << 2);
  timeBias = weightsB + (<usize>(sets * d * h) << 2);
  biasA = timeBias + (<usize>(n * d * h) << 2);
  biasB = biasA + (<usize>(n * d) << 2);
  const end = biasB + (<usize>(n * d) << 2);
  hold(parameters, <i32>((end - parameters + 15) >> 4) << 2);
  toGradient = gradients - parameters;
}

/** Coordinate of sub-step i of sweep n: sweeps alternate in direction, so that two of them make a symmetric step. */
@inline
export function coordinate(n: i32, i: i32): i32 {
  return n & 1 ? channels - 1 - i : i;
}

@inline
function clamped(z: f32): f32 {
  return max<f32>(min<f32>(z, CLAMP), -CLAMP);
}

/** Indices of the other two coordinates of a colour site, in ascending order. */
@inline
function firstOther(k: i32): usize {
  return k == 0 ? 1 : 0;
}

@inline
function secondOther(k: i32): usize {
  return k == 2 ? 1 : 2;
}

/** Hidden units' inputs at byte offset `at`, four at a time, from the clamped others (of which a gray site has none). */
@inline
function hiddenInput(p: usize, t: usize, w: usize, row: usize, z0: v128, z1: v128, at: usize): v128 {
  const u = f32x4.add(v128.load(p + at), v128.load(t + at));
  if (channels == 1) return u;
  return f32x4.add(f32x4.add(u, f32x4.mul(z0, v128.load(w + at))), f32x4.mul(z1, v128.load(w + row + at)));
}

@inline
function softsign(u: v128): v128 {
  return f32x4.div(u, f32x4.add(f32x4.splat(1), f32x4.abs(u)));
}

/** Evaluates coordinate k's field in sweep n at the state z (float32 each) into `alpha` and `beta`. */
export function fieldAt(n: i32, k: i32, projection: usize, z: usize): void {
  const row = <usize>hidden << 2;
  const set = <usize>((tied ? 0 : n * channels) + k);
  const at = <usize>(n * channels + k);
  const p = projection + <usize>k * row;
  const t = timeBias + at * row;
  const w = others + set * <usize>(channels - 1) * row;
  const a = weightsA + set * row;
  const b = weightsB + set * row;
  const z0 = f32x4.splat(clamped(load<f32>(z + (firstOther(k) << 2))));
  const z1 = f32x4.splat(clamped(load<f32>(z + (secondOther(k) << 2))));
  let sumA = f32x4.splat(0);
  let sumB = f32x4.splat(0);
  for (let i: usize = 0; i < row; i += 16) {
    const v = softsign(hiddenInput(p, t, w, row, z0, z1, i));
    sumA = f32x4.add(sumA, f32x4.mul(v, v128.load(a + i)));
    sumB = f32x4.add(sumB, f32x4.mul(v, v128.load(b + i)));
  }
  rawA = sum4(sumA) + load<f32>(biasA + (at << 2));
  alpha = step * bounded(rawA, RATE_BOUND);
  beta = step * (sum4(sumB) + load<f32>(biasB + (at << 2)));
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
 * Backward of `fieldAt` at the same arguments, right after it: from the gradients in alpha and beta adds those in the
 * field's parameters, the site's projection and the other coordinates.
 */
export function fieldGradient(
  n: i32,
  k: i32,
  projection: usize,
  z: usize,
  dAlpha: f32,
  dBeta: f32,
  dProjection: usize,
  dz: usize,
): void {
  const row = <usize>hidden << 2;
  const set = <usize>((tied ? 0 : n * channels) + k);
  const at = <usize>(n * channels + k);
  const p = projection + <usize>k * row;
  const t = timeBias + at * row;
  const w = others + set * <usize>(channels - 1) * row;
  const a = weightsA + set * row;
  const b = weightsB + set * row;
  const dA = dAlpha * step * boundedSlope(rawA, RATE_BOUND);
  const dB = dBeta * step;
  const dA4 = f32x4.splat(dA);
  const dB4 = f32x4.splat(dB);
  const one = f32x4.splat(1);
  const at0 = firstOther(k) << 2;
  const at1 = secondOther(k) << 2;
  const z0 = load<f32>(z + at0);
  const z1 = load<f32>(z + at1);
  const c0 = f32x4.splat(clamped(z0));
  const c1 = f32x4.splat(clamped(z1));
  let sum0 = f32x4.splat(0);
  let sum1 = f32x4.splat(0);
  for (let i: usize = 0; i < row; i += 16) {
    const u = hiddenInput(p, t, w, row, c0, c1, i);
    const q = f32x4.div(one, f32x4.add(one, f32x4.abs(u)));
    const v = f32x4.mul(u, q);
    accumulate(a + i + toGradient, f32x4.mul(v, dA4));
    accumulate(b + i + toGradient, f32x4.mul(v, dB4));
    let du = f32x4.add(f32x4.mul(dA4, v128.load(a + i)), f32x4.mul(dB4, v128.load(b + i)));
    du = f32x4.mul(du, f32x4.mul(q, q));
    accumulate(t + i + toGradient, du);
    accumulate(dProjection + <usize>k * row + i, du);
    if (channels == 1) continue;
    const w0 = w + i;
    const w1 = w0 + row;
    sum0 = f32x4.add(sum0, f32x4.mul(du, v128.load(w0)));
    sum1 = f32x4.add(sum1, f32x4.mul(du, v128.load(w1)));
    accumulate(w0 + toGradient, f32x4.mul(du, c0));
    accumulate(w1 + toGradient, f32x4.mul(du, c1));
  }
  if (channels == 3) {
    if (abs(z0) < CLAMP) accumulateScalar(dz + at0, sum4(sum0));
    if (abs(z1) < CLAMP) accumulateScalar(dz + at1, sum4(sum1));
  }
  accumulateScalar(biasA + (at << 2) + toGradient, dA);
  accumulateScalar(biasB + (at << 2) + toGradient, dB);
}
