/**
 * How far from the start a flow comes back when it is integrated forward and then backward. A Runge-Kutta step with -h does not undo one
 * with h; a reversible method's does, but for rounding (Kidger et al. 2021); the splitting method on integers with a stack does exactly.
 */

import * as tf from '@tensorflow/tfjs-core';
import { affineSplit } from '../../../models/fields/affine-split.js';
import type { VectorField } from '../../../models/fields/field.js';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { integerFlow } from '../../cnf/coding/splitting-coder.js';
import { Stack } from '../../cnf/coding/stack.js';
import { pathDynamics } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { dormandPrince } from '../../cnf/solvers/dormand-prince.js';
import { euler } from '../../cnf/solvers/euler.js';
import { midpoint } from '../../cnf/solvers/midpoint.js';
import { reversible } from '../../cnf/solvers/reversible.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { solve } from '../../cnf/solvers/solve.js';
import type { Solver } from '../../cnf/solvers/solver.js';
import { splitting } from '../../cnf/solvers/splitting.js';
import { atMost, type Check, type Experiment, near } from '../experiment.js';
import { type LineSeries, lines } from '../figures.js';
import { slope } from '../statistics.js';

const DIMENSION = 3;
const HIDDEN = 32;
const GRID_BITS = 12;
/** Errors below this are float32's rounding: they no longer tell a method's order. */
const ROUNDING = 1e-5;
const SOLVERS: readonly Solver[] = [euler, midpoint, rk4, dormandPrince, splitting];

export const experiment: Experiment = {
  title: 'Does a flow come back to where it began?',
  claim:
    'Forward and then backward, a Runge-Kutta method of order p comes back with an error that falls as hᵖ at least, down to float32 rounding; an adaptive ' +
    'one with an error that falls with its tolerance; a reversible and a splitting method but for rounding, whatever h. On integers the splitting method’s error is exactly 0.',

  async run({ quick, random, log }) {
    const points = quick ? 200 : 2000;
    const normal = () => random.normal();
    const free = mlp(new Weights(random), {
      dimension: DIMENSION,
      hidden: [HIDDEN, HIDDEN],
      time: 'gated',
      outputGain: 4,
    });
    const split = affineSplit(new Weights(random), { dimension: DIMENSION, hidden: [HIDDEN] });
    const x = tf.tensor2d(Float32Array.from({ length: points * DIMENSION }, normal), [points, DIMENSION]);
    const steps = [2, 3, 4, 6, 8, 12, 16, 24, 32];

    const fixed = SOLVERS.map((solver): LineSeries => {
      const field = solver === splitting ? split : free;
      return { name: solver.name, points: steps.map((n) => [n, thereAndBack(field, x, solver, n)]) };
    });
    const again: LineSeries = { name: 'reversible', points: steps.map((n) => [n, byCarry(free, x, n)]) };
    const tolerances = [1e-3, 1e-4, 1e-5, 1e-6];
    const adaptive = tolerances.map((tolerance) => adaptively(free, x, tolerance));
    const exact = await onIntegers(split, points, steps.slice(0, 4), random);
    log(`integers: ${exact.different} of ${exact.cells} cells differ`);

    const orders = SOLVERS.slice(0, 3).map((solver, i): Check => {
      const above = fixed[i].points.filter(([, error]) => error > ROUNDING);
      const found = -slope(above.map(([n, error]) => [Math.log(n), Math.log(error)]));
      return {
        ...near(`${solver.name}: the error falls as h to the power`, found, solver.order, 0),
        predicted: `${solver.order} or more`,
        passed: found > solver.order - 0.4,
      };
    });
    const worst = (series: LineSeries) => Math.max(...series.points.map(([, error]) => error));
    const largest = Math.max(...adaptive.map(({ error }, i) => (error - ROUNDING) / tolerances[i]));
    return {
      configuration: {
        points,
        'free-form field': `MLP on R^${DIMENSION}, hidden ${HIDDEN} ${HIDDEN}, gated by time`,
        'splitting: field': `affine-split on R^${DIMENSION}, hidden ${HIDDEN}`,
        'integers: cells': `2^-${GRID_BITS} wide`,
        arithmetic: 'float32',
      },
      checks: [
        ...orders,
        atMost('adaptive Dormand-Prince: error beyond rounding over tolerance', largest, 100),
        atMost(
          'adaptive Dormand-Prince: error at the least tolerance over that at the largest',
          adaptive.at(-1)!.error / adaptive[0].error,
          0.1,
        ),
        atMost('reversible method: largest error', worst(again), 1e-4),
        atMost('splitting method in float32: largest error', worst(fixed[4]), 1e-4),
        atMost('splitting method on integers: cells that differ', exact.different, 0, 'cells'),
        atMost('splitting method on integers: words of the stack that differ', exact.words, 0, 'words'),
      ],
      figures: [
        lines(
          'There and back, steps of equal length',
          'Largest distance of a coordinate from where it began; both axes logarithmic. Errors of 1e-6 are float32 rounding. On integers the distance is 0, which no logarithmic axis shows.',
          {
            x: { label: 'steps', type: 'log', tickFormat: 'd', ticks: 6 },
            y: { label: 'largest error', type: 'log', tickFormat: '.0e', ticks: 6 },
          },
          [...fixed, again],
        ),
        lines(
          'There and back, steps by tolerance',
          'Adaptive Dormand-Prince 5(4); both axes logarithmic.',
          {
            x: { label: 'tolerance', type: 'log', tickFormat: '.0e', ticks: 5, reverse: true },
            y: { label: 'largest error', type: 'log', tickFormat: '.0e', ticks: 5 },
          },
          [{ name: 'error', points: adaptive.map(({ error }, i) => [tolerances[i], error]) }],
        ),
      ],
      tables: [
        {
          title: 'Largest error, there and back',
          columns: ['steps', ...fixed.map(({ name }) => name), again.name, 'splitting on integers'],
          rows: steps.map((n, i) => [
            n,
            ...[...fixed, again].map((series) => series.points[i][1]),
            i < 4 ? exact.different : '',
          ]),
        },
        {
          title: 'Adaptive steps',
          columns: ['tolerance', 'largest error', 'evaluations forward', 'steps', 'rejected'],
          rows: adaptive.map(({ error, evaluations, steps: taken, rejected }, i) => [
            tolerances[i],
            error,
            evaluations,
            taken,
            rejected,
          ]),
        },
      ],
      notes: [
        'A tolerance bounds the error of one step, in root mean square over the points; shown is the largest of any coordinate after all steps there and back, tens of times as much. Large tolerances give the same steps, ' +
          'the longest that the method lets its first step grow to.',
        'Some methods come back better than their order says: the leading errors of the two ways cancel in part. On integers ' +
          'nothing is rounded away: what a scaling loses is pushed onto the stack and taken back from there, so that points and stack are the same, bit for bit, with the coarsest steps, too.',
      ],
    };
  },
};

