// The exact length of what `code.ts` codes, in continuous arithmetic, and its gradient: -log P(x_k | c, x_<k) in nats, P the mass
// that the base distribution has between the images of a bin's edges.

import { BASE_SHARE, binOf, coordinateOpen, FLOOR, inWindow, lowerEdge } from './bins';
import { highestLogScale, meanLimit } from './depth';
import { fieldGradient } from './field';
import { centreOpen, flowForward, flowGiven } from './flow';
import {
  coordinate,
  Flow,
  groupOpen,
  LANES,
  lanesOf,
  logistic,
  MOST_LOGISTICS,
  putGradient,
  raw,
  setGradient,
} from './group';
import { bounded4, boundedSlope4, exp4, log4, phi4, phiSlope4, sum4 } from './math';
import {
  LOG_SCALE_BOUND,
  LOWEST_LOG_SCALE,
  localSpread,
  logScaleIndex,
  MIX_LOG_SCALE_BOUND,
  MIX_MEAN_BOUND,
  mixtureIndex,
  SHEAR_BOUND,
  shearIndex,
} from './site';
import { escapeNats, lowerNats } from './symbol';

/** sigmoid(-|t|) in each lane, free of cancellation. */
@inline
function tail4(t: v128): v128 {
  const e = exp4(f32x4.neg(f32x4.abs(t)));
  return f32x4.div(e, f32x4.add(f32x4.splat(1), e));
}

/** What backward needs of a logistic: both edges in its units, their tails, and the mass between them. */
@unmanaged
class Edges {
  lower: v128;
  upper: v128;
  lowerTail: v128;
  upperTail: v128;
  mass: v128;
}

const EDGES = offsetof<Edges>();
const edges: usize = memory.data(MOST_LOGISTICS * offsetof<Edges>(), 16);

/** The edges of the bins at hand under logistic n. */
@inline
function edgesOf(n: i32): Edges {
  return changetype<Edges>(edges + <usize>n * EDGES);
}

/** What a logistic has between two edges, from their tails: a difference taken on the side where both are small. */
@inline
function massBetween(at: Edges): v128 {
  const zero = f32x4.splat(0);
  const across = f32x4.sub(f32x4.sub(f32x4.splat(1), at.upperTail), at.lowerTail);
  const left = f32x4.sub(at.upperTail, at.lowerTail);
  const right = f32x4.neg(left);
  return v128.bitselect(right, v128.bitselect(left, across, f32x4.lt(at.upper, zero)), f32x4.gt(at.lower, zero));
}

/** -log P of coordinate k's bins in the `inside` lanes; with `gradient`, also its gradient in the edges' images and in the mixture. */
function binLoss(flow: Flow, k: i32, bin: v128, inside: v128, gradient: bool): v128 {
  const at = coordinate(flow, k);
  const lower = flowForward(at, lowerEdge(at, bin));
  const upper = flowForward(at, lowerEdge(at, f32x4.add(bin, f32x4.splat(1))));
  let sum = f32x4.splat(0);
  for (let n: i32 = 0; n < flow.mixtures; n++) {
    const own = logistic(at, n);
    const at = edgesOf(n);
    at.lower = f32x4.mul(f32x4.sub(lower, own.mean), own.inverseScale);
    at.upper = f32x4.mul(f32x4.sub(upper, own.mean), own.inverseScale);
    at.lowerTail = tail4(at.lower);
    at.upperTail = tail4(at.upper);
    at.mass = massBetween(at);
    sum = f32x4.add(sum, f32x4.mul(own.weight, at.mass));
  }
  const probability = f32x4.add(f32x4.mul(f32x4.splat(BASE_SHARE), sum), f32x4.splat(FLOOR));
  if (gradient) mixtureBackward(flow, k, v128.and(f32x4.div(f32x4.splat(-BASE_SHARE), probability), inside), sum);
  return v128.and(f32x4.neg(log4(probability)), inside);
}

/** From the gradient in the mass between the edges, `slopes`, to those in the mixture's outputs and in the edges' images. */
function mixtureBackward(flow: Flow, k: i32, slopes: v128, sum: v128): void {
  const at = coordinate(flow, k);
  const one = f32x4.splat(1);
  const block = flow.channels * flow.mixtures;
  const logits = mixtureIndex(flow, k);
  let dLower = f32x4.splat(0);
  let dUpper = f32x4.splat(0);
  for (let n: i32 = 0; n < flow.mixtures; n++) {
    const own = logistic(at, n);
    const edge = edgesOf(n);
    const weighted = f32x4.mul(own.weight, slopes);
    const sa = f32x4.mul(weighted, f32x4.mul(edge.lowerTail, f32x4.sub(one, edge.lowerTail)));
    const sb = f32x4.mul(weighted, f32x4.mul(edge.upperTail, f32x4.sub(one, edge.upperTail)));
    const byLower = f32x4.mul(sa, own.inverseScale);
    const byUpper = f32x4.mul(sb, own.inverseScale);
    dLower = f32x4.sub(dLower, byLower);
    dUpper = f32x4.add(dUpper, byUpper);
    setGradient(flow, logits + n, f32x4.mul(weighted, f32x4.sub(edge.mass, sum)));
    const means = logits + block + n;
    const meanSlope = boundedSlope4(raw(flow, means), MIX_MEAN_BOUND);
    setGradient(flow, means, f32x4.mul(f32x4.sub(byLower, byUpper), meanSlope));
    const scales = means + block;
    const byScale = f32x4.sub(f32x4.mul(sa, edge.lower), f32x4.mul(sb, edge.upper));
    setGradient(flow, scales, f32x4.mul(byScale, boundedSlope4(raw(flow, scales), MIX_LOG_SCALE_BOUND)));
  }
  at.dLower = dLower;
  at.dUpper = dUpper;
}

