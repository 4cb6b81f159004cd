// The integer grids of the flow: y on 2^-Y_BITS of a sample, z on 2^-Z_BITS of the site's scale.

export const Y_BITS: u32 = 6;
export const Z_BITS: u32 = 8;
export const Y_UNIT: f32 = 64;
export const Z_UNIT: f32 = 256;
