/**
 * What the exact mass of a bin saves: bounds by dequantization of the very same conditional densities, the shipped one and one whose field is nonlinear,
 * importance-weighted (Burda et al. 2016), and what a later channel loses that sees an earlier one through the noise.
 */

import * as tf from '@tensorflow/tfjs-core';
import { Weights } from '../../../models/fields/weights.js';
import { scoped } from '../../cnf/scope.js';
import { modelsForEncoding } from '../../models.js';
import type { Random } from '../../train/random.js';
import { baseDensity, binBits, type Conditional, conditional, solved } from '../conditional.js';
import { type FramedBins, framed, headMoments, type Moments } from '../data/bins.js';
import { OWN_PHOTOGRAPHS, photographs, toldPhotographs } from '../data/photographs.js';
import { drawSites, joinSites, type Sites } from '../data/sites.js';
import { atLeast, atMost, type Experiment, near } from '../experiment.js';
import { lines } from '../figures.js';
import { fitShape, SHAPE_TRAINING, shapeBits } from '../shape-fit.js';
import { type FlowShape, flowShape } from '../shapes.js';
import { type Spread, spread } from '../spread.js';
import { mean, slope } from '../statistics.js';

const MODEL = 'default';
/** Samples of the bound; of every coordinate as many are drawn as the last. */
const SAMPLES = [1, 4, 16, 64];
const DRAWS = SAMPLES.at(-1)!;
/** Steps of the nonlinear field. */
const STEPS = 4;
/** Coordinates whose draws are computed at once. */
const CHUNK = 500;

export const experiment: Experiment = {
  title: 'What does the exact likelihood of a bin save?',
  claim:
    'A flow of one coordinate carries both edges of a bin, so that its discrete likelihood is exact. A bound by uniform dequantization of the same density is longer, by what the density varies within the bin; with K importance ' +
    'samples the gap falls as 1/K. And channels that see those before them through that noise lose more.',

  async run({ quick, random, data, log }) {
    const budget = quick ? { training: 100, seen: 600, measured: 150 } : { training: 1500, seen: 4000, measured: 1200 };
    const list = await photographs(data, quick ? 192 : 768, quick ? 0 : 12);
    const [model] = await modelsForEncoding(3, MODEL);
    const draw = async (most: number) => {
      const parts: Sites[] = [];
      for (const { image } of list) parts.push(await drawSites(image, model, most, random));
      return parts;
    };
    const { flow, moments } = learn(joinSites(await draw(budget.seen)), budget.training, random);
    log('a nonlinear field is trained');
    const images = (await draw(budget.measured)).map((sites) => {
      const of = conditional(sites);
      const bins = framed(sites, of, moments);
      return {
        shipped: bounded(exactBits(of), (i, u) => shippedDensity(of, i, u), random),
        nonlinear: bounded(shapeBits(flow, bins).bits, densityOf(flow, bins, random), random),
        blur: blurred(sites, of, random),
      };
    });
    return {
      configuration: {},
      checks: [],
      tables: [],
      figures: [],
      notes: [],
    };
  },
};
