/**
 * A pendulum that is kicked hard once in a while (Chirikov’s standard map, 1979): a map of the plane that keeps areas, and is not where a field
 * at rest leads in one unit of time. Near its fixed point it turns all to the other side, twice as far along one line and half as far along
 * another; the flow of a field at rest has an exponential of a matrix there, whose negative eigenvalues are pairs of equal ones. What fields with weights
 * tied over time, dependent on it, and untied make of it, and one without divergence, which suits it.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { VectorField } from '../../../models/fields/field.js';
import { incompressible } from '../../../models/fields/incompressible.js';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { type Cnf, cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { midpoint } from '../../cnf/solvers/midpoint.js';
import { backpropagate, train } from '../../cnf/train.js';
import type { Random } from '../../train/random.js';
import { atLeast, atMost, contest, type Experiment } from '../experiment.js';
import { heatMaps, lines } from '../figures.js';
import { RUNS, repeatedly, spreadOf } from '../spread.js';
import { mean, smoothed } from '../statistics.js';

/** How hard the kick is, against the way the pendulum has swung: above 4 eigenvalues at rest are negative, here -2 and -1/2. */
const KICK = 4.5;
/** Kicks in a row that errors are followed over. */
const KICKS = 4;
const STEPS = 8;
const [BATCH, RATE] = [64, 0.03];

/** Four kinds of field with about as many weights. */
const KINDS: Record<string, (weights: Weights) => VectorField> = {
  tied: (weights) => mlp(weights, { dimension: 2, hidden: [30, 30], time: 'shared', outputGain: 1 }),
  'time-dependent': (weights) => mlp(weights, { dimension: 2, hidden: [27, 27], time: 'gated', outputGain: 1 }),
  untied: (weights) => mlp(weights, { dimension: 2, hidden: [8, 8], time: 'untied', steps: STEPS, outputGain: 1 }),
  'without divergence': (weights) => incompressible(weights, { dimension: 2, hidden: 216 }),
};
const NAMES = Object.keys(KINDS);
const [TIED, TIMED, UNTIED, SOLENOIDAL] = [0, 1, 2, 3];

