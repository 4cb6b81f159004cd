// The dequantizer on the stack: u in [0, 1), one of 2^Y_BITS bins, with the probability q(u | x, c) gives to each.

import { Y_UNIT } from './grids';
import { exp, log } from './math';
import { binMirrored, binStart, binWidth, siteBin, siteLogScale, siteMean } from './site';
import { peek, pop, push } from './stack';

/** The dequantizer's bins are coded in 2^16 slots, two of them given to every bin. */
const BINS: i32 = 64;
const BIN_BITS: u32 = 16;
const BIN_SLOTS: f32 = 65536 - 128;

let binFactor: f32 = 0;
let binBase: f32 = 0;

/** First slot of the dequantizer's bin j: the truncated logistic's cumulative function, free of cancellation. */
@inline
function binSlot(j: i32): u32 {
  if (j <= 0) return 0;
  if (j >= BINS) return 1 << BIN_BITS;
  const e = exp((<f32>j * binWidth) / Y_UNIT);
  const cumulative = min<f32>(((e - 1) / (1 + binBase * e)) * binFactor, 1);
  return <u32>(cumulative * BIN_SLOTS) + 2 * <u32>j;
}

@inline
function binOpen(): void {
  const e = exp(binWidth);
  binBase = exp(binStart);
  binFactor = (1 + binBase * e) / (e - 1);
}

/** Pops the bin of u for sample x of coordinate k, whose neighbours' statistics are given. */
export function popBin(row: usize, x: f32, local: usize, k: i32): i32 {
  siteBin(row, x, siteMean(row, local, k), siteLogScale(row, local, k), k);
  binOpen();
  const slot = peek(BIN_BITS);
  // The quantile function finds the bin but for rounding: log(1 + c) - log(1 - c e^A), c = q / ((1 + e^(A+D)) / (e^D - 1)).
  const c: f32 = <f32>slot / (65536 * binFactor);
  const w = log(1 + c) - log(max<f32>(1 - c * binBase, 1e-30));
  let j = min<i32>(max<i32>(<i32>((w / binWidth) * Y_UNIT), 0), BINS - 1);
  let start = binSlot(j);
  let end = binSlot(j + 1);
  while (slot < start) {
    end = start;
    start = binSlot(--j);
  }
  while (slot >= end) {
    start = end;
    end = binSlot(++j + 1);
  }
  pop(start, end - start, BIN_BITS);
  return binMirrored ? BINS - 1 - j : j;
}

/** Pushes what `popBin` popped, at the same arguments. */
export function pushBin(row: usize, x: f32, local: usize, k: i32, u: i32): void {
  siteBin(row, x, siteMean(row, local, k), siteLogScale(row, local, k), k);
  binOpen();
  const j = binMirrored ? BINS - 1 - u : u;
  const start = binSlot(j);
  push(start, binSlot(j + 1) - start, BIN_BITS);
}

