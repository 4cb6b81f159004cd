/**
 * Code length against log-likelihood. A point's ideal cost is -log2 p(x) plus the bits of its grid. Coders of a continuous flow reach it by bits-back: Local
 * Bits-Back (Ho et al. 2019) for any differentiable map; for an affine-split field the splitting method on integers.
 */

import * as Plot from '@observablehq/plot';
import * as tf from '@tensorflow/tfjs-core';
import { affineSplit } from '../../../models/fields/affine-split.js';
import type { VectorField } from '../../../models/fields/field.js';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { DEFINITIONS } from '../../../models/shipped.js';
import { logDensities, standardNormal } from '../../cnf/base.js';
import { localBitsBack } from '../../cnf/coding/local-bits-back.js';
import { splittingCoder } from '../../cnf/coding/splitting-coder.js';
import { type Coder, Stack } from '../../cnf/coding/stack.js';
import { fitVelocity } from '../../cnf/fit.js';
import { type Cnf, cnf } from '../../cnf/flow.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { splitting } from '../../cnf/solvers/splitting.js';
import { type CodeLength, codeLength } from '../../measure/likelihood.js';
import { modelsForEncoding } from '../../session/models.js';
import type { Random } from '../../train/random.js';
import { fixture } from '../data/fixtures.js';
import { atMost, type Experiment, type Lab, timed } from '../experiment.js';
import { colour, type Figure, figure, lines } from '../figures.js';
import { mean, variance } from '../statistics.js';

const DIMENSION = 3;
/** Cells are 2^-GRID_BITS wide in the flow's space, 2^CELL_BITS of them to an integer step. */
const [GRID_BITS, CELL_BITS] = [14, 8];
const NOISE_BITS = 8;
const SPLIT_STEPS = 8;
/** Points that are coded together to see how many initial bits a coder needs. */
const TOGETHER = 32;
const BATCH = 256;
const method = { solver: rk4, steps: 10 };
const base = standardNormal(DIMENSION);

