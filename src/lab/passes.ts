/**
 * H and V of a cell in one pass, or one after the other: densities of a V site that are learned on what the context network knows before it sees the level's H
 * lattice. In one pass V sees H of its own cell only, in a pass of its own that of all cells around. Both take as many multiply-adds as the shipped V pass.
 */

import { passMultiplyAdds } from '../../models/definition.js';
import { Weights } from '../../models/fields/weights.js';
import type { Random } from '../train/random.js';
import { binsBy, CLAMP, type FramedBins, type Moments, momentsOf } from './data/bins.js';
import { type Cells, NEAREST, NEIGHBOURS } from './data/cells.js';
import { fitShape, shapeBits } from './shape-fit.js';
import { hiddenFor, mixtureShape, networkCost } from './shapes.js';
import { mean } from './statistics.js';

const CHANNELS = 3;
/** The spread of a site's neighbours is taken for this wider, in samples. */
const LEAST_SPREAD = 0.25;

/** How V may be coded, and how many of the samples around it are seen then. */
export interface Way {
  readonly name: string;
  readonly neighbours: number;
}

export const WAYS: readonly Way[] = [
  { name: 'in one pass with H', neighbours: NEAREST + 1 },
  { name: 'after H', neighbours: NEIGHBOURS },
];

/** Of the V sites of cells that are held out. */
export interface LearnedPass {
  /** Bits per sample, exact. */
  readonly bits: number;
  /** Multiply-adds of a cell. */
  readonly cost: number;
  readonly hidden: number;
}

/** Learns a mixture of logistics for each channel of V, given the integers of those before. */
export function learnPass({ neighbours }: Way, seen: Cells, held: Cells, steps: number, random: Random): LearnedPass {
  const wanted = passMultiplyAdds(seen.sites.model.definition, 'V') / CHANNELS;
  const moments = momentsOf(seen.states, seen.states.length / seen.sites.count);
  const channels = Array.from({ length: CHANNELS }, (_, k) => {
    const [before, after] = [seen, held].map((cells) => binsOfV(cells, k, neighbours, moments));
    const weights = new Weights(random);
    const hidden = hiddenFor(wanted, before.features);
    const shape = mixtureShape(weights, before.features, hidden);
    fitShape(shape, weights, before, steps, random);
    const cost = networkCost(before.features, hidden) + shape.cost;
    return { bits: mean(shapeBits(shape, after).bits), cost, hidden };
  });
  return {
    bits: mean(channels.map(({ bits }) => bits)),
    cost: channels.reduce((sum, { cost }) => sum + cost, 0),
    hidden: channels[0].hidden,
  };
}

/**
 * Bins of channel k of V in the frame of the four nearest samples of A and D, their mean and spread: the state before H, the samples around, and the channels before.
 *
 * @param neighbours so many samples around are seen
 */
function binsOfV({ sites, states, around }: Cells, k: number, neighbours: number, moments: Moments): FramedBins {
  const { count, samples } = sites;
  const width = states.length / count;
  const frames = Array.from({ length: CHANNELS }, (_, c) => framesOf(around, count, c));
  const place = (i: number, c: number, x: number) =>
    Math.min(CLAMP, Math.max(-CLAMP, (x - frames[c].mean[i]) * frames[c].inverse[i]));
  const row = (i: number, to: Float32Array, at: number) => {
    let next = at;
    for (let j = 0; j < width; j++) to[next++] = (states[i * width + j] - moments.mean[j]) * moments.inverse[j];
    for (let n = 0; n < neighbours; n++) {
      for (let c = 0; c < CHANNELS; c++) to[next++] = place(i, c, around[CHANNELS * (i * NEIGHBOURS + n) + c]);
    }
    for (let o = 0; o < k; o++) to[next++] = place(i, o, samples[CHANNELS * i + o] + 0.5);
  };
  const { mean: centre, inverse } = frames[k];
  const lower = Float32Array.from(centre, (middle, i) => (samples[CHANNELS * i + k] - middle) * inverse[i]);
  return binsBy({ count, lower, width: Float32Array.from(inverse) }, width + CHANNELS * neighbours + k, row);
}

/** Mean and inverse spread of the four nearest samples of a channel, of each cell. */
function framesOf(around: Float32Array, count: number, channel: number): { mean: Float64Array; inverse: Float64Array } {
  const nearest = (i: number) =>
    Float64Array.from({ length: NEAREST }, (_, n) => around[CHANNELS * (i * NEIGHBOURS + n) + channel]);
  const middle = Float64Array.from({ length: count }, (_, i) => mean(nearest(i)));
  const inverse = Float64Array.from(
    middle,
    (centre, i) => 1 / (LEAST_SPREAD + mean(nearest(i).map((x) => Math.abs(x - centre)))),
  );
  return { mean: middle, inverse };
}
