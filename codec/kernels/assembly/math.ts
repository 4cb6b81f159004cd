// Elementary functions in plain float32 arithmetic: no host function ever decides a bit.
// Polynomials are Cephes' single-precision ones; relative errors are below 2^-22 on the ranges given.

export const LOG2E: f32 = 1.44269504088896341;
export const LN2: f32 = 0.6931472;
const LN2_HI: f32 = 0.693359375;
const LN2_LO: f32 = -2.12194440e-4;
/** 1.5 * 2^23: added to a small number, it leaves the nearest integer in the lowest bits of the sum. */
export const ROUNDER: f32 = 12582912;
const SQRT_HALF: f32 = 0.707106781186547524;

/** A step of Horner's method for a polynomial in x: p x + c. */
@inline
function horner(p: v128, x: v128, c: f32): v128 {
  return f32x4.add(f32x4.mul(p, x), f32x4.splat(c));
}

/** exp(x) in each lane; x is clamped to [-87, 88] so that the result is a normal number. */
@inline
export function exp4(x: v128): v128 {
  x = within4(x, -87, 88);
  // Added to so large a number, x log2(e) is rounded to an integer, which the sum's lowest bits hold.
  const sum = f32x4.add(f32x4.mul(x, f32x4.splat(LOG2E)), f32x4.splat(ROUNDER));
  const n = f32x4.sub(sum, f32x4.splat(ROUNDER));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(LN2_HI)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(LN2_LO)));
  let p = f32x4.splat(1.9875691500e-4);
  p = horner(p, r, 1.3981999507e-3);
  p = horner(p, r, 8.3334519073e-3);
  p = horner(p, r, 4.1665795894e-2);
  p = horner(p, r, 1.6666665459e-1);
  p = horner(p, r, 5.0000001201e-1);
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1));
  return f32x4.mul(p, i32x4.shl(i32x4.add(sum, i32x4.splat(127)), 23));
}

/** Natural logarithm of a normal x > 0 in each lane. */
@inline
export function log4(x: v128): v128 {
  let m = v128.or(v128.and(x, i32x4.splat(0x007fffff)), i32x4.splat(0x3f000000));
  const small = f32x4.lt(m, f32x4.splat(SQRT_HALF));
  const exponent = i32x4.add(i32x4.shr_u(x, 23), i32x4.splat(-126));
  const e = f32x4.convert_i32x4_s(i32x4.add(exponent, small));
  m = f32x4.sub(f32x4.add(m, v128.and(m, small)), f32x4.splat(1));
  const z = f32x4.mul(m, m);
  let p = f32x4.splat(7.0376836292e-2);
  p = horner(p, m, -1.1514610310e-1);
  p = horner(p, m, 1.1676998740e-1);
  p = horner(p, m, -1.2420140846e-1);
  p = horner(p, m, 1.4249322787e-1);
  p = horner(p, m, -1.6668057665e-1);
  p = horner(p, m, 2.0000714765e-1);
  p = horner(p, m, -2.4999993993e-1);
  p = horner(p, m, 3.3333331174e-1);
  p = f32x4.add(f32x4.mul(f32x4.mul(p, m), z), f32x4.mul(f32x4.splat(LN2_LO), e));
  p = f32x4.sub(p, f32x4.mul(f32x4.splat(0.5), z));
  return f32x4.add(f32x4.add(m, p), f32x4.mul(f32x4.splat(LN2_HI), e));
}

/** x / (1 + |x| / bound): the identity near 0, within +-bound everywhere. */
@inline
export function bounded4(x: v128, bound: f32): v128 {
  const limit = f32x4.splat(bound);
  return f32x4.div(f32x4.mul(x, limit), f32x4.add(limit, f32x4.abs(x)));
}

/** Derivative of `bounded4` with respect to x. */
@inline
export function boundedSlope4(x: v128, bound: f32): v128 {
  const limit = f32x4.splat(bound);
  const q = f32x4.div(limit, f32x4.add(limit, f32x4.abs(x)));
  return f32x4.mul(q, q);
}

/** (exp(x) - 1) / x, given e = exp(x). */
@inline
export function phi4(x: v128, e: v128): v128 {
  const one = f32x4.splat(1);
  const near = f32x4.add(one, f32x4.mul(f32x4.splat(0.5), x));
  const far = f32x4.div(f32x4.sub(e, one), x);
  return v128.bitselect(near, far, f32x4.lt(f32x4.abs(x), f32x4.splat(0.0009765625)));
}

/** Derivative of (exp(x) - 1) / x, given e = exp(x). */
@inline
export function phiSlope4(x: v128, e: v128): v128 {
  const one = f32x4.splat(1);
  let near = horner(f32x4.splat(1.0 / 30.0), x, 0.125);
  near = horner(near, x, 1.0 / 3.0);
  near = horner(near, x, 0.5);
  const far = f32x4.div(f32x4.add(f32x4.mul(e, f32x4.sub(x, one)), one), f32x4.mul(x, x));
  return v128.bitselect(near, far, f32x4.lt(f32x4.abs(x), f32x4.splat(0.1)));
}

/** x within [low, high]; what is no number becomes `low`. pmin and pmax are one instruction, min and max, which keep what is no number, many. */
@inline
export function within4(x: v128, low: f32, high: f32): v128 {
  return f32x4.pmin(f32x4.splat(high), f32x4.pmax(f32x4.splat(low), x));
}

/**
 * Each lane within +-2^20, far above all that a model of use has; what is no number becomes -2^20. All that the flow makes of them
 * is then finite: NaN, whose bits WebAssembly leaves open, decides nothing.
 */
@inline
export function held(v: v128): v128 {
  return within4(v, -1048576, 1048576);
}

/** Holds `count` float32 values, a multiple of four. */
export function hold(at: usize, count: i32): void {
  const end = at + (<usize>count << 2);
  for (; at < end; at += 16) v128.store(at, held(v128.load(at)));
}

/** Sum of the four lanes, always in the same order. */
@inline
export function sum4(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}