function thereAndBack(field: VectorField, x: tf.Tensor2D, solver: Solver, steps: number): number {
  return scoped(() => {
    const dynamics = pathDynamics(field);
    const { state } = solve(dynamics, [x], { solver, steps });
    return furthest(solve(dynamics, state, { solver, steps }, { from: 1, to: 0 }).state[0], x);
  });
}

/** The reversible method goes back from all that it carried. */
function byCarry(field: VectorField, x: tf.Tensor2D, steps: number): number {
  return scoped(() => {
    const dynamics = pathDynamics(field);
    const method = { solver: reversible, steps };
    const { state, carry } = solve(dynamics, [x], method);
    return furthest(solve(dynamics, state, method, { from: 1, to: 0, carry }).state[0], x);
  });
}

function adaptively(field: VectorField, x: tf.Tensor2D, tolerance: number) {
  return scoped(() => {
    const dynamics = pathDynamics(field);
    const { state, evaluations, steps, rejected } = solve(dynamics, [x], { tolerance });
    const back = solve(dynamics, state, { tolerance }, { from: 1, to: 0 });
    return { error: furthest(back.state[0], x), evaluations, steps, rejected };
  });
}

/** Cells and words of the stack that are not what they were, over runs of so many steps each. */
async function onIntegers(
  field: ReturnType<typeof affineSplit>,
  points: number,
  steps: readonly number[],
  random: { word(): number; normal(): number },
) {
  let [different, words, cells] = [0, 0, 0];
  for (const n of steps) {
    const stack = await Stack.create(1 << 24, 10_000, () => random.word());
    const flow = integerFlow(field, { points, gridBits: GRID_BITS, steps: n });
    const start = Int32Array.from({ length: points * DIMENSION }, () => Math.round(2 ** GRID_BITS * random.normal()));
    const before = stack.contents();
    const state = start.slice();
    flow.forward(stack, state);
    flow.backward(stack, state);
    const after = stack.contents();
    different += state.filter((cell, i) => cell !== start[i]).length;
    words += before.filter((word, i) => word !== after[i]).length + Math.abs(after.length - before.length);
    cells += state.length;
  }
  return { different, words, cells };
}

function furthest(a: tf.Tensor, b: tf.Tensor): number {
  return tf.max(tf.abs(tf.sub(a, b))).dataSync()[0];
}
