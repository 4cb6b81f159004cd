// Elementary functions in plain float32 arithmetic: no host function ever decides a bit.
// Polynomials are Cephes' single-precision ones; relative errors are below 2^-22 on the ranges given.

export const LOG2E: f32 = 1.44269504088896341;
export const LN2: f32 = 0.6931472;
const LN2_HI: f32 = 0.693359375;
const LN2_LO: f32 = -2.12194440e-4;
const SQRT_HALF: f32 = 0.707106781186547524;

/** exp(x); x is clamped to [-87, 88] so that the result is a normal number. */
@inline
export function exp(x: f32): f32 {
  x = max<f32>(min<f32>(x, 88), -87);
  const n = nearest<f32>(x * LOG2E);
  const r = x - n * LN2_HI - n * LN2_LO;
  let p: f32 = 1.9875691500e-4;
  p = p * r + 1.3981999507e-3;
  p = p * r + 8.3334519073e-3;
  p = p * r + 4.1665795894e-2;
  p = p * r + 1.6666665459e-1;
  p = p * r + 5.0000001201e-1;
  p = p * (r * r) + r + 1;
  return p * reinterpret<f32>((<i32>n + 127) << 23);
}

/** Four exponentials at once, lane by lane the same numbers as `exp`. */
@inline
export function exp4(x: v128): v128 {
  x = f32x4.max(f32x4.min(x, f32x4.splat(88)), f32x4.splat(-87));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(LOG2E)));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(LN2_HI)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(LN2_LO)));
  let p = f32x4.splat(1.9875691500e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1));
  const scale = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, scale);
}

/** Natural logarithm of a normal x > 0. */
@inline
export function log(x: f32): f32 {
  const bits = reinterpret<u32>(x);
  let e = <f32>(<i32>(bits >> 23) - 126);
  let m = reinterpret<f32>((bits & 0x007fffff) | 0x3f000000);
  if (m < SQRT_HALF) {
    e -= 1;
    m = m + m;
  }
  m -= 1;
  const z = m * m;
  let p: f32 = 7.0376836292e-2;
  p = p * m - 1.1514610310e-1;
  p = p * m + 1.1676998740e-1;
  p = p * m - 1.2420140846e-1;
  p = p * m + 1.4249322787e-1;
  p = p * m - 1.6668057665e-1;
  p = p * m + 2.0000714765e-1;
  p = p * m - 2.4999993993e-1;
  p = p * m + 3.3333331174e-1;
  p = p * m * z + LN2_LO * e - 0.5 * z;
  return m + p + LN2_HI * e;
}

/** Four logistic functions; they never fall from one x to a larger one 2^-21 or more away, since exp4's error is below 2^-22. */
@inline
export function sigmoid4(x: v128): v128 {
  return f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), exp4(f32x4.neg(x))));
}

/** x / (1 + |x| / bound): the identity near 0, within (-bound, bound) everywhere. */
@inline
export function bounded(x: f32, bound: f32): f32 {
  return x / (1 + abs(x) / bound);
}

/** Derivative of `bounded` with respect to x. */
@inline
export function boundedSlope(x: f32, bound: f32): f32 {
  const q: f32 = 1 + abs(x) / bound;
  return 1 / (q * q);
}

/** (exp(x) - 1) / x, given e = exp(x). */
@inline
export function phi(x: f32, e: f32): f32 {
  return abs(x) < 0.0009765625 ? 1 + 0.5 * x : (e - 1) / x;
}

/** Derivative of (exp(x) - 1) / x, given e = exp(x). */
@inline
export function phiSlope(x: f32, e: f32): f32 {
  if (abs(x) < 0.1) return 0.5 + x * (<f32>(1.0 / 3.0) + x * (0.125 + x * <f32>(1.0 / 30.0)));
  return (e * (x - 1) + 1) / (x * x);
}

/**
 * Holds `count` float32 values, a multiple of four, within +-2^20, far above all that a model of use has; what is no number becomes
 * -2^20. All that the flow makes of them is then finite: NaN, whose bits WebAssembly leaves open, decides nothing.
 */
export function hold(at: usize, count: i32): void {
  const end = at + (<usize>count << 2);
  const largest = f32x4.splat(1048576);
  const least = f32x4.neg(largest);
  for (; at < end; at += 16) v128.store(at, f32x4.pmin(largest, f32x4.pmax(least, v128.load(at))));
}

/** Sum of the four lanes, always in the same order. */
@inline
export function sum4(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}
