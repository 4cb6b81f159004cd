// The vector field of the conditional flow: dz/dt = a z + b for each coordinate, where a and b are constant in t and come from
// the context and from the coordinates before it, by an MLP with one hidden layer. The divergence is a.

import { coordinate, Flow, groupsOpen, raw, setGradient } from './group';
import { bounded4, boundedSlope4, hold, sum4 } from './math';
import { projectionIndex } from './site';

/** Bound of |a|: a coordinate's log-determinant stays within it. */
export const RATE_BOUND: f32 = 2.4;
/** Earlier coordinates enter the field within this bound, in units of the site's scale. */
export const CLAMP: f32 = 8;

/**
 * Opens a flow at an address with room for `flowBytes`: sets its sizes and its parameters (`field.*` of the model definition, in that
 * order, padded to a multiple of 16 bytes) with their gradients. The parameters are held so that the field is finite at every state.
 */
export function flowOpen(
  flow: Flow,
  channels: i32,
  hidden: i32,
  mixtures: i32,
  headSize: i32,
  parameters: usize,
  gradients: usize,
): void {
  groupsOpen(flow, channels, hidden, mixtures, headSize);
  const layer = <usize>(channels * hidden) << 2;
  flow.others = parameters;
  flow.weightsA = parameters + (<usize>(((channels * (channels - 1)) >> 1) * hidden) << 2);
  flow.weightsB = flow.weightsA + layer;
  flow.hiddenBias = flow.weightsB + layer;
  flow.biasA = flow.hiddenBias + layer;
  flow.biasB = flow.biasA + (<usize>channels << 2);
  flow.toGradient = gradients - parameters;
  const end = flow.biasB + (<usize>channels << 2);
  hold(parameters, <i32>((end - parameters + 15) >> 4) << 2);
}

/** Weights of coordinate o in coordinate k > o. */
@inline
function othersAt(flow: Flow, k: i32, o: i32): usize {
  return flow.others + (<usize>((((k * (k - 1)) >> 1) + o) * flow.hidden) << 2);
}

/** The input of hidden unit h of coordinate k, from the centres of the first `known` coordinates. */
@inline
function hiddenInput(flow: Flow, k: i32, h: i32, known: i32): v128 {
  const unit = k * flow.hidden + h;
  let u = f32x4.add(raw(flow, projectionIndex(flow) + unit), v128.load32_splat(flow.hiddenBias + (<usize>unit << 2)));
  for (let o: i32 = 0; o < known; o++) {
    u = f32x4.add(u, f32x4.mul(coordinate(flow, o).clamped, v128.load32_splat(othersAt(flow, k, o) + (<usize>h << 2))));
  }
  return u;
}

/** Evaluates coordinate k's field, given the centres of the first `known` coordinates. */
export function fieldAt(flow: Flow, k: i32, known: i32): void {
  const at = coordinate(flow, k);
  const row = <usize>(k * flow.hidden) << 2;
  const one = f32x4.splat(1);
  let a = v128.load32_splat(flow.biasA + (<usize>k << 2));
  let b = v128.load32_splat(flow.biasB + (<usize>k << 2));
  for (let h: i32 = 0; h < flow.hidden; h++) {
    const u = hiddenInput(flow, k, h, known);
    const v = f32x4.div(u, f32x4.add(one, f32x4.abs(u)));
    const unit = row + (<usize>h << 2);
    a = f32x4.add(a, f32x4.mul(v, v128.load32_splat(flow.weightsA + unit)));
    b = f32x4.add(b, f32x4.mul(v, v128.load32_splat(flow.weightsB + unit)));
  }
  at.rawRate = a;
  at.rate = bounded4(a, RATE_BOUND);
  at.drift = b;
}

/** Adds the lanes of v, in their order, to the gradient of the parameter at an address. */
@inline
function accumulate(flow: Flow, parameter: usize, v: v128): void {
  const at = parameter + flow.toGradient;
  store<f32>(at, load<f32>(at) + sum4(v));
}

/**
 * Backward of `fieldAt` with all coordinates before k known: from the gradients in rate and drift adds those in the field's
 * parameters and in the coordinates before k, and sets that in the sites' projection.
 */
export function fieldGradient(flow: Flow, k: i32, dRate: v128, dDrift: v128): void {
  const row = <usize>(k * flow.hidden) << 2;
  const dA = f32x4.mul(dRate, boundedSlope4(coordinate(flow, k).rawRate, RATE_BOUND));
  const one = f32x4.splat(1);
  for (let h: i32 = 0; h < flow.hidden; h++) {
    const u = hiddenInput(flow, k, h, k);
    const q = f32x4.div(one, f32x4.add(one, f32x4.abs(u)));
    const v = f32x4.mul(u, q);
    const unit = row + (<usize>h << 2);
    const wA = flow.weightsA + unit;
    const wB = flow.weightsB + unit;
    let du = f32x4.add(f32x4.mul(dA, v128.load32_splat(wA)), f32x4.mul(dDrift, v128.load32_splat(wB)));
    du = f32x4.mul(du, f32x4.mul(q, q));
    accumulate(flow, wA, f32x4.mul(v, dA));
    accumulate(flow, wB, f32x4.mul(v, dDrift));
    accumulate(flow, flow.hiddenBias + unit, du);
    setGradient(flow, projectionIndex(flow) + k * flow.hidden + h, du);
    for (let o: i32 = 0; o < k; o++) {
      const other = coordinate(flow, o);
      const w = othersAt(flow, k, o) + (<usize>h << 2);
      accumulate(flow, w, f32x4.mul(du, other.clamped));
      const inside = f32x4.lt(f32x4.abs(other.centre), f32x4.splat(CLAMP));
      other.dCentre = f32x4.add(other.dCentre, v128.and(f32x4.mul(du, v128.load32_splat(w)), inside));
    }
  }
  accumulate(flow, flow.biasA + (<usize>k << 2), dA);
  accumulate(flow, flow.biasB + (<usize>k << 2), dDrift);
}
