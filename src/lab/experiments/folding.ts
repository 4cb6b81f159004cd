/**
 * A map that folds cannot be a flow: where its determinant changes sign, two points have one image. A plain network learns it; a residual network learns it as
 * soon as its blocks may be steep; the flow of any field, whose paths cannot meet (Picard, Lindelof; Dupont et al. 2019), cannot.
 */

import * as Plot from '@observablehq/plot';
import * as tf from '@tensorflow/tfjs-core';
import type { Dual } from '../../../models/fields/dual.js';
import { add, dual } from '../../../models/fields/dual.js';
import { mlp, perceptron } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import type { Layer } from '../../../models/layers/layer.js';
import { cnf, jacobian } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { midpoint } from '../../cnf/solvers/midpoint.js';
import type { Method } from '../../cnf/solvers/solve.js';
import { backpropagate, train } from '../../cnf/train.js';
import type { Random } from '../../train/random.js';
import { atLeast, atMost, type Experiment } from '../experiment.js';
import { colour, type Figure, figure } from '../figures.js';
import { RUNS, repeatedly, type Spread, spreadOf } from '../spread.js';

const HIDDEN = [32, 32];
const BATCH = 128;
const SOLVER = { solver: midpoint, steps: 6 };
/** What the flow is tested by: so few steps as it is trained through may fold where the flow itself cannot. */
const FINE: Method = { tolerance: 1e-5 };

/** Folds the plane along the line x = 0. */
function fold([x, y]: readonly number[]): number[] {
  return [Math.abs(x), y];
}

type Map = (x: Dual) => Dual;

/** A map as it is trained, and as it is tested, if that is another. */
const KINDS: Record<string, (weights: Weights) => { trained: Map; tested?: Map }> = {
  'plain network': (weights) => {
    const network = perceptron(weights, { inputs: 2, outputs: 2, hidden: HIDDEN, time: 'shared', outputGain: 1 });
    return { trained: (x) => network(x, 0) };
  },
  'residual network, 4 blocks': (weights) => {
    const blocks = Array.from({ length: 4 }, () =>
      perceptron(weights, { inputs: 2, outputs: 2, hidden: HIDDEN, time: 'shared' }),
    );
    return { trained: (x) => blocks.reduce((at, block) => add(at, block(at, 0)), x) };
  },
  flow: (weights) => {
    const field = mlp(weights, { dimension: 2, hidden: HIDDEN, time: 'gated' });
    const [coarse, fine] = [SOLVER, FINE].map((method) => cnf(field, { method }));
    return { trained: (x) => coarse.map(x), tested: (x) => fine.map(x) };
  },
};

export const experiment: Experiment = {
  title: 'Can a flow fold the plane?',
  claim:
    'No. The map (x, y) to (|x|, y) sends two points to one, and its determinant is 1 on one side and -1 on the other. A plain network fits it, and its determinant changes sign; a residual network does, ' +
    'too, for nothing keeps its blocks invertible; the determinant of a flow is the exponential of an integral, above 0 everywhere, whatever its weights, and the fold stays half undone.',

  async run({ quick, random, log }) {
    const steps = quick ? 150 : 1200;
    const runs = repeatedly(random, (own) => Object.values(KINDS).map((make) => learn(make, steps, own)));
    const names = Object.keys(KINDS);
    const [plain, residual, flow] = names.map((_, i) => ({
      error: spreadOf(runs, (run) => run[i].error),
      negative: spreadOf(runs, (run) => run[i].negative),
      least: spreadOf(runs, (run) => run[i].least),
    }));
    for (const [i, found] of [plain, residual, flow].entries())
      log(
        `${names[i]}: error ${found.error.mean.toFixed(3)}, determinant below 0 at ${(100 * found.negative.mean).toFixed(0)} %`,
      );
    const coarse = spreadOf(runs, (run) => run[2].coarse);
    const ratio = spreadOf(runs, (run) => run[2].error / run[0].error);
    return {
      configuration: {
        map: '(x, y) to (|x|, y) of standard normal points',
        networks: `hidden ${HIDDEN.join(' ')}; the flow’s field gated by time, midpoint method, ${SOLVER.steps} steps; tested by adaptive steps`,
        training: `mean squared distance, ${steps} steps of ${BATCH}`,
        'runs of each': RUNS,
      },
      checks: [
        atLeast('plain network: points at which the determinant is below 0', plain.negative, 0.3, 'of all'),
        atLeast('residual network: points at which the determinant is below 0', residual.negative, 0.1, 'of all'),
        atMost('flow: points at which the determinant is below 0', flow.negative, 0, 'of all'),
        atLeast('flow: least determinant', flow.least, 0),
        atMost('plain network: root mean square error', plain.error, 0.25),
        atLeast('flow: error over that of the plain network', ratio, 2, 'times'),
      ],
      figures: [grids(names, runs[0])],
      tables: [
        {
          title: `Fitted to the fold: mean ± standard error of ${RUNS} runs`,
          columns: [
            'map',
            'parameters',
            'root mean square error',
            'determinant below 0, of all points',
            'least determinant',
          ],
          rows: [plain, residual, flow].map(({ error, negative, least }, i): (string | number | Spread)[] => [
            names[i],
            runs[0][i].parameters,
            error,
            negative,
            least,
          ]),
        },
      ],
      notes: [
        `The few steps that the flow is trained through are a residual network, and that one folds: its determinant is below 0 at ${(100 * coarse.mean).toFixed(0)} % of the points, where that of the flow itself, found by adaptive steps, is not. ` +
          'Who trains through few steps has to test by many.',
        'What the flow can do is to press one half of the plane against the other, into a strip that its finite weights leave open: its error is that of points which would have to pass through others. Networks that fold are no ' +
          'density models: a point with two sources has the density of both, and nobody tells how many there are.',
      ],
    };
  },
};