export const experiment: Experiment = {
  title: 'Weights tied, dependent on time, or untied: which fields learn a map that stirs?',
  claim:
    'A map of a pendulum that is kicked hard keeps areas and is near no flow of a field at rest. With as many weights a field that depends on time learns it, one with tied weights cannot; one with weights of its own for each step has as much freedom, and less in each step. ' +
    'A field without divergence keeps areas over many kicks whatever it has learned, and has less to learn.',

  async run({ quick, random, log }) {
    const steps = quick ? 60 : 1500;
    const points = quick ? 200 : 2000;
    const runs = repeatedly(random, (own) =>
      NAMES.map((name) => {
        const found = learn(KINDS[name], steps, points, own);
        log(`${name}: off by ${found.errors[0].toFixed(3)}, area ${found.areas[0].toFixed(4)}`);
        return found;
      }),
    );
    const over = (kind: number, number: (run: Learned) => number) => spreadOf(runs, (run) => number(run[kind]));
    const ahead = (a: number, b: number) => spreadOf(runs, (run) => Math.log2(run[b].errors[0] / run[a].errors[0]));
    const kicks = Array.from({ length: KICKS }, (_, i) => i + 1);
    const early = quick ? ' In a quick run all stop learning early.' : '';
    return {
      configuration: {
        map: `p ← p - ${KICK} sin x, then x ← x + p; points of a standard normal distribution`,
        fields:
          'MLP with two hidden layers: 30 30 tied, 27 27 gated by time, 8 8 for each of 8 steps; 216 waves without divergence, time in their phases',
        weights: runs[0].map(({ parameters }) => parameters).join(', '),
        training: `squared error of where paths end, ${steps} steps of ${BATCH}, midpoint method, ${STEPS} steps`,
        runs: `${RUNS}, each with points and weights of its own`,
      },
      contests: [
        contest(
          'dependence on time is ahead of tied weights',
          ahead(TIMED, TIED),
          'halvings of the error',
          `Gates have more to learn; what no flow of a field at rest can be is only what they are near in the end.${early}`,
        ),
        contest(
          'dependence on time is ahead of untied weights',
          ahead(TIMED, UNTIED),
          'halvings of the error',
          'Steps with networks of their own may differ from each other as much as a kick and a drift do, which one network has to do by its gates.',
        ),
        contest(
          'a field without divergence is ahead of a free one that depends on time',
          ahead(SOLENOIDAL, TIMED),
          'halvings of the error',
          `One hidden layer of fixed kind has to make what two make; that it cannot err in areas is not all there is to learn.${early}`,
        ),
      ],
      checks: [
        atMost(
          'without divergence: log of the area’s change over all kicks, root mean square',
          over(SOLENOIDAL, ({ areas }) => areas[KICKS - 1]),
          0.1,
        ),
        atLeast(
          'free and time-dependent: the same over that',
          spreadOf(runs, (run) => run[TIMED].areas[KICKS - 1] / run[SOLENOIDAL].areas[KICKS - 1]),
          2,
          'times',
        ),
        atLeast(
          'tied: what is left of the error of no map at all',
          over(TIED, ({ share }) => share),
          0.05,
          'of it',
        ),
        atMost(
          'time-dependent: the same',
          over(TIMED, ({ share }) => share),
          quick ? 0.5 : 0.1,
          'of it',
        ),
      ],
      tables: [
        {
          title: `Mean ± standard error of ${RUNS} runs`,
          columns: [
            'field',
            'weights',
            'error of one kick',
            `of ${KICKS} kicks`,
            'log of area’s change, one kick',
            `${KICKS} kicks`,
          ],
          rows: NAMES.map((name, kind) => [
            name,
            runs[0][kind].parameters,
            over(kind, ({ errors }) => errors[0]),
            over(kind, ({ errors }) => errors[KICKS - 1]),
            over(kind, ({ areas }) => areas[0]),
            over(kind, ({ areas }) => areas[KICKS - 1]),
          ]),
        },
      ],
      figures: [
        lines(
          'Training',
          'Squared error of where paths end, first run, logarithmic.',
          { x: { label: 'training step' }, y: { label: 'squared error', type: 'log', tickFormat: '~g', ticks: 5 } },
          NAMES.map((name, kind) => ({ name, points: smoothed(runs[0][kind].losses, Math.ceil(steps / 35)) })),
          false,
        ),
        lines(
          'Error over kicks',
          `Root mean square distance from the truth where a map is applied again and again; mean and standard error of ${RUNS} runs.`,
          { x: { label: 'kicks', ticks: KICKS, tickFormat: 'd' }, y: { label: 'distance' } },
          NAMES.map((name, kind) => {
            const spreads = kicks.map((_, i) => over(kind, ({ errors }) => errors[i]));
            return {
              name,
              points: spreads.map((own, i): [number, number] => [kicks[i], own.mean]),
              errors: spreads.map((own) => own.error),
            };
          }),
        ),
        heatMaps(
          'A grid after one kick',
          'Of the first run.',
          { x: 'x', y: 'p', unit: '' },
          [
            { name: 'truth', ends: grid().map(kicked) },
            ...NAMES.map((name, kind) => ({ name, ends: runs[0][kind].grid })),
          ].map(({ name, ends }) => ({ name, points: ends, x: [-4, 4] as const, y: [-4, 4] as const })),
        ),
      ],
      notes: [
        'A field at rest has a derivative A where it is zero, and its flow of one unit of time exp(A) there, which has a real square root, and so on; a matrix with the eigenvalues -2 and -1/2 has none. A fixed point of such a kind stays with all maps that are near. Areas are those of the learned map’s Jacobian, by its tangents: a field without ' +
          'divergence keeps them but for the solver’s error.',
      ],
    };
  },
};

