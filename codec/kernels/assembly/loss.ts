// The exact length of what `code.ts` codes, in continuous arithmetic, and its gradient: -log P(x_k | c, x_<k) in nats, P the mass
// that the base distribution has between the images of a bin's edges.

import { BASE_SHARE, binOf, binsOpen, escapeNats, FLOOR, inWindow, lowerEdge, shift } from './bins';
import { highestLogScale, meanLimit } from './depth';
import { channels, drift, fieldGradient, mixtures, rate, rawRate } from './field';
import { centre, flowForward, flowOpen, growth, inverseScale, logScale, mean, shear } from './flow';
import { bounded, boundedSlope, exp4, hold, LN2, log, phi, phiSlope, sum4 } from './math';
import {
  LOG_SCALE_BOUND,
  LOWEST_LOG_SCALE,
  localSpread,
  logScaleIndex,
  MIX_LOG_SCALE_BOUND,
  MIX_MEAN_BOUND,
  mixInverseScales,
  mixMeans,
  mixtureIndex,
  mixWeights,
  projectionIndex,
  raw,
  SHEAR_BOUND,
  shearIndex,
} from './site';

/** What backward needs of a coordinate's forward computation. */
@unmanaged
class Trace {
  mean: f32;
  logScale: f32;
  inverseScale: f32;
  shear: f32;
  growth: f32;
  rawRate: f32;
  rate: f32;
  drift: f32;
  /** The bin's edges less the mean, and the gradients in the edges' images. */
  lower: f32;
  upper: f32;
  dLower: f32;
  dUpper: f32;
}

const TRACE = offsetof<Trace>();
const traces: usize = memory.data(3 * offsetof<Trace>());
/** Normalized bin centres, and the gradients in them. */
const centres: usize = memory.data(16);
const dCentres: usize = memory.data(16);

@inline
function traceOf(k: i32): Trace {
  return changetype<Trace>(traces + <usize>k * TRACE);
}

@inline
function get(at: usize, k: i32): f32 {
  return load<f32>(at + (<usize>k << 2));
}

@inline
function set(at: usize, k: i32, value: f32): void {
  store<f32>(at + (<usize>k << 2), value);
}

/** Stores the first K lanes. */
@inline
function storeLanes(at: usize, v: v128): void {
  if (mixtures == 4) return v128.store(at, v);
  store<f32>(at, f32x4.extract_lane(v, 0));
  if (mixtures > 1) store<f32>(at, f32x4.extract_lane(v, 1), 4);
  if (mixtures > 2) store<f32>(at, f32x4.extract_lane(v, 2), 8);
}

/** sigmoid(-|t|) in each lane, free of cancellation. */
@inline
function tail4(t: v128): v128 {
  const e = exp4(f32x4.neg(f32x4.abs(t)));
  return f32x4.div(e, f32x4.add(f32x4.splat(1), e));
}

/** d bounded(x) / dx in each lane. */
@inline
function boundedSlope4(at: usize, bound: f32): v128 {
  const one = f32x4.splat(1);
  const q = f32x4.add(one, f32x4.div(f32x4.abs(v128.load(at)), f32x4.splat(bound)));
  return f32x4.div(one, f32x4.mul(q, q));
}

/** -log P of the coordinate at hand; with `gradient`, also its gradient in the edges' images and in the mixture's raw outputs. */
function binLoss(row: usize, dRow: usize, k: i32, bin: i32, gradient: bool): f32 {
  const one = f32x4.splat(1);
  const a = f32x4.mul(f32x4.sub(f32x4.splat(flowForward(lowerEdge(bin))), mixMeans), mixInverseScales);
  const b = f32x4.mul(f32x4.sub(f32x4.splat(flowForward(lowerEdge(bin + 1))), mixMeans), mixInverseScales);
  // The difference of two sigmoids is taken on the side where both are small.
  const ta = tail4(a);
  const tb = tail4(b);
  const zero = f32x4.splat(0);
  const across = f32x4.sub(f32x4.sub(one, tb), ta);
  const left = f32x4.sub(tb, ta);
  const right = f32x4.sub(ta, tb);
  const mass = v128.bitselect(right, v128.bitselect(left, across, f32x4.lt(b, zero)), f32x4.gt(a, zero));
  const sum = sum4(f32x4.mul(mixWeights, mass));
  const probability = BASE_SHARE * sum + FLOOR;
  if (gradient) {
    const trace = traceOf(k);
    const slopes: f32 = -BASE_SHARE / probability;
    const weighted = f32x4.mul(mixWeights, f32x4.splat(slopes));
    const sa = f32x4.mul(weighted, f32x4.mul(ta, f32x4.sub(one, ta)));
    const sb = f32x4.mul(weighted, f32x4.mul(tb, f32x4.sub(one, tb)));
    const byLower = f32x4.mul(sa, mixInverseScales);
    const byUpper = f32x4.mul(sb, mixInverseScales);
    trace.dLower = -sum4(byLower);
    trace.dUpper = sum4(byUpper);
    const first = <usize>mixtureIndex(k) << 2;
    const block = <usize>(channels * mixtures) << 2;
    storeLanes(dRow + first, f32x4.mul(weighted, f32x4.sub(mass, f32x4.splat(sum))));
    const means = first + block;
    storeLanes(dRow + means, f32x4.mul(f32x4.sub(byLower, byUpper), boundedSlope4(row + means, MIX_MEAN_BOUND)));
    const scales = means + block;
    const byScale = f32x4.sub(f32x4.mul(sa, a), f32x4.mul(sb, b));
    storeLanes(dRow + scales, f32x4.mul(byScale, boundedSlope4(row + scales, MIX_LOG_SCALE_BOUND)));
  }
  return -log(probability);
}

