// The negative evidence lower bound of the map that `code.ts` codes, in continuous arithmetic, and its gradient:
// -log p(z(1) | c) - log |dz(1)/dy| + log q(u | x, c), in nats.

import { BASE_SHARE, FLOOR_DENSITY, TAIL_DENSITY, WINDOW } from './base';
import { alpha, beta, channels, coordinate, fieldAt, fieldGradient, mixtures, sweeps } from './field';
import { highestLogScale, meanLimit } from './grids';
import { bounded, boundedSlope, exp, log, phi, phiSlope, sigmoid, softplus } from './math';
import {
  BIN_CENTRE_BOUND,
  BIN_LOG_SCALE_BOUND,
  binMirrored,
  binStart,
  binWidth,
  LOG_SCALE_BOUND,
  LOWEST_LOG_SCALE,
  localSpread,
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
  siteBin,
  siteLogScale,
  siteMean,
  siteMixture,
} from './site';

const z: usize = memory.data(16);
const dz: usize = memory.data(16);
const inverses: usize = memory.data(16);
const means: usize = memory.data(16);
const logScales: usize = memory.data(16);
/** Each sub-step's coordinate before it. */
const before: usize = memory.data(64 * 4);

/** Partial derivatives of the dequantised u and of log q(u), by the bin's raw outputs, mean and log-scale. */
const uByMean: usize = memory.data(16);
const uByLogScale: usize = memory.data(16);
const uByCentre: usize = memory.data(16);
const uByOffset: usize = memory.data(16);
const qByMean: usize = memory.data(16);
const qByLogScale: usize = memory.data(16);
const qByCentre: usize = memory.data(16);
const qByOffset: usize = memory.data(16);

@inline
function get(at: usize, k: i32): f32 {
  return load<f32>(at + (<usize>k << 2));
}

@inline
function set(at: usize, k: i32, value: f32): void {
  store<f32>(at + (<usize>k << 2), value);
}

@inline
function add(at: usize, k: i32, value: f32): void {
  set(at, k, get(at, k) + value);
}

/** Counter-based uniform random number in (0, 1): the same for the same counter, on every machine. */
@inline
function random(counter: u32): f32 {
  let h = counter;
  h = (h ^ (h >> 16)) * 0x7feb352d;
  h = (h ^ (h >> 15)) * 0x846ca68b;
  h ^= h >> 16;
  return (<f32>(h >> 9) + 0.5) / 8388608;
}

/**
 * Draws u from q(u | x, c) by its quantile function at e in (0, 1), or takes the given u; returns log q(u). Fills the
 * derivatives for coordinate k. With A, w the bin's start and the point in units of q's scale, D the bin's width:
 * q's cumulative function is (e^w - 1) (1 + e^(A+D)) / ((1 + e^(A+w)) (e^D - 1)).
 */
let drawn: f32 = 0;

@inline
function dequantize(row: usize, k: i32, sample: f32, mean: f32, logScale: f32, e: f32, given: bool): f32 {
  siteBin(row, sample, mean, logScale, k);
  const a = binStart;
  const width = binWidth;
  const eA = exp(a);
  const eD = exp(width);
  const sEnd = sigmoid(a + width);
  const sStart = sigmoid(a);
  let w: f32;
  let wByA: f32 = 0;
  let wByD: f32 = 0;
  if (given) {
    w = (binMirrored ? 1 - e : e) * width;
    wByD = w / width;
  } else {
    const share: f32 = 1 / (1 + eA * eD);
    const c: f32 = e * (eD - 1) * share;
    const rest: f32 = 1 - c * eA;
    w = log(1 + c) - log(rest);
    const wByC: f32 = 1 / (1 + c) + eA / rest;
    wByA = wByC * (-c * sEnd) + (c * eA) / rest;
    wByD = wByC * (e * eD * share - c * sEnd);
  }
  let u = w / width;
  const sW = sigmoid(a + w);
  const logQ = log(width) + w - 2 * softplus(a + w) - log(eD - 1) + softplus(a + width) + softplus(a);
  const qByW: f32 = 1 - 2 * sW;
  let qByA: f32 = qByW * wByA - 2 * sW + sEnd + sStart;
  let qByD: f32 = qByW * wByD + 1 / width - eD / (eD - 1) + sEnd;
  let uByA = wByA / width;
  let uByD = (wByD - u) / width;
  if (binMirrored) {
    // The mirrored start is -start - width, and u is 1 - u: the derivatives by the true start and width follow.
    qByD -= qByA;
    qByA = -qByA;
    uByD = uByA - uByD;
    u = 1 - u;
  }
  // start = (x - mean) width - centre e^-offset; width = e^(-logScale - offset).
  const offset = raw(row, 3 * channels + k);
  const offsetSlope = boundedSlope(offset, BIN_LOG_SCALE_BOUND);
  const shrink = exp(-bounded(offset, BIN_LOG_SCALE_BOUND));
  const centre = raw(row, 2 * channels + k);
  const startByCentre = -shrink * boundedSlope(centre, BIN_CENTRE_BOUND);
  const startByLogScale = -(sample - mean) * width;
  const start = (sample - mean) * width - bounded(centre, BIN_CENTRE_BOUND) * shrink;
  set(uByMean, k, -uByA * width);
  set(qByMean, k, -qByA * width);
  set(uByLogScale, k, uByA * startByLogScale - uByD * width);
  set(qByLogScale, k, qByA * startByLogScale - qByD * width);
  set(uByCentre, k, uByA * startByCentre);
  set(qByCentre, k, qByA * startByCentre);
  set(uByOffset, k, -(uByA * start + uByD * width) * offsetSlope);
  set(qByOffset, k, -(qByA * start + qByD * width) * offsetSlope);
  drawn = u;
  return logQ;
}