type Point = readonly [number, number];

function kicked([x, p]: Point): Point {
  const after = p - KICK * Math.sin(x);
  return [x + after, after];
}

function grid(): Point[] {
  const side = 41;
  return Array.from({ length: side * side }, (_, i): Point => {
    const at = (k: number) => (4 * k) / (side - 1) - 2;
    return [at(i % side), at(Math.floor(i / side))];
  }).filter((_, i) => (i % side) % 5 === 0 || Math.floor(i / side) % 5 === 0);
}

interface Learned {
  readonly parameters: number;
  readonly losses: readonly number[];
  /** Root mean square distance from the truth after one kick, two, ... */
  readonly errors: readonly number[];
  /** Root mean square of log |det| of the learned map so many times over. */
  readonly areas: readonly number[];
  /** Error of one kick over that of the map that leaves points where they are. */
  readonly share: number;
  readonly grid: readonly Point[];
}

function learn(make: (weights: Weights) => VectorField, steps: number, points: number, random: Random): Learned {
  const weights = new Weights(random);
  const flow = cnf(make(weights), { method: { solver: midpoint, steps: STEPS } });
  const draw = (count: number) => Array.from({ length: count }, (): Point => [random.normal(), random.normal()]);
  const losses = train({
    variables: weights.variables,
    steps,
    rate: RATE,
    gradients() {
      const from = draw(BATCH);
      const [x, wanted] = [tensor(from), tensor(from.map(kicked))];
      return backpropagate(weights.variables, () => {
        const away = tf.sub(flow.path(x).state[0], wanted);
        return tf.div(tf.sum(tf.mul(away, away)), BATCH) as tf.Scalar;
      });
    },
  });
  const found = follow(flow, draw(points));
  const { count } = weights;
  const ends = apply(flow, grid());
  tf.dispose(weights.variables);
  return { parameters: count, losses, ...found, grid: ends };
}

function apply(flow: Cnf, points: readonly Point[]): Point[] {
  return scoped(() => (flow.path(tensor(points)).state[0] as tf.Tensor2D).arraySync() as unknown as Point[]);
}

/** Errors and areas of the learned map, again and again from the same points. */
function follow(flow: Cnf, start: readonly Point[]): Pick<Learned, 'errors' | 'areas' | 'share'> {
  const rootMeanSquare = (values: readonly number[]) => Math.sqrt(mean(values.map((value) => value * value)));
  const [errors, areas]: number[][] = [[], []];
  let [at, truth] = [start, start];
  let logs = start.map(() => 0);
  for (let i = 0; i < KICKS; i++) {
    const change = logAreas(flow, at);
    logs = logs.map((log, k) => log + change[k]);
    at = apply(flow, at);
    truth = truth.map(kicked);
    errors.push(rootMeanSquare(at.map((point, k) => distance(point, truth[k]))));
    areas.push(rootMeanSquare(logs));
  }
  const still = rootMeanSquare(start.map((point) => distance(point, kicked(point))));
  return { errors, areas, share: errors[0] / still };
}

/** log |det| of the map’s own Jacobian at points: of its tangents, so that it is the solver’s, too. */
function logAreas(flow: Cnf, points: readonly Point[]): number[] {
  return scoped(() => {
    const directions = tf.tile(tf.tensor3d([1, 0, 0, 1], [2, 1, 2]), [1, points.length, 1]) as tf.Tensor3D;
    const { tangents } = flow.map({ value: tensor(points), tangents: directions });
    const [first, second] = tangents!.arraySync();
    return points.map((_, k) => Math.log(Math.abs(first[k][0] * second[k][1] - first[k][1] * second[k][0])));
  });
}

function tensor(points: readonly Point[]): tf.Tensor2D {
  return tf.tensor2d(Float32Array.from(points.flat()), [points.length, 2]);
}

function distance([a, b]: Point, [c, d]: Point): number {
  return Math.hypot(a - c, b - d);
}
