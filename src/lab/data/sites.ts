/** Sites of images as a model sees them that does not learn: what the heads of its context network say there, and the samples. */

import { forwardColour } from '../../../codec/flow/colour.js';
import type { LevelState } from '../../../codec/flow/context.js';
import type { Model } from '../../../codec/flow/model.js';
import type { Run } from '../../../codec/flow/run.js';
import { SiteWalk } from '../../../codec/flow/walk.js';
import type { Image } from '../../../codec/image.js';
import { type KernelConstant, Kernels } from '../../../codec/kernels/kernels.js';
import type { Pass } from '../../../models/definition.js';
import type { Random } from '../../train/random.js';

export interface Sites {
  readonly model: Model;
  /** Of the kernels, for samples of 8 bits. */
  readonly constant: (name: KernelConstant) => number;
  readonly count: number;
  /** The heads' raw outputs, `headLayout` of them a site. */
  readonly heads: Float32Array;
  /** Three a site. */
  readonly samples: Float32Array;
  /** Nine a site: of each channel the mean of the neighbours, then the spread of each, then its logarithm. */
  readonly locals: Float32Array;
}

/**
 * Draws sites of an image, each as likely as the others.
 *
 * @param image in three channels of 8 bits, coded as one tile
 * @param most so many sites or a few fewer; all of an image that has no more
 */
export async function drawSites(image: Image, model: Model, most: number, random: Random): Promise<Sites> {
  const total = image.width * image.height - 1;
  const taken: Site[] = [];
  const colours = forwardColour(image.samples, 3);
  const kernels = await walkRuns({ ...image, colours }, model, ({ kernels, run }) => {
    for (let i = 0; i < run.count; i++) {
      if (taken.length === most || random.uniform() * total >= most) continue;
      taken.push(siteOf(kernels, run, i));
    }
  });
  return gathered(kernels, model, taken);
}

/** Runs of a tile's sites, one after the other in the decoder's order. */
export interface Visit {
  readonly kernels: Kernels;
  readonly state: LevelState;
  readonly pass: Pass;
  readonly run: Run;
}

/**
 * Goes through the sites of an image, coded as one tile by a model that does not learn.
 *
 * @param image its samples of 8 bits after the colour transform
 * @returns the kernels, for their constants
 */
export async function walkRuns(
  { width, height, colours }: { width: number; height: number; colours: Int32Array },
  model: Model,
  visit: (at: Visit) => void,
): Promise<Kernels> {
  const kernels = await Kernels.create();
  const walk = new SiteWalk(kernels, model.definition, undefined);
  walk.load(model.weights);
  kernels.scoped(() => {
    const { tile } = walk.open(colours, { width, height, depth: 8 });
    for (const { state, pass } of walk.network.passes(tile)) {
      walk.network.take(state, pass, tile);
      walk.pass(state, pass, (run) => visit({ kernels, state, pass, run }));
    }
  });
  return kernels;
}

/** What there is of one site. */
export interface Site {
  readonly head: Float32Array;
  readonly x: Float32Array;
  readonly local: Float32Array;
}

/** A copy of what a run has of its i-th site. */
export function siteOf(kernels: Kernels, { outputs, x, locals }: Run, i: number): Site {
  const size = outputs.channels;
  return {
    head: kernels.floats(outputs.address + 4 * i * size, size).slice(),
    x: kernels.floats(x + 4 * i * 3, 3).slice(),
    local: kernels.floats(locals + 4 * i * 9, 9).slice(),
  };
}

export function gathered(kernels: Kernels, model: Model, taken: readonly Site[]): Sites {
  return {
    model,
    constant: (name) => kernels.run[name].value as number,
    count: taken.length,
    heads: joined(taken.map(({ head }) => head)),
    samples: joined(taken.map(({ x }) => x)),
    locals: joined(taken.map(({ local }) => local)),
  };
}

/** Sites of several images under one model. */
export function joinSites(parts: readonly Sites[]): Sites {
  return {
    ...parts[0],
    count: parts.reduce((sum, { count }) => sum + count, 0),
    heads: joined(parts.map(({ heads }) => heads)),
    samples: joined(parts.map(({ samples }) => samples)),
    locals: joined(parts.map(({ locals }) => locals)),
  };
}

/** One array behind the other. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
