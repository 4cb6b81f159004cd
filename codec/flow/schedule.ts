/** When a flow learns. The flat decoder reads it, too. */

/** Most sites that are coded, and learned from, together: whole groups of the kernels, so that runs share none. */
export const RUN = 64;
/** With fewer sites than this weights wait for the next run. */
export const LEAST_SITES = 48;
/** The same of a block, which has many weights: a step takes as long as the gradient of some twenty sites. */
export const LEAST_BLOCK_SITES = 112;
/** A block that learns sparsely does so from one run of as many, the first of a tile among them, and waits for no others. */
export const SPARSE_RUNS = 4;
/** Its rate then, relative to the usual one: fewer sites tell a step. */
export const SPARSE_RATE = 0.5;
