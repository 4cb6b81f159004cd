// The optimizer of a codec that goes on learning while it codes: Adam (Kingma, Ba 2015). Square roots and divisions are exactly rounded,
// so that encoder and decoder come to the same weights.

import { held } from './math';

/** Memory of the gradient's mean and of its square's. */
export const FIRST_MEMORY: f32 = 0.5;
export const SECOND_MEMORY: f32 = 0.95;
const EPSILON: f32 = 1e-8;

/**
 * A step on `count` weights, a multiple of four: takes their summed `gradient` times `share` into both moments, and clears it;
 * with `total` not 0, the gradient is added there.
 *
 * @param rate of learning, divided by what the first moment lacks, having begun with zero
 * @param unbias the inverse of what the second moment lacks
 */
export function adamStep(
  weights: usize,
  gradient: usize,
  first: usize,
  second: usize,
  count: i32,
  share: f32,
  rate: f32,
  unbias: f32,
  total: usize,
): void {
  const bytes = <usize>count << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const sum = v128.load(gradient + i);
    if (total) v128.store(total + i, f32x4.add(v128.load(total + i), sum));
    const g = held(f32x4.mul(sum, f32x4.splat(share)));
    v128.store(gradient + i, f32x4.splat(0));
    let m = v128.load(first + i);
    m = f32x4.add(m, f32x4.mul(f32x4.sub(g, m), f32x4.splat(1 - FIRST_MEMORY)));
    v128.store(first + i, m);
    let v = v128.load(second + i);
    v = f32x4.add(v, f32x4.mul(f32x4.sub(f32x4.mul(g, g), v), f32x4.splat(1 - SECOND_MEMORY)));
    v128.store(second + i, v);
    const size = f32x4.add(f32x4.sqrt(f32x4.mul(v, f32x4.splat(unbias))), f32x4.splat(EPSILON));
    const step = f32x4.div(f32x4.mul(m, f32x4.splat(rate)), size);
    v128.store(weights + i, held(f32x4.sub(v128.load(weights + i), step)));
  }
}