export const experiment: Experiment = {
  title: 'How close does real code length come to likelihood?',
  claim:
    'Bits-back coding makes a continuous flow’s code length its negative log-likelihood, up to noise for a point and up to a small overhead in total. Local Bits-Back does it ' +
    'for any field at the price of its Jacobian; the splitting method on integers does it for affine-split fields without, for the likelihood of its own discrete map.',

  async run(lab) {
    const { quick, random, log } = lab;
    const items = quick ? 40 : 200;
    const steps = quick ? 500 : 4000;
    const data = await colours('house-253x191');
    const points = draw(data, items, random);

    const free = fitted(
      (weights) => mlp(weights, { dimension: DIMENSION, hidden: [48, 48, 48], time: 'gated' }),
      data,
      steps,
      random,
    );
    const split = fitted(
      (weights) => affineSplit(weights, { dimension: DIMENSION, hidden: [48, 48] }),
      data,
      steps,
      random,
    );
    const [ode, odeSplit] = [free, split].map((field) => cnf(field, { method }));
    const local = (flow: Cnf, noiseBits: number, together = 1) =>
      localBitsBack(flow, { dimension: DIMENSION, points: together, gridBits: GRID_BITS, noiseBits });
    const discrete = (n: number) => cnf(split, { method: { solver: splitting, steps: n } });
    const whole = (n: number, together = 1) =>
      splittingCoder(split, { points: together, gridBits: GRID_BITS, steps: n });
    const many = Int32Array.from(points.slice(0, TOGETHER).flatMap((cells) => [...cells]));
    const initial = [
      await initialBits(local(ode, NOISE_BITS, TOGETHER), many, random),
      await initialBits(local(odeSplit, NOISE_BITS, TOGETHER), many, random),
      await initialBits(whole(SPLIT_STEPS, TOGETHER), many, random),
    ];

    const runs = [
      await code('Local Bits-Back, free-form field', local(ode, NOISE_BITS), ode, points, random),
      await code('Local Bits-Back, affine-split field', local(odeSplit, NOISE_BITS), odeSplit, points, random),
      await code(`integer splitting, N = ${SPLIT_STEPS}`, whole(SPLIT_STEPS), discrete(SPLIT_STEPS), points, random),
    ];
    for (const { name, bits, ideals } of runs) {
      const apart = bits.map((value, i) => value - ideals[i]);
      const error = Math.sqrt(variance(apart) / items);
      log(
        `${name}: ${mean(bits).toFixed(3)} bits per point, ${mean(apart).toFixed(4)} ± ${error.toFixed(4)} over -log2 p`,
      );
    }

    const noises = quick ? [4, 8] : [4, 6, 8, 10, 12];
    const byNoise = [];
    for (const bits of noises) byNoise.push(await code(`${bits}`, local(ode, bits), ode, points, random));
    const counts = [1, 2, 4, 8, 16];
    const bySteps = [];
    for (const n of counts) bySteps.push(await code(`${n}`, whole(n), discrete(n), points, random));
    const images = quick ? ['river-160x120'] : ['river-160x120', 'house-253x191', 'kodim23'];
    const shipped = await shippedModels(images, Object.keys(DEFINITIONS).slice(0, 3), lab);

    const rate = ({ net }: Coded) => net / items;
    const excess = ({ net, ideal }: Coded) => Math.abs(net / ideal - 1);
    const decoded = [...runs, ...byNoise, ...bySteps];
    const different = decoded.reduce((sum, run) => sum + run.different, 0);
    const overhead = Math.max(...shipped.map(({ length: { net, ideal } }) => Math.abs(net / ideal - 1)));
    return {
      configuration: {
        data: `red, green and blue of pixels of fixtures/house-253x191.png: ${items} points in ${DIMENSION} dimensions`,
        'free-form field': 'MLP, hidden 48 48 48, gated by time',
        'affine-split field': 'MLP for each coordinate, hidden 48 48',
        training: `flow matching, ${steps} steps of ${BATCH}`,
        'Local Bits-Back': `RK4, ${method.steps} steps; grid 2^-${GRID_BITS}, noise 2^-${NOISE_BITS}`,
        dequantization: `uniform, 2^${CELL_BITS} cells to an integer`,
      },
      checks: [
        ...runs.map((run) => atMost(`${run.name}: net bits against -log2 p`, 100 * excess(run), 1, '%')),
        atMost(
          'values and words of the stack that are not what they were after decoding, all runs',
          different,
          0,
          'numbers',
        ),
        timed(
          atMost(
            'integer splitting over Local Bits-Back, same field: time',
            runs[2].seconds / runs[1].seconds,
            1,
            'of the time',
          ),
        ),
        atMost('initial bits of integer splitting less those of Local Bits-Back', initial[2] - initial[1], 0, 'bits'),
        atMost('shipped models, real images: net bits against -log2 P', 100 * overhead, 0.02, '%'),
      ],
      figures: [
        perItem(runs),
        lines(
          'Local Bits-Back: overhead against noise',
          'Net bits less -log2 p, per point. Too much noise leaves the region where the map is linear; the grid is 2^-14.',
          { x: { label: 'noise, -log2 of its standard deviation' }, y: { label: 'overhead, bits per point' } },
          [{ name: 'free-form field', points: byNoise.map((run, i) => [noises[i], (run.net - run.ideal) / items]) }],
        ),
        lines(
          'Integer splitting: code length against N',
          'Bits per point of three integers: coded, -log2 p of the discrete map with as many steps, and of the ODE itself. A point that coarse steps throw far out costs less than its -log2 p: there the coder escapes from the normal distribution.',
          { x: { label: 'steps N', type: 'log', tickFormat: 'd', ticks: 5 }, y: { label: 'bits per point' } },
          [
            { name: 'coded', points: bySteps.map((run, i) => [counts[i], rate(run)]) },
            { name: '-log2 p of the discrete map', points: bySteps.map(({ ideal }, i) => [counts[i], ideal / items]) },
            { name: '-log2 p of the ODE', points: counts.map((n) => [n, runs[1].ideal / items]) },
          ],
        ),
      ],
      tables: [
        {
          title: 'Coders',
          columns: [
            'coder',
            'net bits per point',
            '-log2 p',
            'overhead, %',
            `initial bits, ${TOGETHER} points together`,
            'encoding, ms per point',
            'decoding, ms per point',
          ],
          rows: runs.map((run, i) => [
            run.name,
            rate(run),
            run.ideal / items,
            100 * (run.net / run.ideal - 1),
            initial[i],
            (1000 * run.seconds) / items,
            (1000 * run.decoding) / items,
          ]),
        },
        {
          title: 'Shipped models on real images',
          columns: ['image', 'model', 'file, bytes', 'net bits', '-log2 P', 'net over -log2 P, %', 'time, s'],
          rows: shipped.map(({ image, model, length: { file, net, ideal }, seconds }) => [
            image,
            model,
            file / 8,
            net,
            ideal,
            100 * (net / ideal - 1),
            seconds,
          ]),
        },
      ],
      notes: [
        'Net bits are what a point adds to the stack; the grid’s bits that dequantization borrows and gives back are taken off on both sides. Initial bits are those that the coder needs ' +
          'on the stack before it can begin, once for a whole stream. Local Bits-Back draws z for a whole point from there, the splitting method a remainder for each scaling.',
        'The codec’s own flow moves one coordinate at a time, given the integers before it, so both edges of a bin can be carried through it: the mass between them is the exact probability of an integer. ' +
          'Popping the dequantized remainder and pushing the base symbol are then one push on the stack, and no bound is left between likelihood and code length.',
      ],
    };
  },
};

