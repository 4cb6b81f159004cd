// Depthwise 3x3 convolutions on padded NHWC float32 maps (see `product.ts`): every channel is filtered by 9 taps of its own.

import { ACCUMULATE } from './product';

const TAPS: usize = 9;

/** dst = bias + the sum over taps of src * weights, weights [tap row][tap column][channels]; a bias of 0 means
 * none. With the mode `ACCUMULATE` it adds to the destination, without a bias. */
export function depthwise(
  dst: usize,
  src: usize,
  weights: usize,
  bias: usize,
  height: i32,
  width: i32,
  channels: i32,
  mode: i32,
): void {
  const size: usize = <usize>channels << 2;
  const row: usize = <usize>(width + 2) * size;
  for (let y: i32 = 0; y < height; y++) {
    for (let c: usize = 0; c < size; c += 16) {
      const w0 = v128.load(weights + c);
      const w1 = v128.load(weights + size + c);
      const w2 = v128.load(weights + 2 * size + c);
      const w3 = v128.load(weights + 3 * size + c);
      const w4 = v128.load(weights + 4 * size + c);
      const w5 = v128.load(weights + 5 * size + c);
      const w6 = v128.load(weights + 6 * size + c);
      const w7 = v128.load(weights + 7 * size + c);
      const w8 = v128.load(weights + 8 * size + c);
      const b = bias ? v128.load(bias + c) : f32x4.splat(0);
      let s0 = src + <usize>y * row + c;
      let s1 = s0 + row;
      let s2 = s1 + row;
      let d = dst + <usize>(y + 1) * row + size + c;
      for (let x: i32 = 0; x < width; x++) {
        let a = mode & ACCUMULATE ? v128.load(d) : b;
        a = f32x4.add(a, f32x4.mul(v128.load(s0), w0));
        a = f32x4.add(a, f32x4.mul(v128.load(s0 + size), w1));
        a = f32x4.add(a, f32x4.mul(v128.load(s0 + 2 * size), w2));
        a = f32x4.add(a, f32x4.mul(v128.load(s1), w3));
        a = f32x4.add(a, f32x4.mul(v128.load(s1 + size), w4));
        a = f32x4.add(a, f32x4.mul(v128.load(s1 + 2 * size), w5));
        a = f32x4.add(a, f32x4.mul(v128.load(s2), w6));
        a = f32x4.add(a, f32x4.mul(v128.load(s2 + size), w7));
        a = f32x4.add(a, f32x4.mul(v128.load(s2 + 2 * size), w8));
        v128.store(d, a);
        s0 += size;
        s1 += size;
        s2 += size;
        d += size;
      }
    }
  }
}

/** Gradients of `depthwise` in its weights and bias, added to what is there. */
export function depthwiseGradient(
  dWeights: usize,
  dBias: usize,
  src: usize,
  dDst: usize,
  height: i32,
  width: i32,
  channels: i32,
): void {
  const size: usize = <usize>channels << 2;
  const row: usize = <usize>(width + 2) * size;
  for (let y: i32 = 0; y < height; y++) {
    for (let c: usize = 0; c < size; c += 16) {
      const w = dWeights + c;
      let a0 = v128.load(w);
      let a1 = v128.load(w + size);
      let a2 = v128.load(w + 2 * size);
      let a3 = v128.load(w + 3 * size);
      let a4 = v128.load(w + 4 * size);
      let a5 = v128.load(w + 5 * size);
      let a6 = v128.load(w + 6 * size);
      let a7 = v128.load(w + 7 * size);
      let a8 = v128.load(w + 8 * size);
      let sum = v128.load(dBias + c);
      let s0 = src + <usize>y * row + c;
      let s1 = s0 + row;
      let s2 = s1 + row;
      let d = dDst + <usize>(y + 1) * row + size + c;
      for (let x: i32 = 0; x < width; x++) {
        const g = v128.load(d);
        sum = f32x4.add(sum, g);
        a0 = f32x4.add(a0, f32x4.mul(v128.load(s0), g));
        a1 = f32x4.add(a1, f32x4.mul(v128.load(s0 + size), g));
        a2 = f32x4.add(a2, f32x4.mul(v128.load(s0 + 2 * size), g));
        a3 = f32x4.add(a3, f32x4.mul(v128.load(s1), g));
        a4 = f32x4.add(a4, f32x4.mul(v128.load(s1 + size), g));
        a5 = f32x4.add(a5, f32x4.mul(v128.load(s1 + 2 * size), g));
        a6 = f32x4.add(a6, f32x4.mul(v128.load(s2), g));
        a7 = f32x4.add(a7, f32x4.mul(v128.load(s2 + size), g));
        a8 = f32x4.add(a8, f32x4.mul(v128.load(s2 + 2 * size), g));
        s0 += size;
        s1 += size;
        s2 += size;
        d += size;
      }
      v128.store(w, a0);
      v128.store(w + size, a1);
      v128.store(w + 2 * size, a2);
      v128.store(w + 3 * size, a3);
      v128.store(w + 4 * size, a4);
      v128.store(w + 5 * size, a5);
      v128.store(w + 6 * size, a6);
      v128.store(w + 7 * size, a7);
      v128.store(w + 8 * size, a8);
      v128.store(dBias + c, sum);
    }
  }
}

/** The taps in reverse: the filter that carries gradients from a filter's output to its input. */
export function reverseTaps(dst: usize, src: usize, channels: i32): void {
  const size: usize = <usize>channels << 2;
  for (let tap: usize = 0; tap < TAPS; tap++) memory.copy(dst + tap * size, src + (TAPS - 1 - tap) * size, size);
}