interface Fitted {
  readonly error: number;
  /** Share of the test points at which the determinant is below 0. */
  readonly negative: number;
  /** The same of the map as it was trained, through few steps. */
  readonly coarse: number;
  readonly least: number;
  readonly parameters: number;
  /** Where the lines of a grid go. */
  readonly lines: number[][][];
}

function learn(make: (typeof KINDS)[string], steps: number, random: Random): Fitted {
  const weights = new Weights(random);
  const { trained, tested = trained } = make(weights);
  const points = (count: number) => Array.from({ length: count }, () => [random.normal(), random.normal()]);
  const { variables } = weights;
  train({
    variables,
    steps,
    rate: 0.01,
    gradients: () => {
      const x = points(BATCH);
      const [given, wanted] = [tf.tensor2d(x), tf.tensor2d(x.map(fold))];
      return backpropagate(variables, () => {
        const away = tf.sub(trained({ value: given }).value, wanted);
        return tf.div(tf.sum(tf.mul(away, away)), BATCH);
      });
    },
  });
  return scoped(() => {
    const x = points(1000);
    const at = (map: Map) => {
      const found = jacobian({ map } as Pick<Layer, 'map'> as Layer, tf.tensor2d(x));
      return { y: found.y, determinants: found.jacobian.arraySync().map(([[a, b], [c, d]]) => a * d - b * c) };
    };
    const below = (values: readonly number[]) => values.filter((value) => value < 0).length / values.length;
    const found = at(tested);
    const error = tf.mean(tf.square(tf.sub(found.y, tf.tensor2d(x.map(fold))))).dataSync()[0];
    return {
      error: Math.sqrt(2 * error),
      negative: below(found.determinants),
      coarse: below(at(trained).determinants),
      least: Math.min(...found.determinants),
      parameters: weights.count,
      lines: gridLines().map((line) => tested(dual(tf.tensor2d(line))).value.arraySync()),
    };
  });
}

function gridLines(): number[][][] {
  const [count, dots] = [13, 61];
  const at = (i: number, n: number) => -2 + (4 * i) / (n - 1);
  return [0, 1].flatMap((axis) =>
    Array.from({ length: count }, (_, line) =>
      Array.from({ length: dots }, (_, i) => {
        const pair = [at(line, count), at(i, dots)];
        return axis === 0 ? pair : pair.reverse();
      }),
    ),
  );
}

/** Where each map takes a grid: what comes from the left half in one colour, from the right in another. */
function grids(names: readonly string[], fitted: readonly Fitted[]): Figure {
  const STEP = 5;
  const marks = fitted.flatMap(({ lines: found }, k) =>
    found.flatMap((line, l) =>
      [-1, 1].map((side) => {
        const own = line.filter((_, i) => gridLines()[l][i][0] * side >= 0).map(([x, y]) => [x + k * STEP, y]);
        return Plot.line(own, { x: '0', y: '1', stroke: colour(side < 0 ? 0 : 2), strokeWidth: 0.8 });
      }),
    ),
  );
  const titles = Plot.text(
    names.map((name, k) => ({ name, x: k * STEP + 0.5 })),
    { x: 'x', y: 2.7, text: 'name' },
  );
  return {
    ...figure(
      'Where a grid goes',
      'Maps fitted to the fold, of the first run, side by side: lines that were left of x = 0, and right of it.',
      {
        width: 760,
        height: 300,
        x: { domain: [-2.5, 2 * STEP + 3], axis: null },
        y: { domain: [-2.8, 2.9], axis: null },
        grid: false,
        marks: [...marks, titles],
      },
    ),
    legend: [
      { name: 'left half', colour: colour(0) },
      { name: 'right half', colour: colour(2) },
    ],
  };
}
