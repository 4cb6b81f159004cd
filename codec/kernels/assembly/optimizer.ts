// The optimizer of a codec that goes on learning while it codes: Adam (Kingma, Ba 2015). Square roots and divisions are exactly rounded,
// so that encoder and decoder come to the same weights.

import { held } from './math';

/** Memory of the gradient's mean and of its square's. */
const FIRST_MEMORY: f32 = 0.5;
const SECOND_MEMORY: f32 = 0.95;
const EPSILON: f32 = 1e-8;

/** Weights that lie side by side and learn together, with their gradient and its moments. */
@unmanaged
export class Learner {
  weights: usize;
  gradient: usize;
  first: usize;
  second: usize;
  /** How many there are: with those that fill the last four up, which have no gradient. */
  count: i32;
  /** With fewer sites than this they wait for the next run. */
  least: i32;
  /** Sites whose gradient came in since the last step. */
  sites: i32;
  /** Numbers in a row of weights, a multiple of four, and the address of their rates relative to `rate`; 0 where all are alike. */
  columns: i32;
  relative: usize;
  /** Where the gradients of all steps are added up; 0 where nobody asks. */
  total: usize;
  rate: f64;
  /** What the memories' powers have come to: the parts of the moments that are still the zeros they began with. */
  firstLack: f64;
  secondLack: f64;
}

export function learnerBytes(): i32 {
  return (<i32>offsetof<Learner>() + 7) & ~7;
}

/** Sets what learns; `learnerReset` must follow. */
export function learnerOpen(
  learner: Learner,
  weights: usize,
  gradient: usize,
  first: usize,
  second: usize,
  count: i32,
  least: i32,
  rate: f64,
): void {
  learner.weights = weights;
  learner.gradient = gradient;
  learner.first = first;
  learner.second = second;
  learner.count = (count + 3) & ~3;
  learner.least = least;
  learner.rate = rate;
  learner.relative = 0;
  learner.total = 0;
}

/** Gives the weights, which are rows of `columns` numbers, a multiple of four, rates relative to the learner's own. */
export function learnerRates(learner: Learner, relative: usize, columns: i32): void {
  learner.relative = relative;
  learner.columns = columns;
}

/** Has the gradients of all steps added to the numbers at an address. */
export function learnerTotal(learner: Learner, total: usize): void {
  learner.total = total;
}

/** Forgets the gradient and its moments. */
export function learnerReset(learner: Learner): void {
  const bytes = <usize>learner.count << 2;
  memory.fill(learner.gradient, 0, bytes);
  memory.fill(learner.first, 0, bytes);
  memory.fill(learner.second, 0, bytes);
  learner.sites = 0;
  learner.firstLack = 1;
  learner.secondLack = 1;
}

/** Takes a step, unless it waits for more sites than those whose gradient came in since the last; returns whether the weights changed. */
export function learn(learner: Learner, sites: i32): bool {
  learner.sites += sites;
  if (learner.sites < learner.least) return false;
  adamStep(learner);
  return true;
}

/** Takes the step for which sites are waiting, if any are. */
export function learnRest(learner: Learner): void {
  if (learner.sites > 0) adamStep(learner);
}

/** Takes the mean of the gradient over the sites into both moments, and clears it. */
function adamStep(learner: Learner): void {
  learner.firstLack *= <f64>FIRST_MEMORY;
  learner.secondLack *= <f64>SECOND_MEMORY;
  const share = f32x4.splat(<f32>(1 / <f64>learner.sites));
  const rate = f32x4.splat(<f32>(learner.rate / (1 - learner.firstLack)));
  const unbias = f32x4.splat(<f32>(1 / (1 - learner.secondLack)));
  learner.sites = 0;
  const weights = learner.weights;
  const gradient = learner.gradient;
  const first = learner.first;
  const second = learner.second;
  const total = learner.total;
  const relative = learner.relative;
  const row = <usize>learner.columns << 2;
  const bytes = <usize>learner.count << 2;
  let column: usize = 0;
  for (let i: usize = 0; i < bytes; i += 16) {
    const sum = v128.load(gradient + i);
    if (total) v128.store(total + i, f32x4.add(v128.load(total + i), sum));
    const g = held(f32x4.mul(sum, share));
    v128.store(gradient + i, f32x4.splat(0));
    let m = v128.load(first + i);
    m = f32x4.add(m, f32x4.mul(f32x4.sub(g, m), f32x4.splat(1 - FIRST_MEMORY)));
    v128.store(first + i, m);
    let v = v128.load(second + i);
    v = f32x4.add(v, f32x4.mul(f32x4.sub(f32x4.mul(g, g), v), f32x4.splat(1 - SECOND_MEMORY)));
    v128.store(second + i, v);
    const size = f32x4.add(f32x4.sqrt(f32x4.mul(v, unbias)), f32x4.splat(EPSILON));
    let step = f32x4.div(f32x4.mul(m, rate), size);
    if (relative) {
      step = f32x4.mul(step, v128.load(relative + column));
      column += 16;
      if (column == row) column = 0;
    }
    v128.store(weights + i, held(f32x4.sub(v128.load(weights + i), step)));
  }
}
