// Samples of any depth are coded in their own unit: the network sees its neighbourhood relative to its spread, so that a deeper
// image is to it an image of more contrast. Only what bounds the range grows with the depth.

import { LN2 } from './math';

/** The local mean enters the network divided by 2^depth. */
export let meanGain: f32 = 0;
/** Means and log-scales of sites stay within these. */
export let meanLimit: f32 = 0;
export let highestLogScale: f32 = 0;

/** Sets the depth of the samples that are coded from now on: 8 to 16 bits. */
export function depthOpen(depth: u32): void {
  meanGain = 1 / <f32>(1 << depth);
  meanLimit = <f32>(8 << depth);
  highestLogScale = 4.1 + LN2 * <f32>(depth - 8);
}
