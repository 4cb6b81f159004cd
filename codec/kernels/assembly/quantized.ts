// Products of whole numbers, which take half the time of those of float32: vectors and weights are 16-bit integers, and each vector
// and each output has a scale of its own. Sums of products fit 32 bits, so their order does not matter. Weights are kept in pairs of
// inputs: for inputs 2 k and 2 k + 1 those of all outputs. pmin and pmax are one instruction where min and max, which keep what is no
// number, are many.

import { ROUNDER } from './math';
import { finish } from './product';

/** A vector's largest number becomes this. */
const LARGEST: f32 = 8191;
/** A weight's largest: what 16 bits hold. */
const LARGEST_WEIGHT: f32 = 32767;
/** Sums of an output's weights, before they are rounded: with `LARGEST` they stay below 2^31, roundings of 2^12 inputs included. */
const LARGEST_SUM: f32 = 260000;
/** What is smaller than this is as good as zero: no inverse of a scale overflows. */
const TINIEST: f32 = 1e-30;

/** The nearest integers of numbers that are at most `largest` in size, below 2^22; what is no number becomes the largest. */
@inline
function rounded(v: v128, largest: f32): v128 {
  const rounder = f32x4.splat(ROUNDER);
  return i32x4.sub(f32x4.add(f32x4.pmin(f32x4.splat(largest), v), rounder), rounder);
}

/** Of four lanes the largest sizes in a vector of `size` bytes, the eights of whose numbers end at `eights`. */
@inline
function mostOf(src: usize, eights: usize, size: usize): v128 {
  let most = f32x4.splat(0);
  for (let c: usize = 0; c < eights; c += 32) {
    most = f32x4.pmax(most, f32x4.abs(v128.load(src + c)));
    most = f32x4.pmax(most, f32x4.abs(v128.load(src + c, 16)));
  }
  for (let c = eights; c < size; c += 8) most = f32x4.pmax(most, f32x4.abs(v128.load64_zero(src + c)));
  return most;
}

/** Writes a vector's integers. */
@inline
function toIntegers(dst: usize, src: usize, eights: usize, size: usize, inverse: v128): void {
  for (let c: usize = 0; c < eights; c += 32) {
    const a = rounded(f32x4.mul(v128.load(src + c), inverse), LARGEST);
    const b = rounded(f32x4.mul(v128.load(src + c, 16), inverse), LARGEST);
    v128.store(dst + (c >> 1), i16x8.narrow_i32x4_s(a, b));
  }
  for (let c = eights; c < size; c += 8) {
    const a = rounded(f32x4.mul(v128.load64_zero(src + c), inverse), LARGEST);
    v128.store32_lane(dst + (c >> 1), i16x8.narrow_i32x4_s(a, a), 0);
  }
}

