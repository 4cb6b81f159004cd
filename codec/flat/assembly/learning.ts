// A flow that goes on learning while it is decoded: `codec/flow/adaptation.ts`, `learner.ts` and `correction.ts` tell what it does, and
// when. The steps themselves are the kernels'.

import {
  Correction,
  correctionBytes,
  correctionLearn,
  correctionMap,
  correctionOpen,
  correctionWeights,
  correctRow,
} from '../../kernels/assembly/correction';
import { LEAST_BLOCK_SITES, LEAST_SITES, RUN, SPARSE_RATE, SPARSE_RUNS } from '../../flow/schedule';
import { learn, Learner, learnerBytes, learnerOpen, learnerRates, learnerReset } from '../../kernels/assembly/optimizer';
import {
  product,
  productBiasGradient,
  productWeightGradient,
  reluGradient,
  transpose,
} from '../../kernels/assembly/product';
import { headRates } from '../../kernels/assembly/site';
import { alloc } from './arena';
import { failed } from './error';
import {
  blockBytes,
  blocksOf,
  contextIndex,
  expandAt,
  expandBias,
  Layout,
  PASSES,
  passAt,
  PassLayout,
  projectAt,
} from './layout';
import { Model } from './model';
import { hiddenAt, latticeBytes, Level, mixedAt, Network, requantize, statesAt, takeHead, waits } from './network';

/** Neighbouring sites of a lattice's row. */
@unmanaged
export class Run {
  row: i32;
  /** Column of the first, and how many there are. */
  first: i32;
  count: i32;
  /** Addresses of what the head makes of their states, of the gradient in that, of their samples and of their statistics. */
  outputs: usize;
  gradient: usize;
  x: usize;
  locals: usize;
}

@unmanaged
export class Learning {
  network: Network;
  /** Of all the network's weights. */
  gradients: usize;
  /** Learners of the heads and of the corrections, by context and pass. */
  heads: usize;
  corrections: usize;
  /** Of the passes' last blocks; 0 if these do not learn. Scratch of what they learn from: `block-learning.ts` has the same. */
  blocks: usize;
  dState: usize;
  dHidden: usize;
  transposed: usize;
  /** Of so many runs they learn from one; and runs since the tile began. */
  every: i32;
  runs: i32;
  field: Learner;
  /** The kernels' correction. */
  correction: Correction;
}

@inline
function learnerOf(learners: usize, layout: Layout, level: i32, pass: i32): Learner {
  return changetype<Learner>(learners + <usize>(contextIndex(layout, level) * PASSES + pass) * <usize>learnerBytes());
}

/** Room for the gradients of a model's weights. */
export function gradientsOf(model: Model): usize {
  return alloc(model.layout.bytes);
}

/** What learns the weights of a network whose gradients lie at an address; with an error without memory. */
export function openLearning(network: Network, gradients: usize, isSparse: bool): Learning {
  const model = network.model;
  const layout = model.layout;
  const learning = changetype<Learning>(alloc(offsetof<Learning>()));
  const learners = <u64>(layout.contextCount * PASSES * learnerBytes());
  const heads = alloc(learners);
  const corrections = alloc(learners);
  const field = alloc(learnerBytes());
  const rates = alloc(<u64>network.headSize << 2);
  const d = model.definition;
  const inner = d.width * d.expand;
  const isBlock = network.lastWaits;
  const blocks = isBlock ? alloc(learners) : 0;
  const dState = isBlock ? alloc(<u64>(RUN * d.width) << 2) : 0;
  const dHidden = isBlock ? alloc(<u64>(RUN * inner) << 2) : 0;
  const transposed = isBlock ? alloc(<u64>(d.width * max<i32>(inner, network.headSize)) << 2) : 0;
  const firsts = alloc(layout.bytes);
  const seconds = alloc(layout.bytes);
  let corrected: usize = 0;
  for (let pass = 0; pass < PASSES; pass++) corrected += <usize>correctionWeights(pass) << 2;
  const size = corrected * layout.contextCount;
  const own = alloc(4 * <u64>size);
  const correction = alloc(correctionBytes());
  if (failed()) return learning;
  learning.network = network;
  learning.gradients = gradients;
  learning.heads = heads;
  learning.corrections = corrections;
  learning.blocks = blocks;
  learning.dState = dState;
  learning.dHidden = dHidden;
  learning.transposed = transposed;
  learning.every = isSparse ? SPARSE_RUNS : 1;
  learning.runs = 0;
  learning.correction = changetype<Correction>(correction);
  learning.field = changetype<Learner>(field);
  headRates(rates, d.channels, d.mixtures, network.headSize);
  const weights = network.weights;
  open(learning.field, weights, gradients, firsts, seconds, layout.field, layout.fieldEnd, LEAST_SITES, model.fieldRate);
  let from: usize = 0;
  for (let level = 0; level < layout.contextCount; level++) {
    for (let pass = 0; pass < PASSES; pass++) {
      const place = passAt(layout, level, pass);
      const head = learnerOf(heads, layout, level, pass);
      open(head, weights, gradients, firsts, seconds, place.head, place.headEnd, LEAST_SITES, model.headRate);
      learnerRates(head, rates, network.headSize);
      const end = from + (<usize>correctionWeights(pass) << 2);
      const corrector = learnerOf(corrections, layout, level, pass);
      open(corrector, own, own + size, own + 2 * size, own + 3 * size, from, end, LEAST_SITES, model.correctionRate);
      from = end;
      if (!waits(network, pass)) continue;
      const block = learnerOf(blocks, layout, level, pass);
      const last = lastBlockAt(network, place, pass);
      const expanded = last + expandBias(d) + (<usize>inner << 2);
      const least = isSparse ? LEAST_SITES : LEAST_BLOCK_SITES;
      const rate = isSparse ? model.blockRate * SPARSE_RATE : model.blockRate;
      open(block, weights, gradients, firsts, seconds, last + expandAt(d), expanded, least, rate);
    }
  }
  return learning;
}