/** -log p of coordinate k's base density at its z; with `gradient`, adds to dz and writes the mixture's raw gradients. */
@inline
function base(row: usize, dRow: usize, k: i32, gradient: bool): f32 {
  const zk = get(z, k);
  if (abs(zk) >= WINDOW) {
    if (gradient) add(dz, k, 1 / zk);
    return log(abs(zk)) - log(TAIL_DENSITY);
  }
  siteMixture(row, k);
  v128.store(weightLanes, mixWeights);
  v128.store(meanLanes, mixMeans);
  v128.store(inverseLanes, mixInverseScales);
  let density: f32 = FLOOR_DENSITY;
  for (let i: i32 = 0; i < mixtures; i++) {
    const inverse = get(inverseLanes, i);
    const e = exp(-abs((zk - get(meanLanes, i)) * inverse));
    const part = (BASE_SHARE * get(weightLanes, i) * inverse * e) / ((1 + e) * (1 + e));
    set(partLanes, i, part);
    density += part;
  }
  if (gradient) {
    const first = mixtureIndex(k);
    const block = channels * mixtures;
    let sum: f32 = 0;
    for (let i: i32 = 0; i < mixtures; i++) sum += get(partLanes, i) / density;
    for (let i: i32 = 0; i < mixtures; i++) {
      const share = get(partLanes, i) / density;
      const inverse = get(inverseLanes, i);
      const t = (zk - get(meanLanes, i)) * inverse;
      const dt = -share * (1 - 2 * sigmoid(t));
      add(dz, k, dt * inverse);
      set(dRow, first + i, get(weightLanes, i) * sum - share);
      const meanRaw = raw(row, first + block + i);
      set(dRow, first + block + i, -dt * inverse * boundedSlope(meanRaw, MIX_MEAN_BOUND));
      const scaleRaw = raw(row, first + 2 * block + i);
      set(dRow, first + 2 * block + i, (share - dt * t) * boundedSlope(scaleRaw, MIX_LOG_SCALE_BOUND));
    }
  }
  return -log(density);
}

const weightLanes: usize = memory.data(16);
const meanLanes: usize = memory.data(16);
const inverseLanes: usize = memory.data(16);
const partLanes: usize = memory.data(16);