/** Nats of the samples of coordinate k, which is open, in the given lanes; with `gradient`, begins its gradient. */
function coordinateLoss(flow: Flow, k: i32, lanes: v128, gradient: bool): v128 {
  const at = coordinate(flow, k);
  at.dCentre = f32x4.splat(0);
  const bin = binOf(at, at.x);
  // A sample behind the escape costs what it costs, whatever the flow says.
  const inside = binLoss(flow, k, bin, v128.and(inWindow(bin), lanes), gradient);
  const others = f32x4.add(lowerNats(at), escapeNats(bin));
  return f32x4.add(inside, v128.and(others, lanes));
}

/**
 * Nats of the coordinates of the group of `count` sites that begins with site j of a row; coordinates and samples are known. With
 * `dHead` not 0 writes the gradient in the head rows of its sites and adds that of the field's parameters.
 */
export function groupLoss(flow: Flow, dHead: usize, j: i32, count: i32): v128 {
  const lanes = lanesOf(count);
  let loss = f32x4.splat(0);
  for (let k: i32 = 0; k < flow.channels; k++) loss = f32x4.add(loss, coordinateLoss(flow, k, lanes, dHead != 0));
  if (dHead) {
    for (let k: i32 = flow.channels - 1; k >= 0; k--) coordinateBackward(flow, k);
    putGradient(flow, dHead, j, count);
  }
  return loss;
}

/**
 * From the gradients in the images of a bin's edges, z(1) = e^a ((y - m) / s + shear) + b phi(a), and in its centre, z(0) of the
 * sample's middle, to those in what the sites' heads and the earlier centres gave.
 */
function coordinateBackward(flow: Flow, k: i32): void {
  const at = coordinate(flow, k);
  const bin = binOf(at, at.x);
  const lower = f32x4.sub(lowerEdge(at, bin), at.mean);
  const upper = f32x4.sub(lowerEdge(at, f32x4.add(bin, f32x4.splat(1))), at.mean);
  const g = f32x4.add(at.dLower, at.dUpper);
  const gCentre = at.dCentre;
  const byPosition = f32x4.add(f32x4.mul(at.dLower, lower), f32x4.mul(at.dUpper, upper));
  const byGrowth = f32x4.add(f32x4.mul(byPosition, at.inverseScale), f32x4.mul(g, at.shear));
  const byPhi = f32x4.mul(f32x4.mul(g, at.drift), phiSlope4(at.rate, at.growth));
  const dRate = f32x4.add(f32x4.mul(at.growth, byGrowth), byPhi);
  fieldGradient(flow, k, dRate, f32x4.mul(g, phi4(at.rate, at.growth)));
  const dShear = f32x4.add(f32x4.mul(at.growth, g), gCentre);
  for (let o: i32 = 0; o < k; o++) {
    const other = coordinate(flow, o);
    const index = shearIndex(flow, k, o);
    const coefficient = raw(flow, index);
    setGradient(flow, index, f32x4.mul(f32x4.mul(dShear, other.centre), boundedSlope4(coefficient, SHEAR_BOUND)));
    other.dCentre = f32x4.add(other.dCentre, f32x4.mul(dShear, bounded4(coefficient, SHEAR_BOUND)));
  }
  const fromScale = f32x4.neg(at.inverseScale);
  const inside = f32x4.lt(f32x4.abs(at.mean), f32x4.splat(meanLimit));
  setGradient(flow, k, v128.and(f32x4.mul(f32x4.mul(fromScale, dShear), localSpread(flow, k)), inside));
  const free = v128.and(
    f32x4.gt(at.logScale, f32x4.splat(LOWEST_LOG_SCALE)),
    f32x4.lt(at.logScale, f32x4.splat(highestLogScale)),
  );
  const middle = f32x4.sub(f32x4.add(at.x, f32x4.splat(0.5)), at.mean);
  const dInverse = f32x4.add(f32x4.mul(at.growth, byPosition), f32x4.mul(gCentre, middle));
  const index = logScaleIndex(flow, k);
  const slope = boundedSlope4(raw(flow, index), LOG_SCALE_BOUND);
  setGradient(flow, index, v128.and(f32x4.mul(f32x4.mul(fromScale, dInverse), slope), free));
}

/** Sum over `columns` sites of their samples' lengths in nats; arguments as for `noteRow`. */
export function lossRow(flow: Flow, head: usize, dHead: usize, x: usize, locals: usize, columns: i32): f64 {
  let sum: f64 = 0;
  for (let j: i32 = 0; j < columns; j += LANES) {
    const count = min<i32>(columns - j, LANES);
    groupOpen(flow, head, x, locals, j, count);
    for (let k: i32 = 0; k < flow.channels; k++) {
      const at = coordinateOpen(flow, k);
      flowGiven(flow, k, k);
      centreOpen(at);
    }
    sum += <f64>sum4(groupLoss(flow, dHead, j, count));
  }
  return sum;
}