/** Opens a learner of the bytes from `from` to `end` of four arrays. */
function open(
  learner: Learner,
  weights: usize,
  gradients: usize,
  firsts: usize,
  seconds: usize,
  from: usize,
  end: usize,
  least: i32,
  rate: f64,
): void {
  const count = <i32>((end - from) >> 2);
  learnerOpen(learner, weights + from, gradients + from, firsts + from, seconds + from, count, least, rate);
  learnerReset(learner);
}

/** Begins with a pass, of whose level D must come first; false with an error without memory. */
export function openPass(learning: Learning, level: Level, pass: i32): bool {
  const model = learning.network.model;
  const channels = model.definition.channels;
  const correction = learning.correction;
  if (pass == 0) {
    correctionMap(correction, 0, level.a);
    correctionMap(correction, 1, level.d);
    correctionMap(correction, 2, level.h);
    // What is missed at the sites of each pass.
    for (let map = 0; map < PASSES; map++) correctionMap(correction, 3 + map, alloc(latticeBytes(level, channels)));
    if (failed()) return false;
  }
  const own = learnerOf(learning.corrections, model.layout, level.index, pass);
  correctionOpen(correction, pass, level.columns, channels, own.weights, own.gradient);
  return true;
}

/** Corrects what a run's head says of its sites' locations. */
export function correct(learning: Learning, run: Run): void {
  const size = learning.network.headSize;
  correctRow(learning.correction, run.row, run.first, run.count, run.outputs, size, run.locals);
}

/** Learns from a run of sites, which are decoded now. */
export function learnFrom(learning: Learning, level: Level, pass: i32, run: Run): void {
  const network = learning.network;
  const layout = network.model.layout;
  const size = network.headSize;
  const count = run.count;
  correctionLearn(
    learning.correction,
    run.row,
    run.first,
    count,
    run.outputs,
    size,
    run.gradient,
    run.x,
    run.locals,
  );
  learn(learnerOf(learning.corrections, layout, level.index, pass), count);
  if (waits(network, pass)) learnBlock(learning, level, pass, run);
  const place = passAt(layout, level.index, pass);
  const width = network.model.definition.width;
  const states = statesAt(network, level, run.row, run.first);
  const stride = <usize>size << 2;
  productWeightGradient(
    learning.gradients + place.head,
    states,
    <usize>width << 2,
    width,
    run.gradient,
    stride,
    size,
    count,
  );
  productBiasGradient(learning.gradients + place.headBias, run.gradient, stride, size, count);
  if (learn(learnerOf(learning.heads, layout, level.index, pass), count)) takeHead(network, level.index, pass);
  learn(learning.field, count);
}

/** Where a pass's last block begins among the weights. */
function lastBlockAt(network: Network, place: PassLayout, pass: i32): usize {
  const d = network.model.definition;
  return place.blocks + <usize>(blocksOf(d, pass) - 1) * blockBytes(d);
}

/** Carries a run's gradient on through its pass's last block, which learns from it, or lets it pass. */
function learnBlock(learning: Learning, level: Level, pass: i32, run: Run): void {
  if (learning.runs++ % learning.every > 0) return;
  const network = learning.network;
  const layout = network.model.layout;
  const d = network.model.definition;
  const place = passAt(layout, level.index, pass);
  const last = lastBlockAt(network, place, pass);
  const gradients = learning.gradients + last;
  const inner = d.width * d.expand;
  const size = <usize>d.width << 2;
  const innerSize = <usize>inner << 2;
  const headSize = network.headSize;
  const headBytes = <usize>headSize << 2;
  const count = run.count;
  const back = learning.transposed;
  const dState = learning.dState;
  const dHidden = learning.dHidden;
  const mixed = mixedAt(network, level, run.first);
  const hidden = hiddenAt(network, level, run.first);
  transpose(back, network.weights + place.head, d.width, headSize);
  product(dState, size, run.gradient, headBytes, headSize, back, 0, d.width, count, 0);
  transpose(back, network.weights + last + projectAt(d), inner, d.width);
  product(dHidden, innerSize, dState, size, d.width, back, 0, inner, count, 0);
  reluGradient(dHidden, hidden, count * inner);
  productWeightGradient(gradients + expandAt(d), mixed, size, d.width, dHidden, innerSize, inner, count);
  productBiasGradient(gradients + expandBias(d), dHidden, innerSize, inner, count);
  if (learn(learnerOf(learning.blocks, layout, level.index, pass), count)) requantize(network, level, pass);
}