/** -log P of a site's coordinates; with `gradient`, the gradient in the head's row goes to `dRow`, already cleared. */
function siteLoss(row: usize, dRow: usize, x: usize, local: usize, gradient: bool): f32 {
  let loss: f32 = 0;
  for (let k: i32 = 0; k < channels; k++) {
    const sample = get(x, k);
    flowOpen(row, local, k, centres);
    binsOpen(row, k);
    const bin = binOf(<i32>sample);
    const trace = traceOf(k);
    trace.dLower = 0;
    trace.dUpper = 0;
    // A sample behind the escape costs what it costs, whatever the flow says.
    loss += <f32>shift * LN2 + (inWindow(bin) ? binLoss(row, dRow, k, bin, gradient) : escapeNats(bin));
    set(centres, k, centre(sample));
    if (!gradient) continue;
    set(dCentres, k, 0);
    trace.mean = mean;
    trace.logScale = logScale;
    trace.inverseScale = inverseScale;
    trace.shear = shear;
    trace.growth = growth;
    trace.rawRate = rawRate;
    trace.rate = rate;
    trace.drift = drift;
    trace.lower = lowerEdge(bin) - mean;
    trace.upper = lowerEdge(bin + 1) - mean;
  }
  if (!gradient) return loss;
  for (let k: i32 = channels - 1; k >= 0; k--) coordinateBackward(row, dRow, x, local, k);
  return loss;
}

/**
 * From the gradients in the images of a bin's edges, z(1) = e^a ((y - m) / s + shear) + b phi(a), and in its centre, z(0) of the
 * bin's middle, to those in what the site's head and the earlier centres gave.
 */
function coordinateBackward(row: usize, dRow: usize, x: usize, local: usize, k: i32): void {
  const t = traceOf(k);
  const projection = <usize>projectionIndex() << 2;
  const g = t.dLower + t.dUpper;
  const gCentre = get(dCentres, k);
  const byPosition = t.dLower * t.lower + t.dUpper * t.upper;
  const dRate = t.growth * (byPosition * t.inverseScale + g * t.shear) + g * t.drift * phiSlope(t.rate, t.growth);
  const dDrift = g * phi(t.rate, t.growth);
  fieldGradient(k, row + projection, centres, t.rawRate, dRate, dDrift, dRow + projection, dCentres);
  const dShear = t.growth * g + gCentre;
  for (let o: i32 = 0; o < k; o++) {
    const coefficient = raw(row, shearIndex(k, o));
    set(dRow, shearIndex(k, o), dShear * get(centres, o) * boundedSlope(coefficient, SHEAR_BOUND));
    set(dCentres, o, get(dCentres, o) + dShear * bounded(coefficient, SHEAR_BOUND));
  }
  const inside = abs(t.mean) < meanLimit;
  set(dRow, k, inside ? -t.inverseScale * dShear * localSpread(local, k) : 0);
  const free = t.logScale > LOWEST_LOG_SCALE && t.logScale < highestLogScale;
  const dInverse = t.growth * byPosition + gCentre * (get(x, k) + 0.5 - t.mean);
  const slope = boundedSlope(raw(row, logScaleIndex(k)), LOG_SCALE_BOUND);
  set(dRow, logScaleIndex(k), free ? -t.inverseScale * dInverse * slope : 0);
}

/**
 * Sum over `columns` sites of their samples' lengths in nats; arguments as for `encodeRow`. With `dHead` not 0 writes the gradient
 * in each head row and adds that of the field's parameters.
 */
export function lossRow(head: usize, dHead: usize, headSize: i32, x: usize, locals: usize, columns: i32): f64 {
  let sum: f64 = 0;
  const size = <usize>headSize << 2;
  hold(head, columns * headSize);
  for (let j: i32 = 0; j < columns; j++) {
    const at = <usize>(j * channels) << 2;
    const dRow = dHead + <usize>j * size;
    if (dHead) memory.fill(dRow, 0, size);
    sum += <f64>siteLoss(head + <usize>j * size, dRow, x + at, locals + 3 * at, dHead != 0);
  }
  return sum;
}
