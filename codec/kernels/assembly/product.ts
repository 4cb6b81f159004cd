// Matrix products, of rows of vectors and of whole NHWC float32 maps (which makes them 1x1 convolutions). A map of height x
// width x channels is stored with a ring of one zero cell around it: (height + 2) * (width + 2) * channels values.

import { transpose4 } from './transpose';

/** Add to the destination instead of replacing it. */
export const ACCUMULATE: i32 = 1;
/** Apply max(0, x) to the result. */
export const RELU: i32 = 2;

/**
 * dst[p][o] = bias[o] + sum over k < cin of src[p][k] * weights[k][o] for p < count, o < cout. Strides, from a vector to the
 * next, in bytes; cout is a multiple of 8. A bias of 0 means none.
 */
export function product(
  dst: usize,
  dstStride: usize,
  src: usize,
  srcStride: usize,
  cin: i32,
  weights: usize,
  bias: usize,
  cout: i32,
  count: i32,
  mode: i32,
): void {
  const wStride: usize = <usize>cout << 2;
  const blocks: i32 = count & ~3;
  const zero = f32x4.splat(0);
  for (let p: i32 = 0; p < blocks; p += 4) {
    const s0 = src + <usize>p * srcStride;
    const d0 = dst + <usize>p * dstStride;
    const end = s0 + (<usize>cin << 2);
    for (let o: i32 = 0; o < cout; o += 8) {
      let b0 = zero;
      let b1 = zero;
      if (bias) {
        b0 = v128.load(bias + (<usize>o << 2));
        b1 = v128.load(bias + (<usize>o << 2), 16);
      }
      let a00 = b0;
      let a01 = b1;
      let a10 = b0;
      let a11 = b1;
      let a20 = b0;
      let a21 = b1;
      let a30 = b0;
      let a31 = b1;
      let w = weights + (<usize>o << 2);
      let x0 = s0;
      let x1 = x0 + srcStride;
      let x2 = x1 + srcStride;
      let x3 = x2 + srcStride;
      while (x0 < end) {
        const w0 = v128.load(w);
        const w1 = v128.load(w, 16);
        let x = v128.load32_splat(x0);
        a00 = f32x4.add(a00, f32x4.mul(x, w0));
        a01 = f32x4.add(a01, f32x4.mul(x, w1));
        x = v128.load32_splat(x1);
        a10 = f32x4.add(a10, f32x4.mul(x, w0));
        a11 = f32x4.add(a11, f32x4.mul(x, w1));
        x = v128.load32_splat(x2);
        a20 = f32x4.add(a20, f32x4.mul(x, w0));
        a21 = f32x4.add(a21, f32x4.mul(x, w1));
        x = v128.load32_splat(x3);
        a30 = f32x4.add(a30, f32x4.mul(x, w0));
        a31 = f32x4.add(a31, f32x4.mul(x, w1));
        x0 += 4;
        x1 += 4;
        x2 += 4;
        x3 += 4;
        w += wStride;
      }
      const d = d0 + (<usize>o << 2);
      finish(d, a00, a01, mode);
      finish(d + dstStride, a10, a11, mode);
      finish(d + 2 * dstStride, a20, a21, mode);
      finish(d + 3 * dstStride, a30, a31, mode);
    }
  }
  for (let p: i32 = blocks; p < count; p++) {
    const s0 = src + <usize>p * srcStride;
    const d0 = dst + <usize>p * dstStride;
    const end = s0 + (<usize>cin << 2);
    for (let o: i32 = 0; o < cout; o += 8) {
      let a0 = zero;
      let a1 = zero;
      if (bias) {
        a0 = v128.load(bias + (<usize>o << 2));
        a1 = v128.load(bias + (<usize>o << 2), 16);
      }
      let w = weights + (<usize>o << 2);
      for (let x0 = s0; x0 < end; x0 += 4) {
        const x = v128.load32_splat(x0);
        a0 = f32x4.add(a0, f32x4.mul(x, v128.load(w)));
        a1 = f32x4.add(a1, f32x4.mul(x, v128.load(w, 16)));
        w += wStride;
      }
      finish(d0 + (<usize>o << 2), a0, a1, mode);
    }
  }
}

/** Stores eight outputs after doing what the mode says. */
@inline
export function finish(d: usize, v0: v128, v1: v128, mode: i32): void {
  if (mode & ACCUMULATE) {
    v0 = f32x4.add(v0, v128.load(d));
    v1 = f32x4.add(v1, v128.load(d, 16));
  }
  if (mode & RELU) {
    // One instruction, where max, which keeps what is no number, is many.
    v0 = f32x4.pmax(f32x4.splat(0), v0);
    v1 = f32x4.pmax(f32x4.splat(0), v1);
  }
  v128.store(d, v0);
  v128.store(d, v1, 16);
}

/** The product at every cell of a map of cin channels, into a map of cout channels. */
export function mapProduct(
  dst: usize,
  src: usize,
  height: i32,
  width: i32,
  cin: i32,
  weights: usize,
  bias: usize,
  cout: i32,
  mode: i32,
): void {
  const srcStride: usize = <usize>cin << 2;
  const dstStride: usize = <usize>cout << 2;
  for (let y: i32 = 0; y < height; y++) {
    const cell = <usize>((y + 1) * (width + 2) + 1);
    product(dst + cell * dstStride, dstStride, src + cell * srcStride, srcStride, cin, weights, bias, cout, width, mode);
  }
}

