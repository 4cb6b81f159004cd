/** Runs: the sites of a lattice row that are coded, and learned from, together. */

import type { BlockParameters } from '../../models/definition.js';
import type { Vectors } from '../kernels/operations.js';

/** What a run's sites know of a residual block: its parameters, and the filtered states and hidden channels that it computed. */
export interface RunBlock {
  readonly parameters: BlockParameters;
  readonly mixed: Vectors;
  readonly hidden: Vectors;
}

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
  /** What their last block computed, if it learns. */
  readonly block: RunBlock | undefined;
  /** Addresses of their samples and of their neighbour statistics. */
  readonly x: number;
  readonly locals: number;
}
