/**
 * The codec's own flow by steps of a solver: what they would cost the shipped field, whose solution is closed, and what they give to a
 * field that is nonlinear in its own coordinate and is trained through the very steps that it is coded with.
 */

import * as tf from '@tensorflow/tfjs-core';
import { dual, mul } from '../../../models/fields/dual.js';
import type { VectorField } from '../../../models/fields/field.js';
import { Weights } from '../../../models/fields/weights.js';
import { cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { euler } from '../../cnf/solvers/euler.js';
import { midpoint } from '../../cnf/solvers/midpoint.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import type { Solver } from '../../cnf/solvers/solver.js';
import { modelsForEncoding } from '../../session/models.js';
import type { Random } from '../../train/random.js';
import { binBits, type Conditional, conditional, exactBits, solved } from '../codec-density.js';
import { type FramedBins, framed, headMoments } from '../data/bins.js';
import { OWN_PHOTOGRAPHS, type Photograph, photographs, toldPhotographs } from '../data/photographs.js';
import { drawSites, joinSites } from '../data/sites.js';
import { atMost, contest, type Experiment, type Findings, near } from '../experiment.js';
import { lines } from '../figures.js';
import { fitShape, SHAPE_TRAINING, shapeBits } from '../shape-fit.js';
import { flowShape, mixtureShape, networkCost, type Shape } from '../shapes.js';
import { RUNS, repeatedly, type Spread, spread, spreadOf } from '../spread.js';
import { mean, slope } from '../statistics.js';

const SOLVERS: readonly Solver[] = [euler, midpoint, rk4];
const STEPS = [1, 2, 4, 8, 16, 32];
/** Steps of nonlinear fields; the last are held against the first. */
const TRAINED_STEPS = { quick: [1, 8], full: [1, 2, 4, 8] };
/** As good as the ODE itself. */
const FINE = 32;
/** A time is the shortest of so many. */
const TIMED = 3;
/** Edges farther out are not counted in the solver's error: no bin there sees it. */
const NEAR = 20;

/** Pictures that shapes are tested on; the others among the fixtures are those that they learn from. */
const HELD_OUT = ['hair-127x163', 'kodim23'];

export const experiment: Experiment = {
  title: 'What do steps of a solver cost the codec, and what do they give?',
  claim:
    'The shipped field is linear in its own coordinate: steps of a solver approach its closed solution at the solver’s order, and every number of steps is an exact flow of its own, as long as no step folds, for ' +
    'its bins’ edges go through the same map. A field that is nonlinear in its own coordinate can do what a mixture does, and with more steps more.',

  async run({ quick, random, data, log }) {
    const names = quick ? ['default'] : ['fast', 'default', 'best'];
    const list = await photographs(data, quick ? 192 : 768, quick ? 0 : 8);
    const solving = new Map<string, Solved[]>();
    for (const name of names) {
      const [model] = await modelsForEncoding(3, name);
      const found: Solved[] = [];
      for (const { image } of list) {
        found.push(solve(conditional(await drawSites(image, model, quick ? 700 : 8000, random))));
      }
      solving.set(name, found);
      log(
        `${name}: Euler's ${STEPS.join(', ')} steps add ${found[0].steps.euler.map(({ excess }) => excess.toFixed(4)).join(', ')} bits`,
      );
    }
    const steps = quick ? 80 : 800;
    const trained = quick ? TRAINED_STEPS.quick : TRAINED_STEPS.full;
    const bins = await framedBins(list, quick ? 2000 : 20_000, random);
    const runs = repeatedly(random, (own, run) => {
      log(`run ${run + 1} of ${RUNS}: learning shapes`);
      return learn(bins, trained, steps, own);
    });
    return {
      configuration: {
        images: toldPhotographs(list),
        models: names.join(', '),
        'the shipped field': 'closed solution against steps of the library’s solvers, both edges of each bin',
        shapes: `in the frame of ${MODEL}'s own location and scale, from its heads' outputs; one hidden layer; ${SHAPE_TRAINING}, ${steps} steps`,
        'shapes are tested on': HELD_OUT.join(', '),
        'multiply-adds a coordinate': `the network ${networkCost(bins.seen.features)}; ${Object.entries(runs[0])
          .map(([name, { cost }]) => `${name} ${cost}`)
          .join(', ')}`,
        spread: `over ${list.length} images, and ${RUNS} runs of training`,
        data: `more photographs: PNG files in ${OWN_PHOTOGRAPHS} in the folder of --data`,
      },
      ...findings(solving, trained, runs),
    };
  },
};

const MODEL = 'default';

/** dz/dt = a z + b, with a and b as its context: the codec's field. */
const CODEC_FIELD: VectorField = {
  dimension: 1,
  context: 2,
  at(x, _t, context) {
    const [rate, drift] = tf.split<tf.Tensor2D>(context!, 2, 1);
    const { value, tangents } = mul(x, dual(rate));
    return { value: tf.add(value, drift), tangents };
  },
};

/** Of one image: bits per sample by the closed solution; what steps of each solver add, how far off they end, and bins that they fold. */
interface Solved {
  readonly closed: number;
  readonly steps: Record<string, readonly { excess: number; error: number; folded: number }[]>;
}

function solve(of: Conditional): Solved {
  const { count, lower, width, rate, drift } = of;
  const edges = Float32Array.from({ length: 2 * count }, (_, i) =>
    i < count ? lower[i] : lower[i - count] + width[i - count],
  );
  const context = Float32Array.from({ length: 4 * count }, (_, i) => (i % 2 === 0 ? rate : drift)[(i >> 1) % count]);
  const exact = Float64Array.from(edges, (z, i) => solved(of, i % count, z));
  const bits = (ends: ArrayLike<number>) => meanOf(count, (i) => binBits(of, i, ends[i], ends[count + i]));
  const closed = bits(exact);
  const by = (solver: Solver) =>
    STEPS.map((steps) => {
      const ends = scoped(() => {
        const flow = cnf(CODEC_FIELD, { method: { solver, steps } });
        const { state } = flow.path(tf.tensor2d(edges, [2 * count, 1]), {}, tf.tensor2d(context, [2 * count, 2]));
        return state[0].dataSync<'float32'>().slice();
      });
      const error = (i: number) => (Math.abs(exact[i]) < NEAR ? (ends[i] - exact[i]) ** 2 : 0);
      return {
        excess: bits(ends) - closed,
        error: Math.sqrt(meanOf(2 * count, error)),
        folded: meanOf(count, (i) => (ends[count + i] < ends[i] ? 1 : 0)),
      };
    });
  return { closed, steps: Object.fromEntries(SOLVERS.map((solver) => [solver.name, by(solver)])) };
}

interface SeenAndHeld {
  readonly seen: FramedBins;
  readonly held: FramedBins;
  /** Bits per sample of what is held out, by the shipped density. */
  readonly shipped: number;
}

async function framedBins(list: readonly Photograph[], most: number, random: Random): Promise<SeenAndHeld> {
  const [model] = await modelsForEncoding(3, MODEL);
  const draw = async (held: boolean) => {
    const own = list.filter(({ name }) => HELD_OUT.includes(name) === held);
    const parts = [];
    for (const { image } of own) parts.push(await drawSites(image, model, most / own.length, random));
    return joinSites(parts);
  };
  const [seen, held] = [await draw(false), await draw(true)];
  const moments = headMoments(seen);
  const [before, after] = [conditional(seen), conditional(held)];
  return {
    seen: framed(seen, before, moments),
    held: framed(held, after, moments),
    shipped: mean(exactBits(after)),
  };
}

/** What a trained shape is worth. */
interface Learned {
  /** Bits per sample of what is held out, and those of the same weights as a nearly exact ODE. */
  readonly bits: number;
  readonly fine: number;
  /** Bins without mass. */
  readonly folded: number;
  /** Of both edges of a bin: multiply-adds, and nanoseconds. */
  readonly cost: number;
  readonly time: number;
  readonly shipped: number;
}

const MIXTURE = 'mixture';

/**
 * @param trained numbers of steps of the nonlinear fields
 * @param steps of training
 */
function learn(
  { seen, held, shipped }: SeenAndHeld,
  trained: readonly number[],
  steps: number,
  random: Random,
): Record<string, Learned> {
  const fitted = <S extends Shape>(make: (weights: Weights) => S): S => {
    const weights = new Weights(random);
    const shape = make(weights);
    fitShape(shape, weights, seen, steps, random);
    return shape;
  };
  const measured = (shape: Shape, finer: Shape): Learned => {
    const { bits, folded } = shapeBits(shape, held);
    const times = Array.from({ length: TIMED }, () => {
      const start = performance.now();
      shapeBits(shape, held);
      return ((performance.now() - start) * 1e6) / held.count;
    });
    const time = Math.min(...times);
    return { bits: mean(bits), fine: mean(shapeBits(finer, held).bits), folded, cost: shape.cost, time, shipped };
  };
  const mixture = fitted((weights) => mixtureShape(weights, seen.features));
  const flows = trained.map((n) => {
    const flow = fitted((weights) => flowShape(weights, seen.features, n));
    return [nonlinear(n), measured(flow, flow.withSteps(FINE))];
  });
  return { [MIXTURE]: measured(mixture, mixture), ...Object.fromEntries(flows) };
}

function nonlinear(steps: number): string {
  return `nonlinear, N = ${steps}`;
}

function findings(
  solving: ReadonlyMap<string, readonly Solved[]>,
  trained: readonly number[],
  runs: readonly Record<string, Learned>[],
): Pick<Findings, 'checks' | 'contests' | 'figures' | 'tables' | 'notes'> {
  const main = solving.get(MODEL)!;
  const over = (images: readonly Solved[], solver: Solver, s: number, number: 'excess' | 'error' | 'folded') =>
    spread(images.map(({ steps }) => steps[solver.name][s][number]));
  /** Of the errors from so many steps to four times as many. */
  const order = (solver: Solver, from: number) => {
    const shown = [from, 2 * from, 4 * from].map((n) => STEPS.indexOf(n));
    return spread(
      main.map(({ steps }) => slope(shown.map((s) => [Math.log(STEPS[s]), Math.log(steps[solver.name][s].error)]))),
    );
  };
  const kinds = Object.keys(runs[0]);
  const of = (kind: string, number: keyof Learned) => spreadOf(runs, (run) => run[kind][number]);
  const gain = (kind: string, over: string) => spreadOf(runs, (run) => run[over].bits - run[kind].bits);
  const [first, last] = [trained[0], trained.at(-1)!].map(nonlinear);
  const folded = runs.reduce((sum, run) => sum + kinds.reduce((all, kind) => all + run[kind].folded, 0), 0);
  const eight = STEPS.indexOf(8);
  return {
    checks: [
      near('order of Euler’s error in z(1), from 8 steps to 32', order(euler, 8), -1, 0.2),
      near('order of the midpoint method’s, from 8 steps to 32', order(midpoint, 8), -2, 0.3),
      near('order of RK4’s, from 2 steps to 8', order(rk4, 2), -4, 0.5),
      atMost(
        'RK4, 8 steps: bits added to the closed solution’s',
        absolute(over(main, rk4, eight, 'excess')),
        1e-4,
        'bits per sample',
      ),
      atMost('bins that trained steps fold', folded, 0),
      atMost(
        `${last}: what ${FINE} steps with the same weights change`,
        absolute(spreadOf(runs, (run) => run[last].fine - run[last].bits)),
        0.02,
        'bits per sample',
      ),
    ],
    contests: [
      contest(
        'the ODE’s solution codes shorter than one step of Euler’s method',
        over(main, euler, 0, 'excess'),
        'bits per sample',
        'One step is as good a map as any, and the shipped scales do not fit these images better.',
      ),
      contest(
        'the ODE’s solution codes shorter than 8 steps of Euler’s method',
        over(main, euler, eight, 'excess'),
        'bits per sample',
        'Eight steps expand less than the solution: e^a > (1 + a/8)^8. Where the shipped densities are too narrow for an image, that helps.',
      ),
      contest(
        `${last}, codes shorter than the mixture of as many outputs`,
        gain(last, MIXTURE),
        'bits per sample',
        'A density of residuals has one peak and two tails, which few logistics have as well as any map; the mixture’s parameters are easier to learn.',
      ),
      contest(
        'a nonlinear field codes shorter by 8 steps than by one',
        gain(last, first),
        'bits per sample',
        'One step of a field of several units is already a map of any shape that such a density needs.',
      ),
    ],
    figures: [
      lines(
        'Bits that steps add to the shipped flow',
        `Mean over images of |bits per sample by N steps less those by the closed solution|, model ${MODEL}; bars: standard error over images.`,
        { x: STEP_AXIS, y: { label: 'bits per sample', type: 'log', tickFormat: '.0e', ticks: 6 } },
        SOLVERS.map((solver) => {
          const spreads = STEPS.map((_, s) => spread(main.map(({ steps }) => Math.abs(steps[solver.name][s].excess))));
          return {
            name: solver.name,
            points: spreads.map((one, s): [number, number] => [STEPS[s], one.mean]),
            errors: spreads.map((one) => Math.min(one.error, one.mean * 0.99)),
          };
        }),
      ),
      lines(
        'Code length of shapes against steps',
        'Bits per sample of images held out: nonlinear fields trained and coded with N steps, the same weights nearly as an ODE, and the mixture. Bars: standard error over runs.',
        { x: STEP_AXIS, y: { label: 'bits per sample' } },
        [
          curve('nonlinear field', trained, (n) => of(nonlinear(n), 'bits')),
          curve(`the same weights, ${FINE} steps`, trained, (n) => of(nonlinear(n), 'fine')),
          curve(MIXTURE, trained, () => of(MIXTURE, 'bits')),
        ],
      ),
      lines(
        'Time of a coordinate against steps',
        'Of both edges of a bin with the network, on TensorFlow.js. Bars: standard error over runs.',
        { x: STEP_AXIS, y: { label: 'nanoseconds', zero: true } },
        [
          curve('nonlinear field', trained, (n) => of(nonlinear(n), 'time')),
          curve(MIXTURE, trained, () => of(MIXTURE, 'time')),
        ],
      ),
    ],
    tables: [
      {
        title: 'Shapes',
        columns: [
          'shape',
          'bits per sample, held out',
          `the same, ${FINE} steps`,
          'less than the mixture’s',
          'multiply-adds',
          'ns a coordinate',
        ],
        rows: kinds.map((kind) => [
          kind,
          of(kind, 'bits'),
          kind === MIXTURE ? '' : of(kind, 'fine'),
          kind === MIXTURE ? '' : gain(kind, MIXTURE),
          runs[0][kind].cost,
          of(kind, 'time'),
        ]),
      },
      {
        title: 'The shipped flow by steps: bits per sample added',
        columns: ['model', 'closed solution', 'solver', ...STEPS.map((n) => `N = ${n}`), 'folded by N = 1, %'],
        rows: [...solving].flatMap(([name, images]) =>
          SOLVERS.map((solver) => [
            name,
            spread(images.map(({ closed }) => closed)),
            solver.name,
            ...STEPS.map((_, s) => over(images, solver, s, 'excess')),
            100 * over(images, solver, 0, 'folded').mean,
          ]),
        ),
      },
    ],
    notes: [
      `The shipped density itself, trained for hours on many images together with its context, takes ${of(MIXTURE, 'shipped').mean.toFixed(4)} bits per sample of the same coordinates; shapes learn here from a few images, so that they ` +
        'are to be compared with each other.',
      'A step of Euler’s method folds where a h < -1: with N = 1 where a < -1. Its bins then have no mass but the floor.',
    ],
  };
}

const STEP_AXIS = { label: 'steps N', type: 'log', base: 2, tickFormat: 'd', ticks: 5 } as const;

function curve(name: string, trained: readonly number[], of: (steps: number) => Spread) {
  const spreads = trained.map(of);
  return {
    name,
    points: spreads.map((one, i): [number, number] => [trained[i], one.mean]),
    errors: spreads.map(({ error }) => error),
  };
}

/** The size of what runs or images found. */
function absolute({ values }: Spread): Spread {
  return spread(values.map(Math.abs));
}

/** Mean of a number of each of so many. */
function meanOf(count: number, number: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += number(i);
  return sum / count;
}
