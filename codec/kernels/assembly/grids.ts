// The integer grids of the flow: y on 2^-Y_BITS of a sample, z on 2^-Z_BITS of the site's scale. A model's means and scales are
// in samples of 8 bits; deeper samples are finer bins of the same density.

export const Y_BITS: u32 = 6;
export const Z_BITS: u32 = 8;
export const Y_UNIT: f32 = 64;
export const Z_UNIT: f32 = 256;

/** Scales are coded in this many bits; that of the normalisation, which gets smaller with deeper samples, in up to 4 more. */
export const SCALE_BITS: u32 = 12;
export let normalBits: u32 = SCALE_BITS;

/** Samples to one of 8 bits: 2^(depth - 8). */
export let fineness: f32 = 1;

/** Sets the depth of the samples that are coded from now on: 8 to 16 bits. */
export function depthOpen(depth: u32): void {
  fineness = <f32>(1 << (depth - 8));
  normalBits = SCALE_BITS + min<u32>(depth - 8, 4);
}