/** The transpose of `product` in its weights: gradient[k][o] += sum over p < count of src[p][k] * dOut[p][o]. */
export function productWeightGradient(
  gradient: usize,
  src: usize,
  srcStride: usize,
  cin: i32,
  dOut: usize,
  dStride: usize,
  cout: i32,
  count: i32,
): void {
  const wStride: usize = <usize>cout << 2;
  const blocks: i32 = cin & ~3;
  for (let o: i32 = 0; o < cout; o += 8) {
    const d = dOut + (<usize>o << 2);
    let out = gradient + (<usize>o << 2);
    for (let k: i32 = 0; k < blocks; k += 4) {
      let x = src + (<usize>k << 2);
      let y = d;
      const out1 = out + wStride;
      const out2 = out1 + wStride;
      const out3 = out2 + wStride;
      let a00 = v128.load(out);
      let a01 = v128.load(out, 16);
      let a10 = v128.load(out1);
      let a11 = v128.load(out1, 16);
      let a20 = v128.load(out2);
      let a21 = v128.load(out2, 16);
      let a30 = v128.load(out3);
      let a31 = v128.load(out3, 16);
      for (let p: i32 = 0; p < count; p++) {
        const y0 = v128.load(y);
        const y1 = v128.load(y, 16);
        let v = v128.load32_splat(x);
        a00 = f32x4.add(a00, f32x4.mul(v, y0));
        a01 = f32x4.add(a01, f32x4.mul(v, y1));
        v = v128.load32_splat(x, 4);
        a10 = f32x4.add(a10, f32x4.mul(v, y0));
        a11 = f32x4.add(a11, f32x4.mul(v, y1));
        v = v128.load32_splat(x, 8);
        a20 = f32x4.add(a20, f32x4.mul(v, y0));
        a21 = f32x4.add(a21, f32x4.mul(v, y1));
        v = v128.load32_splat(x, 12);
        a30 = f32x4.add(a30, f32x4.mul(v, y0));
        a31 = f32x4.add(a31, f32x4.mul(v, y1));
        x += srcStride;
        y += dStride;
      }
      v128.store(out, a00);
      v128.store(out, a01, 16);
      v128.store(out1, a10);
      v128.store(out1, a11, 16);
      v128.store(out2, a20);
      v128.store(out2, a21, 16);
      v128.store(out3, a30);
      v128.store(out3, a31, 16);
      out = out3 + wStride;
    }
    for (let k: i32 = blocks; k < cin; k++) {
      let x = src + (<usize>k << 2);
      let y = d;
      let a0 = v128.load(out);
      let a1 = v128.load(out, 16);
      for (let p: i32 = 0; p < count; p++) {
        const v = v128.load32_splat(x);
        a0 = f32x4.add(a0, f32x4.mul(v, v128.load(y)));
        a1 = f32x4.add(a1, f32x4.mul(v, v128.load(y, 16)));
        x += srcStride;
        y += dStride;
      }
      v128.store(out, a0);
      v128.store(out, a1, 16);
      out += wStride;
    }
  }
}

/** gradient[o] += sum over p < count of dOut[p][o]; cout is a multiple of 8. */
export function productBiasGradient(gradient: usize, dOut: usize, dStride: usize, cout: i32, count: i32): void {
  for (let o: i32 = 0; o < cout; o += 4) {
    let a = v128.load(gradient + (<usize>o << 2));
    let y = dOut + (<usize>o << 2);
    for (let p: i32 = 0; p < count; p++) {
      a = f32x4.add(a, v128.load(y));
      y += dStride;
    }
    v128.store(gradient + (<usize>o << 2), a);
  }
}

/** Gradients of `mapProduct` in its weights and bias, added to what is there. */
export function mapProductGradient(
  dWeights: usize,
  dBias: usize,
  src: usize,
  dDst: usize,
  height: i32,
  width: i32,
  cin: i32,
  cout: i32,
): void {
  const srcStride: usize = <usize>cin << 2;
  const dStride: usize = <usize>cout << 2;
  for (let y: i32 = 0; y < height; y++) {
    const cell = <usize>((y + 1) * (width + 2) + 1);
    const d = dDst + cell * dStride;
    productWeightGradient(dWeights, src + cell * srcStride, srcStride, cin, d, dStride, cout, width);
    productBiasGradient(dBias, d, dStride, cout, width);
  }
}

/** The transpose of a row-major matrix of cin x cout, both multiples of 4. */
export function transpose(dst: usize, src: usize, cin: i32, cout: i32): void {
  const from = <usize>cout << 2;
  const to = <usize>cin << 2;
  for (let i: i32 = 0; i < cin; i += 4) {
    for (let o: i32 = 0; o < cout; o += 4) {
      const s = src + <usize>i * from + (<usize>o << 2);
      const d = dst + <usize>o * to + (<usize>i << 2);
      transpose4(d, to, v128.load(s), v128.load(s + from), v128.load(s + 2 * from), v128.load(s + 3 * from));
    }
  }
}

/** gradient <- gradient where activation > 0, else 0, over `count` floats (a multiple of 4). */
export function reluGradient(gradient: usize, activation: usize, count: i32): void {
  const end = gradient + (<usize>count << 2);
  while (gradient < end) {
    const mask = f32x4.gt(v128.load(activation), f32x4.splat(0));
    v128.store(gradient, v128.and(v128.load(gradient), mask));
    gradient += 16;
    activation += 16;
  }
}
