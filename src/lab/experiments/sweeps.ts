/**
 * The codec's site under the light of its first version: three coordinates as one joint flow on dequantized samples, by N sweeps of the splitting method, beside
 * densities of one coordinate after the other that are exact for integers. All learn from the same sites, and take the same multiply-adds. And two sites of a cell in
 * one pass, H and V, beside a pass for each.
 */

import * as tf from '@tensorflow/tfjs-core';
import { headLayout, passMultiplyAdds } from '../../../models/definition.js';
import { affineSplit } from '../../../models/fields/affine-split.js';
import { Weights } from '../../../models/fields/weights.js';
import { logDensity, standardLogistic } from '../../cnf/base.js';
import { fitLikelihood } from '../../cnf/fit.js';
import { type Cnf, cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { splitting } from '../../cnf/solvers/splitting.js';
import { modelsForEncoding } from '../../session/models.js';
import type { Random } from '../../train/random.js';
import { conditional, exactBits, placed } from '../codec-density.js';
import { binsOf, type FramedBins, headMoments, type Moments } from '../data/bins.js';
import { type Cells, drawCells, joinCells } from '../data/cells.js';
import { type Photograph, photographs, toldPhotographs } from '../data/photographs.js';
import { drawSites, joinSites, type Sites } from '../data/sites.js';
import { atLeast, atMost, contest, type Experiment, near } from '../experiment.js';
import { lines } from '../figures.js';
import { learnPass, WAYS } from '../passes.js';
import { fitShape, SHAPE_TRAINING, shapeBits } from '../shape-fit.js';
import { flowShape, mixtureShape, networkCost, type Shape } from '../shapes.js';
import { RUNS, repeatedly, spreadOf } from '../spread.js';
import { mean } from '../statistics.js';

const MODEL = 'default';
const CHANNELS = 3;
const SWEEPS = { quick: [1, 4], whole: [1, 2, 4] };
/** Samples of the noise for the importance-weighted bound. */
const DRAWS = 16;
const CHUNK = 1024;
const [BATCH, RATE] = [512, 0.01];
/** Pictures that densities are tested on; the others teach them. */
const HELD_OUT = ['hair-127x163', 'kodim23'];
const EXACT = {
  'exact, mixture': (weights: Weights, features: number): Shape => mixtureShape(weights, features),
  'exact, nonlinear flow, one step': (weights: Weights, features: number): Shape => flowShape(weights, features, 1),
};
type Exact = keyof typeof EXACT;
const MIXTURE: Exact = 'exact, mixture';

const base = standardLogistic(CHANNELS);

export const experiment: Experiment = {
  title: 'Sweeps over a site’s channels together, or one after the other?',
  claim:
    'A flow of a site’s channels together can let each see the others, the more sweeps the more, but needs noise between integers; taken one after the other, channels see exact integers, and their bins have exact mass. At ' +
    'equal multiply-adds the exact ones code shorter; more sweeps mend what one leaves. Sites H and V of a cell in one pass save a pass of the context network, but V does not see the H of other cells: it codes longer.',

  async run({ quick, random, data, log }) {
    const budget = quick
      ? { seen: 40_000, cells: 20_000, held: 600, steps: 40 }
      : { seen: 200_000, cells: 200_000, held: 8000, steps: 400 };
    const list = await photographs(data, quick ? 128 : 768, quick ? 0 : 8);
    const counts = quick ? SWEEPS.quick : SWEEPS.whole;
    // Sites enough that none is learned by heart: of 8,000, networks of this size learn what holds for no other image.
    const { seen, held, cells } = await draw(list, budget, random);
    const early = quick ? ' In a quick run all stop learning early.' : '';
    const runs = repeatedly(random, (own, run) => {
      const exact = Object.entries(EXACT).map(([name, make]) => [
        name,
        learnExact(make, seen, held, budget.steps, own),
      ]);
      const joint = counts.map((sweeps) => [jointly(sweeps), learnJoint(sweeps, seen, held, budget.steps, own)]);
      const sites: Record<string, Learned> = Object.fromEntries([...exact, ...joint]);
      const passes = WAYS.map((way) => learnPass(way, cells.seen, cells.held, budget.steps, own));
      const told = [...Object.values(sites), ...passes].map(({ bits }) => bits.toFixed(3));
      log(`run ${run + 1} of ${RUNS}: ${told.join(', ')} bits per sample`);
      return { sites, passes };
    });
    const names = Object.keys(runs[0].sites);
    const of = (name: string, number: keyof Learned) => spreadOf(runs, ({ sites }) => sites[name][number]);
    const gain = (name: string, over: string) => spreadOf(runs, ({ sites }) => sites[over].bits - sites[name].bits);
    const ofPass = (w: number) => spreadOf(runs, ({ passes }) => passes[w].bits);
    const shipped = mean(exactBits(conditional(cells.held.sites)));
    const shippedCost = passMultiplyAdds(cells.held.sites.model.definition, 'V');
    const [together, apart] = [0, 1];
    const [one, many] = [counts[0], counts.at(-1)!].map(jointly);
    const costs = names.map((name) => runs[0].sites[name].cost);
    const passCosts = [...runs[0].passes.map(({ cost }) => cost), shippedCost];
    return {
      configuration: {
        images: toldPhotographs(list),
        'tested on': HELD_OUT.join(', '),
        sites: `${seen.count} seen, ${held.count} held out, of model ${MODEL}: what its heads say, in units of its own scale`,
        exact: `each channel given the integers of those before, by a network of its own; ${SHAPE_TRAINING}`,
        joint: `dz/dt = a z + b, a and b of the other two channels and of what the heads say; splitting method, each sweep the exact solutions of three parts; logistic base; maximum likelihood with uniform noise, batches of ${BATCH} sites`,
        passes: `${cells.seen.sites.count} cells seen, ${cells.held.sites.count} held out: V is learned from the state that H is coded by, the four nearest samples of A and D, and H of its own cell (one pass) or of all four cells around (after H); a mixture, exact, as many multiply-adds as the shipped V pass; ${SHAPE_TRAINING}`,
        steps: budget.steps,
        'multiply-adds':
          'of a site; what the context adds to hidden units counts once, as it does not change from sweep to sweep',
        spread: `over ${RUNS} runs`,
      },
      checks: [
        near('multiply-adds of all, largest over smallest', Math.max(...costs) / Math.min(...costs), 1, 0.06, 'times'),
        near(
          'multiply-adds of V, largest over smallest',
          Math.max(...passCosts) / Math.min(...passCosts),
          1,
          0.06,
          'times',
        ),
        ...counts.map((sweeps) =>
          atLeast(
            `${jointly(sweeps)}: what the bound with one sample has above that with ${DRAWS}`,
            spreadOf(runs, ({ sites }) => sites[jointly(sweeps)].bits - sites[jointly(sweeps)].tight),
            0,
            'bits per sample',
          ),
        ),
        atMost(
          'exact: bins without mass',
          runs.reduce((sum, { sites }) => sum + sites['exact, nonlinear flow, one step'].folded, 0),
          0,
        ),
      ],
      contests: [
        contest(
          'the exact mixture codes shorter than one joint sweep',
          gain(MIXTURE, one),
          'bits per sample',
          'What the channels tell each other makes up for the noise between integers.',
        ),
        contest(
          `the exact mixture codes shorter than ${counts.at(-1)} joint sweeps`,
          gain(MIXTURE, many),
          'bits per sample',
          'What the channels tell each other makes up for the noise between integers.',
        ),
        contest(
          `the exact mixture codes shorter than ${counts.at(-1)} joint sweeps would with ${DRAWS} samples of noise`,
          spreadOf(runs, ({ sites }) => sites[many].tight - sites[MIXTURE].bits),
          'bits per sample',
          `Without the gap of the bound, which no coder gets for as little work, the joint flow is as good or better.${early}`,
        ),
        contest(
          `${counts.at(-1)} joint sweeps code shorter than one`,
          gain(many, one),
          'bits per sample',
          'After one sweep the last channel has seen the two others, and the first none: more sweeps add to the first what the later ones had already. At equal multiply-adds their networks are smaller, too.',
        ),
        contest(
          'the exact nonlinear flow codes shorter than the exact mixture',
          gain('exact, nonlinear flow, one step', MIXTURE),
          'bits per sample',
          'A density of residuals has one peak and two tails, which few logistics have as well as any map.',
        ),
        contest(
          'V codes shorter after H than in one pass with it',
          spreadOf(runs, ({ passes }) => passes[together].bits - passes[apart].bits),
          'bits per sample of V',
          `H of the own cell tells most of what H of all four does, and what sees less has more hidden units for its multiply-adds.${early}`,
        ),
        contest(
          'V codes shorter by the shipped pass after H than in one pass with it',
          spreadOf(runs, ({ passes }) => passes[together].bits - shipped),
          'bits per sample of V',
          'The state before H tells a network as large as the V pass as much as the V pass finds with H at hand.',
        ),
      ],
      figures: [
        lines(
          'Code length against sweeps, at equal multiply-adds',
          'Bits per sample of images held out. Bars: standard error over runs.',
          {
            x: { label: 'sweeps N', type: 'log', base: 2, tickFormat: 'd', ticks: 3 },
            y: { label: 'bits per sample' },
          },
          [
            curve('joint, bound with one sample', counts, (sweeps) => of(jointly(sweeps), 'bits')),
            curve(`joint, bound with ${DRAWS} samples`, counts, (sweeps) => of(jointly(sweeps), 'tight')),
            ...Object.keys(EXACT).map((name) => curve(name, counts, () => of(name, 'bits'))),
          ],
        ),
        lines(
          'Time of a site against sweeps',
          'Of its density on TensorFlow.js, the network included. Bars: standard error over runs.',
          {
            x: { label: 'sweeps N', type: 'log', base: 2, tickFormat: 'd', ticks: 3 },
            y: { label: 'microseconds', zero: true },
          },
          [
            curve('joint', counts, (sweeps) => of(jointly(sweeps), 'time')),
            ...Object.keys(EXACT).map((name) => curve(name, counts, () => of(name, 'time'))),
          ],
        ),
      ],
      tables: [
        {
          title: 'Densities of a site',
          columns: [
            'density',
            'bits per sample',
            `bound with ${DRAWS} samples`,
            'less than the exact mixture’s',
            'multiply-adds',
            'µs a site',
          ],
          rows: names.map((name) => [
            name,
            of(name, 'bits'),
            name in EXACT ? '' : of(name, 'tight'),
            name === MIXTURE ? '' : gain(name, MIXTURE),
            runs[0].sites[name].cost,
            of(name, 'time'),
          ]),
        },
        {
          title: 'H and V of a cell: V, exact',
          columns: ['V is coded', 'bits per sample of V', 'multiply-adds', 'hidden units of a channel'],
          rows: [
            ...runs[0].passes.map(({ cost, hidden }, w) => [WAYS[w].name, ofPass(w), cost, hidden]),
            ['after H, by the shipped V pass', shipped, shippedCost, ''],
          ],
        },
      ],
      notes: [
        'All learn from what the heads of a model say that was trained for the exact mixture: its own features favour none of these new densities, but its scales are those of its own.',
        `H costs the same either way: H and V together differ by half of what V does. In one pass V takes ${runs[0].passes[together].cost} multiply-adds, which are the V pass’s; the shipped V pass learned for hours and from many images, and its state before H was trained to go on with H at hand, so ` +
          'that it is ahead by more than a context network trained for one pass would leave: models/README.md has what such training lost (0.005 to 0.009 bits per sample, H unseen altogether). The two that learn here are alike in all but what they see.',
      ],
    };
  },
};

function jointly(sweeps: number): string {
  return `joint, ${sweeps} ${sweeps === 1 ? 'sweep' : 'sweeps'}`;
}

function curve(name: string, counts: readonly number[], of: (sweeps: number) => { mean: number; error: number }) {
  const spreads = counts.map(of);
  return {
    name,
    points: spreads.map((one, i): [number, number] => [counts[i], one.mean]),
    errors: spreads.map(({ error }) => error),
  };
}

/** Sites as both kinds of density see them. */
interface Drawn {
  readonly count: number;
  readonly bins: FramedBins;
  /** What the heads say of sites, [n, C], and how many numbers that is. */
  readonly contextSize: number;
  context(indices: ArrayLike<number>): tf.Tensor2D;
  /** Points in their bins [n, 3], with log of the bins' volume [n, 1]. */
  points(indices: ArrayLike<number>, random: Random): { z: tf.Tensor2D; logVolume: tf.Tensor2D };
}

interface Halves<T> {
  readonly seen: T;
  readonly held: T;
}

async function draw(
  list: readonly Photograph[],
  budget: { seen: number; cells: number; held: number },
  random: Random,
): Promise<Halves<Drawn> & { cells: Halves<Cells> }> {
  const [model] = await modelsForEncoding(CHANNELS, MODEL);
  const parts = async (held: boolean) => {
    const own = list.filter(({ name }) => HELD_OUT.includes(name) === held);
    const [sites, cells]: [Sites[], Cells[]] = [[], []];
    for (const { image } of own) {
      sites.push(await drawSites(image, model, (held ? budget.held : budget.seen) / own.length, random));
      cells.push(await drawCells(image, model, (held ? budget.held : budget.cells) / own.length, random));
    }
    return { sites: joinSites(sites), cells: joinCells(cells) };
  };
  const [before, after] = [await parts(false), await parts(true)];
  const moments = headMoments(before.sites);
  return {
    seen: drawn(before.sites, moments),
    held: drawn(after.sites, moments),
    cells: { seen: before.cells, held: after.cells },
  };
}

function drawn(sites: Sites, moments: Moments): Drawn {
  const { size } = headLayout(sites.model.definition);
  const { count: coordinates, lower, width } = placed(sites);
  return {
    count: sites.count,
    bins: binsOf(sites, { count: coordinates, lower, width }, moments),
    contextSize: size,
    context(indices) {
      const rows = new Float32Array(indices.length * size);
      for (let i = 0; i < indices.length; i++) {
        for (let j = 0; j < size; j++)
          rows[i * size + j] = (sites.heads[indices[i] * size + j] - moments.mean[j]) * moments.inverse[j];
      }
      return tf.tensor2d(rows, [indices.length, size]);
    },
    points(indices, random) {
      const z = new Float32Array(indices.length * CHANNELS);
      const volumes = new Float32Array(indices.length);
      for (let i = 0; i < indices.length; i++) {
        for (let k = 0; k < CHANNELS; k++) {
          const at = CHANNELS * indices[i] + k;
          z[i * CHANNELS + k] = lower[at] + width[at] * random.uniform();
          volumes[i] += Math.log(width[at]);
        }
      }
      return { z: tf.tensor2d(z, [indices.length, CHANNELS]), logVolume: tf.tensor2d(volumes, [indices.length, 1]) };
    },
  };
}

interface Learned {
  /** Bits per sample of what is held out: exact, or the bound with one sample of noise, and that with more. */
  readonly bits: number;
  readonly tight: number;
  /** Bins without mass. */
  readonly folded: number;
  /** Of a site: multiply-adds, and microseconds. */
  readonly cost: number;
  readonly time: number;
}

function learnExact(
  make: (weights: Weights, features: number) => Shape,
  seen: Drawn,
  held: Drawn,
  steps: number,
  random: Random,
): Learned {
  const channels = Array.from({ length: CHANNELS }, (_, k) => {
    const weights = new Weights(random);
    const shape = make(weights, seen.bins.features);
    fitShape(shape, weights, ofChannel(seen, k), steps, random);
    const own = ofChannel(held, k);
    return { shape, ...shapeBits(shape, own), time: timed(() => shapeBits(shape, own), held.count) };
  });
  const bits = mean(channels.map((one) => mean(one.bits)));
  return {
    bits,
    tight: bits,
    folded: channels.reduce((sum, one) => sum + one.folded, 0),
    cost: exactCost(channels[0].shape, seen),
    time: channels.reduce((sum, one) => sum + one.time, 0),
  };
}

/** One channel's bins: each has a network of its own, as the parts of a joint flow have. */
function ofChannel({ bins, count }: Drawn, k: number): FramedBins {
  return { ...bins, count, take: (indices) => bins.take(Int32Array.from(indices, (i) => CHANNELS * i + k)) };
}

function exactCost({ cost }: Shape, { bins }: Drawn): number {
  return CHANNELS * (networkCost(bins.features) + cost);
}

/** Multiply-adds of a joint flow: hidden units see the context once, and two channels in each sweep, of which they give two numbers. */
function jointCost(hidden: number, context: number, sweeps: number): number {
  return CHANNELS * (hidden * context + sweeps * (hidden * (CHANNELS - 1 + 2) + 1));
}

function learnJoint(sweeps: number, seen: Drawn, held: Drawn, steps: number, random: Random): Learned {
  const weights = new Weights(random);
  const wanted = exactCost(mixtureShape(new Weights(random), seen.bins.features), seen);
  const hidden = Math.round((wanted / CHANNELS - sweeps) / (seen.contextSize + sweeps * (CHANNELS + 1)));
  const field = affineSplit(weights, { dimension: CHANNELS, hidden: [hidden], context: seen.contextSize });
  const flow = cnf(field, { method: { solver: splitting, steps: sweeps } });
  const batch = () => {
    const indices = Int32Array.from({ length: BATCH }, () => random.below(seen.count));
    return { x: seen.points(indices, random).z, context: seen.context(indices) };
  };
  fitLikelihood(flow, base, { weights, batch, steps, rate: RATE });
  const [bits, tight] = [1, DRAWS].map((draws) => boundBits(flow, held, draws, random));
  const time = timed(() => boundBits(flow, held, 1, random), held.count);
  return { bits, tight, folded: 0, cost: jointCost(hidden, seen.contextSize, sweeps), time };
}

/** The importance-weighted bound with uniform noise, mean over sites, in bits per sample. */
function boundBits(flow: Cnf, held: Drawn, draws: number, random: Random): number {
  let sum = 0;
  for (let from = 0; from < held.count; from += CHUNK) {
    const indices = Int32Array.from({ length: Math.min(CHUNK, held.count - from) }, (_, i) => from + i);
    sum += scoped(() => {
      const context = held.context(indices);
      const logs = Array.from({ length: draws }, () => {
        const { z, logVolume } = held.points(indices, random);
        return tf.add(logDensity(flow, base, z, context), logVolume);
      });
      const all = tf.concat(logs, 1);
      return tf.sum(tf.sub(tf.logSumExp(all, 1), Math.log(draws))).dataSync()[0];
    });
  }
  return -sum / held.count / CHANNELS / Math.LN2;
}

/** Microseconds of each of so many. */
function timed(work: () => unknown, count: number): number {
  const start = performance.now();
  work();
  return ((performance.now() - start) * 1000) / count;
}