/** Negative ELBO of one site in nats; with `gradient`, its gradient in the head's row goes to `dRow`, already cleared. */
function siteLoss(
  row: usize,
  dRow: usize,
  x: usize,
  local: usize,
  u: usize,
  counter: u32,
  gradient: bool,
): f32 {
  let loss: f32 = 0;
  for (let k: i32 = 0; k < channels; k++) {
    const mean = siteMean(row, local, k);
    const logScale = siteLogScale(row, local, k);
    const sample = get(x, k);
    const e = u ? get(u, k) : random(counter + <u32>k);
    loss += dequantize(row, k, sample, mean, logScale, e, u != 0) + logScale;
    const inverse = exp(-logScale);
    set(means, k, mean);
    set(logScales, k, logScale);
    set(inverses, k, inverse);
    set(z, k, (sample - mean + drawn) * inverse);
    set(dz, k, 0);
  }
  for (let k: i32 = 1; k < channels; k++) {
    for (let o: i32 = 0; o < k; o++) {
      add(z, k, bounded(raw(row, shearIndex(k, o)), SHEAR_BOUND) * get(z, o));
    }
  }
  const projection = row + (<usize>projectionIndex() << 2);
  for (let n: i32 = 0; n < sweeps; n++) {
    for (let i: i32 = 0; i < channels; i++) {
      const k = coordinate(n, i);
      fieldAt(n, k, projection, z);
      set(before, n * channels + i, get(z, k));
      const eA = exp(alpha);
      set(z, k, get(z, k) * eA + beta * phi(alpha, eA));
      loss -= alpha;
    }
  }
  for (let k: i32 = 0; k < channels; k++) loss += base(row, dRow, k, gradient);
  if (!gradient) return loss;

  const dProjection = dRow + (<usize>projectionIndex() << 2);
  for (let n: i32 = sweeps - 1; n >= 0; n--) {
    for (let i: i32 = channels - 1; i >= 0; i--) {
      const k = coordinate(n, i);
      const zk = get(before, n * channels + i);
      set(z, k, zk);
      fieldAt(n, k, projection, z);
      const eA = exp(alpha);
      const g = get(dz, k);
      const p = phi(alpha, eA);
      const dAlpha = g * (eA * zk + beta * phiSlope(alpha, eA)) - 1;
      set(dz, k, g * eA);
      fieldGradient(n, k, projection, z, dAlpha, g * p, dProjection, dz);
    }
  }
  for (let k: i32 = channels - 1; k > 0; k--) {
    const g = get(dz, k);
    for (let o: i32 = k - 1; o >= 0; o--) {
      const coefficient = raw(row, shearIndex(k, o));
      const value = bounded(coefficient, SHEAR_BOUND);
      set(dRow, shearIndex(k, o), g * get(z, o) * boundedSlope(coefficient, SHEAR_BOUND));
      add(dz, o, g * value);
    }
    for (let o: i32 = 0; o < k; o++) {
      add(z, k, -bounded(raw(row, shearIndex(k, o)), SHEAR_BOUND) * get(z, o));
    }
  }
  for (let k: i32 = 0; k < channels; k++) {
    const dy = get(dz, k) * get(inverses, k);
    const dMean = dy * get(uByMean, k) - dy + get(qByMean, k);
    const dLogScale = dy * get(uByLogScale, k) + get(qByLogScale, k) - get(dz, k) * get(z, k) + 1;
    const inside = abs(get(means, k)) < meanLimit;
    set(dRow, k, inside ? dMean * localSpread(local, k) : 0);
    const logScale = get(logScales, k);
    const free = logScale > LOWEST_LOG_SCALE && logScale < highestLogScale;
    set(dRow, channels + k, free ? dLogScale * boundedSlope(raw(row, channels + k), LOG_SCALE_BOUND) : 0);
    set(dRow, 2 * channels + k, dy * get(uByCentre, k) + get(qByCentre, k));
    set(dRow, 3 * channels + k, dy * get(uByOffset, k) + get(qByOffset, k));
  }
  return loss;
}

/**
 * Sum over `columns` sites of the negative ELBO in nats. `u` is 0, to draw u with random numbers counted from `counter` (of
 * which channels a site are used), or the dequantized u to take. With `dHead` not 0 writes the gradient in each head row and
 * adds that of the field's parameters.
 */
export function lossRow(
  head: usize,
  dHead: usize,
  headSize: i32,
  x: usize,
  locals: usize,
  columns: i32,
  u: usize,
  counter: u32,
): f64 {
  let sum: f64 = 0;
  const stride = <usize>channels << 2;
  const size = <usize>headSize << 2;
  for (let j: i32 = 0; j < columns; j++) {
    const at = <usize>j * stride;
    const row = head + <usize>j * size;
    const dRow = dHead + <usize>j * size;
    if (dHead) memory.fill(dRow, 0, size);
    const count = counter + <u32>(j * channels);
    sum += <f64>siteLoss(row, dRow, x + at, locals + 3 * at, u ? u + at : 0, count, dHead != 0);
  }
  return sum;
}