/** An image's red, green and blue less 128, three integers a point. */
async function colours(name: string): Promise<Int32Array> {
  const { samples } = await fixture(name);
  return Int32Array.from(samples, (sample) => sample - 128);
}

/** Cells of random points of the data, each integer dequantized. */
function draw(data: Int32Array, count: number, random: Random): Int32Array[] {
  return Array.from({ length: count }, () => {
    const at = DIMENSION * random.below(data.length / DIMENSION);
    return data.slice(at, at + DIMENSION).map((n) => n * 2 ** CELL_BITS + random.below(2 ** CELL_BITS));
  });
}

function fitted<F extends VectorField>(
  make: (weights: Weights) => F,
  data: Int32Array,
  steps: number,
  random: Random,
): F {
  const weights = new Weights(random);
  const field = make(weights);
  const batch = () =>
    tf.mul<tf.Tensor2D>(tf.tensor2d(draw(data, BATCH, random).map((cells) => [...cells])), 2 ** -GRID_BITS);
  fitVelocity(field, base, { weights, batch, steps, rate: 0.01 }, random);
  return field;
}

interface Coded {
  readonly name: string;
  /** Bits of each point, coded and by -log2 p, without those of the grid. */
  readonly bits: readonly number[];
  readonly ideals: readonly number[];
  readonly net: number;
  readonly ideal: number;
  readonly seconds: number;
  readonly decoding: number;
  /** Values and stack words that were not restored. */
  readonly different: number;
}

async function code(
  name: string,
  coder: Coder<Int32Array>,
  flow: Cnf,
  points: readonly Int32Array[],
  random: Random,
): Promise<Coded> {
  const x = tf.tensor2d(points.map((cells) => Array.from(cells, (k) => k * 2 ** -GRID_BITS)));
  const gridBits = DIMENSION * (GRID_BITS - CELL_BITS);
  const ideals = Array.from(logDensities(flow, base, x), (nats) => gridBits - nats / Math.LN2);
  x.dispose();
  const stack = await Stack.create(1 << 22, 64, () => random.word());
  const before = stack.contents();
  const bits: number[] = [];
  const start = performance.now();
  for (const cells of points) {
    const held = stack.bits;
    coder.push(stack, cells);
    bits.push(stack.bits - held - DIMENSION * CELL_BITS);
  }
  const middle = performance.now();
  const decoded = points.map(() => coder.pop(stack)).reverse();
  const end = performance.now();
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const wrong = decoded.map((cells, i) => cells.filter((cell, k) => cell !== points[i][k]).length);
  return {
    name,
    bits,
    ideals,
    net: sum(bits),
    ideal: sum(ideals),
    seconds: (middle - start) / 1000,
    decoding: (end - middle) / 1000,
    different: sum(wrong) + differences(before, stack.contents()),
  };
}

/** Bits that must be on the stack before these points can be coded, in whole words. */
async function initialBits(coder: Coder<Int32Array>, cells: Int32Array, random: Random): Promise<number> {
  const stack = await Stack.create(1 << 22, 4096, () => random.word());
  coder.push(stack, cells);
  return stack.borrowed;
}

function differences(a: Uint32Array, b: Uint32Array): number {
  return a.filter((word, i) => word !== b[i]).length + Math.abs(a.length - b.length);
}

interface Shipped {
  readonly image: string;
  readonly model: string;
  readonly length: CodeLength;
  readonly seconds: number;
}

/** Files of real images, decoded again and compared. */
async function shippedModels(images: readonly string[], models: readonly string[], { log }: Lab): Promise<Shipped[]> {
  const results: Shipped[] = [];
  for (const image of images) {
    for (const model of models) {
      const start = performance.now();
      const length = await codeLength(await fixture(image), await modelsForEncoding(3, model));
      results.push({ image, model, length, seconds: (performance.now() - start) / 1000 });
      log(`${image}, ${model}: ${length.net.toFixed(0)} bits`);
    }
  }
  return results;
}

function perItem(runs: readonly Coded[]): Figure {
  const marks = runs.map(({ bits, ideals }, i) =>
    Plot.dot(
      bits.map((value, k): [number, number] => [ideals[k], value]),
      { x: '0', y: '1', r: 2, fill: colour(i), fillOpacity: 0.6 },
    ),
  );
  const all = runs.flatMap(({ ideals }) => ideals);
  const ends = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))].map((v) => [v, v]);
  const diagonal = Plot.line(ends, { x: '0', y: '1', stroke: '#888' });
  return figure(
    'Code length of each point',
    'Net bits of every point against its -log2 p; the line is where both are equal.',
    { x: { label: '-log2 p(x), bits' }, y: { label: 'coded, bits' }, marks: [diagonal, ...marks] },
    runs.map(({ name }) => name),
  );
}
