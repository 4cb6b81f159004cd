// Coding the sites of a lattice row: for each site pop u, run the flow forward, push the base symbols; decoding is the
// same backward.

import { popSymbol, pushSymbol } from './base';
import { popBin, pushBin } from './bins';
import { channels } from './field';
import { flowBackward, flowForward, GROUP, getState, normalise, origin, setState, slotOf } from './flow';
import { Y_BITS, Y_UNIT } from './grids';
import { hold } from './math';
import { BASE, DEQUANTIZATION, mark, tallyOpen } from './tally';

/** Encodes a group of sites. `trace`, if not 0, receives the dequantized u of each coordinate, 0 .. 1, as float32. */
function encodeGroup(rows: usize, rowStride: usize, x: usize, locals: usize, sites: i32, trace: usize): void {
  const stride = (<usize>channels) << 2;
  for (let s: i32 = sites - 1; s >= 0; s--) {
    const row = rows + <usize>s * rowStride;
    const local = locals + 3 * <usize>s * stride;
    for (let k: i32 = 0; k < channels; k++) {
      const at = <usize>s * stride + ((<usize>k) << 2);
      const sample = load<f32>(x + at);
      const u = popBin(row, sample, local, k);
      mark(s, k, DEQUANTIZATION);
      if (trace) store<f32>(trace + at, (<f32>u + 0.5) / Y_UNIT);
      normalise(row, s, k, local);
      setState(slotOf(s, k), ((<i32>sample - origin(s, k)) << Y_BITS) + u);
    }
  }
  flowForward(rows, rowStride, sites);
  for (let s: i32 = sites - 1; s >= 0; s--) {
    for (let k: i32 = 0; k < channels; k++) {
      pushSymbol(rows + <usize>s * rowStride, k, getState(slotOf(s, k)));
      mark(s, k, BASE);
    }
  }
}

function decodeGroup(rows: usize, rowStride: usize, x: usize, locals: usize, sites: i32): void {
  const stride = (<usize>channels) << 2;
  for (let s: i32 = 0; s < sites; s++) {
    const row = rows + <usize>s * rowStride;
    for (let k: i32 = channels - 1; k >= 0; k--) {
      normalise(row, s, k, locals + 3 * <usize>s * stride);
      setState(slotOf(s, k), popSymbol(row, k));
    }
  }
  flowBackward(rows, rowStride, sites);
  for (let s: i32 = 0; s < sites; s++) {
    const row = rows + <usize>s * rowStride;
    for (let k: i32 = channels - 1; k >= 0; k--) {
      const at = <usize>s * stride + ((<usize>k) << 2);
      const y = getState(slotOf(s, k));
      const sample = <f32>((y >> Y_BITS) + origin(s, k));
      store<f32>(x + at, sample);
      pushBin(row, sample, locals + 3 * <usize>s * stride, k, y & ((1 << Y_BITS) - 1));
    }
  }
}

/**
 * Pushes the samples of `columns` sites, last group first: `head` holds `headSize` floats a site, `x` one
 * float32 a coordinate, `locals` the three statistics of each. `trace` is 0 or receives the dequantized u, `tally` is 0 or zeros that
 * become the bits of each coordinate's components (`tally.ts`).
 */
export function encodeRow(
  head: usize,
  headSize: i32,
  x: usize,
  locals: usize,
  columns: i32,
  trace: usize,
  tally: usize,
): void {
  const rowStride = (<usize>headSize) << 2;
  hold(head, columns * headSize);
  for (let j: i32 = (columns - 1) & ~(GROUP - 1); j >= 0; j -= GROUP) {
    const at = (<usize>(j * channels)) << 2;
    const sites = min<i32>(GROUP, columns - j);
    tallyOpen(tally, j);
    encodeGroup(head + <usize>j * rowStride, rowStride, x + at, locals + 3 * at, sites, trace ? trace + at : 0);
  }
}

/** Pops what `encodeRow` pushed, first group first, into `x`. */
export function decodeRow(head: usize, headSize: i32, x: usize, locals: usize, columns: i32): void {
  const rowStride = (<usize>headSize) << 2;
  hold(head, columns * headSize);
  for (let j: i32 = 0; j < columns; j += GROUP) {
    const at = (<usize>(j * channels)) << 2;
    decodeGroup(head + <usize>j * rowStride, rowStride, x + at, locals + 3 * at, min<i32>(GROUP, columns - j));
  }
}
