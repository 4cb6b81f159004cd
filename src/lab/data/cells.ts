/**
 * Cells of images under a model that does not learn: what the context network knows after pass H, before it sees the level's H lattice, and the samples
 * around the cell's V site. What a V site can be coded by that is coded with its H site in one pass is there, and what the shipped V pass says of it.
 */

import { forwardColour } from '../../../codec/flow/colour.js';
import type { Model } from '../../../codec/flow/model.js';
import type { Level } from '../../../codec/flow/pyramid.js';
import type { Image } from '../../../codec/image.js';
import type { Random } from '../../train/random.js';
import { gathered, joined, joinSites, type Site, type Sites, siteOf, walkRuns } from './sites.js';

/** Samples around a V site, by row and column from it: of A and D the four nearest, then H of its own cell, then H of other cells. */
const AROUND = [
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
  [-1, 1],
  [-1, -1],
  [1, -1],
  [1, 1],
];
/** How many of those are of A and D; H of the own cell follows them. */
export const NEAREST = 4;
export const NEIGHBOURS = AROUND.length;

export interface Cells {
  /** Their V sites, as the shipped V pass sees them. */
  readonly sites: Sites;
  /** Of each cell the state that its H site is coded by, `width` numbers of the model's. */
  readonly states: Float32Array;
  /** Of each cell 3 channels of `NEIGHBOURS` samples, a sample's channels side by side. */
  readonly around: Float32Array;
}

/**
 * Draws cells that have all sites around their V site, each as likely as the others.
 *
 * @param image in three channels of 8 bits, coded as one tile
 * @param most so many cells or a few fewer
 */
export async function drawCells(
  { width, height, samples }: Image,
  model: Model,
  most: number,
  random: Random,
): Promise<Cells> {
  // A level has a cell for every four of its pixels, all levels together one for three.
  const share = most / ((width * height) / 3);
  const colours = forwardColour(samples, 3);
  const [states, around, taken]: [Float32Array[], Float32Array[], Site[]] = [[], [], []];
  const drawn = new Map<number, Float32Array>();
  const kernels = await walkRuns(
    { width, height, colours },
    model,
    ({ kernels, state: { level, index }, pass, run }) => {
      if (pass === 'D') drawn.clear();
      for (let i = 0; i < run.count; i++) {
        const [row, column] = [run.row, run.first + i];
        const at = row * level.columns + column;
        if (pass === 'H' && inside(level, row, column) && random.uniform() < share) {
          const { address, channels } = run.states;
          drawn.set(at, kernels.floats(address + 4 * i * channels, channels).slice());
        }
        if (pass !== 'V' || !drawn.has(at)) continue;
        states.push(drawn.get(at)!);
        around.push(neighbours(row, column, index));
        taken.push(siteOf(kernels, run, i));
      }
    },
  );
  return { sites: gathered(kernels, model, taken), states: joined(states), around: joined(around) };

  function neighbours(row: number, column: number, level: number): Float32Array {
    const found = new Float32Array(3 * NEIGHBOURS);
    for (const [n, [dy, dx]] of AROUND.entries()) {
      const [y, x] = [(2 * row + 1 + dy) << level, (2 * column + dx) << level];
      for (let c = 0; c < 3; c++) found[3 * n + c] = colours[3 * (y * width + x) + c];
    }
    return found;
  }
}

/** Whether a level has all sites around a cell's V site. */
function inside({ width, height }: Level, row: number, column: number): boolean {
  return column > 0 && 2 * row + 2 < height && 2 * column + 1 < width;
}

/** Cells of several images under one model. */
export function joinCells(parts: readonly Cells[]): Cells {
  return {
    sites: joinSites(parts.map(({ sites }) => sites)),
    states: joined(parts.map(({ states }) => states)),
    around: joined(parts.map(({ around }) => around)),
  };
}
