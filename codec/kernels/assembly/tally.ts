// Where the bits go: the change of the stack's information over each phase of a site's coordinates. Only for measuring; no
// coded bit depends on it.

import { channels } from './field';
import { information } from './stack';

/** What a coordinate's bits are spent on; a record holds one float32 for each, in this order. */
export const DEQUANTIZATION: i32 = 0;
export const NORMALISATION: i32 = 1;
export const DIVERGENCE: i32 = 2;
export const BASE: i32 = 3;
const COMPONENTS: i32 = 4;

/** Record of the group's first site, or 0 if nothing is measured. */
let record: usize = 0;
let before: f64 = 0;

/** Begins with a group whose first site is `site` of the row whose records begin at `tally`; 0 for none. */
@inline
export function tallyOpen(tally: usize, site: i32): void {
  record = tally ? tally + (<usize>(site * channels * COMPONENTS) << 2) : 0;
  if (record) before = information();
}

/** Adds the bits since the last mark to a component of site s's coordinate k. */
@inline
export function mark(s: i32, k: i32, component: i32): void {
  if (!record) return;
  const at = record + (<usize>((s * channels + k) * COMPONENTS + component) << 2);
  const now = information();
  store<f32>(at, load<f32>(at) + <f32>(now - before));
  before = now;
}
