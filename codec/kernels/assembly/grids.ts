// The integer grids of the flow: y on 2^-Y_BITS of a sample, z on 2^-Z_BITS of the site's scale. Samples of any depth are
// coded in their own unit: the network sees its neighbourhood relative to its spread, so that a deeper image is to it an image
// of more contrast. Only what bounds the range grows with the depth.

export const Y_BITS: u32 = 6;
export const Z_BITS: u32 = 8;
export const Y_UNIT: f32 = 64;
export const Z_UNIT: f32 = 256;

/** Scales are coded in this many bits; that of the normalisation, which gets smaller with wider sites, in up to 4 more. */
export const SCALE_BITS: u32 = 12;
export let normalBits: u32 = SCALE_BITS;

/** The local mean enters the network divided by 2^depth. */
export let meanGain: f32 = 0;
/** Means and log-scales of sites stay within these. */
export let meanLimit: f32 = 0;
export let highestLogScale: f32 = 0;

const LN2: f32 = 0.6931472;

/** Sets the depth of the samples that are coded from now on: 8 to 16 bits. */
export function depthOpen(depth: u32): void {
  normalBits = SCALE_BITS + min<u32>(depth - 8, 4);
  meanGain = 1 / <f32>(1 << depth);
  meanLimit = <f32>(8 << depth);
  highestLogScale = 4.1 + LN2 * <f32>(depth - 8);
}
