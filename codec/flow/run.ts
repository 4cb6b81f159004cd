/** Runs: the sites of a lattice row that are coded, and learned from, together. */

import type { Vectors } from '../kernels/operations.js';

/** Most sites of a run of a flow that adapts: whole groups of the kernels, so that runs share none. */
export const RUN = 64;

/** Neighbouring sites of a lattice row. */
export interface Run {
  readonly row: number;
  /** Column of the first, and how many there are. */
  readonly first: number;
  readonly count: number;
  /** Their states, what the head makes of these, and room for the gradient in that where one is wanted. */
  readonly states: Vectors;
  readonly outputs: Vectors;
  readonly gradient: Vectors | undefined;
  /** Addresses of their samples and of their neighbour statistics. */
  readonly x: number;
  readonly locals: number;
}