/** The largest of each of four vectors' lanes. */
@inline
function largestOf(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.pmax(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = f32x4.pmax(i32x4.shuffle(c, d, 0, 4, 1, 5), i32x4.shuffle(c, d, 2, 6, 3, 7));
  return f32x4.pmax(i32x4.shuffle(ab, cd, 0, 1, 4, 5), i32x4.shuffle(ab, cd, 2, 3, 6, 7));
}

/**
 * Numbers of vectors as integers, times a scale of each vector. `channels` is even; `stride` in bytes. Of scales there is room for a multiple
 * of four: vectors are taken by fours, the last again where fewer are left.
 */
export function quantize(dst: usize, scales: usize, src: usize, stride: usize, channels: i32, count: i32): void {
  const size = <usize>channels << 2;
  const eights = size & ~31;
  const largest = f32x4.splat(LARGEST);
  for (let p: i32 = 0; p < count; p += 4) {
    const l1 = <usize>min<i32>(1, count - 1 - p);
    const l2 = <usize>min<i32>(2, count - 1 - p);
    const l3 = <usize>min<i32>(3, count - 1 - p);
    const s1 = src + l1 * stride;
    const s2 = src + l2 * stride;
    const s3 = src + l3 * stride;
    const most = largestOf(
      mostOf(src, eights, size),
      mostOf(s1, eights, size),
      mostOf(s2, eights, size),
      mostOf(s3, eights, size),
    );
    v128.store(scales, f32x4.div(most, largest));
    const inverse = f32x4.div(largest, f32x4.pmax(f32x4.splat(TINIEST), most));
    const half = size >> 1;
    toIntegers(dst, src, eights, size, i32x4.shuffle(inverse, inverse, 0, 0, 0, 0));
    toIntegers(dst + l1 * half, s1, eights, size, i32x4.shuffle(inverse, inverse, 1, 1, 1, 1));
    toIntegers(dst + l2 * half, s2, eights, size, i32x4.shuffle(inverse, inverse, 2, 2, 2, 2));
    toIntegers(dst + l3 * half, s3, eights, size, i32x4.shuffle(inverse, inverse, 3, 3, 3, 3));
    src += 4 * stride;
    dst += 4 * half;
    scales += 16;
  }
}

/** Weights of cin x cout float32 as integers in pairs of inputs, times a scale of each output. `cin` is even, `cout` a multiple of 8. */
export function quantizeWeights(dst: usize, scales: usize, weights: usize, cin: i32, cout: i32): void {
  const row = <usize>cout << 2;
  const end = weights + <usize>cin * row;
  for (let o: usize = 0; o < row; o += 16) {
    let most = f32x4.splat(0);
    let sum = f32x4.splat(0);
    for (let w = weights + o; w < end; w += row) {
      const size = f32x4.abs(v128.load(w));
      most = f32x4.pmax(most, size);
      sum = f32x4.add(sum, size);
    }
    // What the scale's inverse must be, so that neither the largest weight nor all of them are too large.
    const tiniest = f32x4.splat(TINIEST);
    const inverse = f32x4.pmin(
      f32x4.div(f32x4.splat(LARGEST_WEIGHT), f32x4.pmax(tiniest, most)),
      f32x4.div(f32x4.splat(LARGEST_SUM), f32x4.pmax(tiniest, sum)),
    );
    v128.store(scales + o, f32x4.div(f32x4.splat(1), inverse));
    let to = dst + o;
    for (let w = weights + o; w < end; w += 2 * row) {
      const even = rounded(f32x4.mul(v128.load(w), inverse), LARGEST_WEIGHT);
      const odd = rounded(f32x4.mul(v128.load(w + row), inverse), LARGEST_WEIGHT);
      v128.store(to, v128.or(v128.and(even, i32x4.splat(0xffff)), i32x4.shl(odd, 16)));
      to += row;
    }
  }
}

/**
 * As `product`, of the integers that `quantize` and `quantizeWeights` left: dst[p][o] = bias[o] + scales[p] * outputScales[o] * the sum
 * over k of src[p][k] * weights[k][o]. `dstStride` in bytes; vectors of `src` lie side by side.
 */
export function quantizedProduct(
  dst: usize,
  dstStride: usize,
  src: usize,
  scales: usize,
  cin: i32,
  weights: usize,
  outputScales: usize,
  bias: usize,
  cout: i32,
  count: i32,
  mode: i32,
): void {
  const stride = <usize>cin << 1;
  const wStride = <usize>cout << 2;
  const blocks = count & ~3;
  for (let p: i32 = 0; p < blocks; p += 4) {
    const end = src + stride;
    for (let o: usize = 0; o < wStride; o += 32) {
      let a00 = i32x4.splat(0);
      let a01 = a00;
      let a10 = a00;
      let a11 = a00;
      let a20 = a00;
      let a21 = a00;
      let a30 = a00;
      let a31 = a00;
      let w = weights + o;
      let x0 = src;
      let x1 = x0 + stride;
      let x2 = x1 + stride;
      let x3 = x2 + stride;
      while (x0 < end) {
        const w0 = v128.load(w);
        const w1 = v128.load(w, 16);
        let x = v128.load32_splat(x0);
        a00 = i32x4.add(a00, i32x4.dot_i16x8_s(x, w0));
        a01 = i32x4.add(a01, i32x4.dot_i16x8_s(x, w1));
        x = v128.load32_splat(x1);
        a10 = i32x4.add(a10, i32x4.dot_i16x8_s(x, w0));
        a11 = i32x4.add(a11, i32x4.dot_i16x8_s(x, w1));
        x = v128.load32_splat(x2);
        a20 = i32x4.add(a20, i32x4.dot_i16x8_s(x, w0));
        a21 = i32x4.add(a21, i32x4.dot_i16x8_s(x, w1));
        x = v128.load32_splat(x3);
        a30 = i32x4.add(a30, i32x4.dot_i16x8_s(x, w0));
        a31 = i32x4.add(a31, i32x4.dot_i16x8_s(x, w1));
        x0 += 4;
        x1 += 4;
        x2 += 4;
        x3 += 4;
        w += wStride;
      }
      const to = dst + o;
      const s = outputScales + o;
      const b = bias + o;
      finishSums(to, a00, a01, load<f32>(scales), s, b, mode);
      finishSums(to + dstStride, a10, a11, load<f32>(scales, 4), s, b, mode);
      finishSums(to + 2 * dstStride, a20, a21, load<f32>(scales, 8), s, b, mode);
      finishSums(to + 3 * dstStride, a30, a31, load<f32>(scales, 12), s, b, mode);
    }
    src += 4 * stride;
    dst += 4 * dstStride;
    scales += 16;
  }
  for (let p: i32 = blocks; p < count; p++) {
    const end = src + stride;
    for (let o: usize = 0; o < wStride; o += 32) {
      let a0 = i32x4.splat(0);
      let a1 = a0;
      let w = weights + o;
      for (let x0 = src; x0 < end; x0 += 4) {
        const x = v128.load32_splat(x0);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, v128.load(w)));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, v128.load(w, 16)));
        w += wStride;
      }
      finishSums(dst + o, a0, a1, load<f32>(scales), outputScales + o, bias + o, mode);
    }
    src += stride;
    dst += dstStride;
    scales += 4;
  }
}

/** Scales sums of eight outputs, adds the bias, and finishes them. */
@inline
function finishSums(d: usize, sum0: v128, sum1: v128, scale: f32, scales: usize, bias: usize, mode: i32): void {
  const vector = f32x4.splat(scale);
  const v0 = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sum0), vector), v128.load(scales));
  const v1 = f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(sum1), vector), v128.load(scales, 16));
  finish(d, f32x4.add(v0, v128.load(bias)), f32x4.add(v1, v128.load(bias, 16)), mode);
}
