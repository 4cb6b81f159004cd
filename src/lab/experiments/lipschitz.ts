/**
 * What makes a field a flow is that it is Lipschitz (Picard, Lindelof): then paths do not meet, and a solver's error is bounded by the constant. Here is the
 * field dx/dt = -k tanh(c x), whose constant is k c, up to its limit -k sign(x), which is not Lipschitz and whose paths meet.
 */

import * as tf from '@tensorflow/tfjs-core';
import { type Dual, scale, tanh } from '../../../models/fields/dual.js';
import type { VectorField } from '../../../models/fields/field.js';
import { pathDynamics } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { solve } from '../../cnf/solvers/solve.js';
import { atLeast, atMost, type Experiment, near } from '../experiment.js';
import { lines } from '../figures.js';
import { slope } from '../statistics.js';

/** Speed far from 0: what begins within K of 0 would meet there by t = 1. */
const K = 2;
const STEPS = 16;
const TOLERANCE = 1e-4;
const STARTS = [-2.5, -1.6, -0.8, -0.3, -0.1, 0.1, 0.3, 0.8, 1.6, 2.5];

/** dx/dt = -K tanh(c x): Lipschitz with the constant K c. */
function steep(c: number): VectorField {
  return { dimension: 1, at: (x: Dual) => scale(tanh(scale(x, c)), -K) };
}

/** dx/dt = -K sign(x), which no constant bounds. */
const jump: VectorField = { dimension: 1, at: (x) => ({ value: tf.mul(tf.sign(x.value), -K) }) };

/** The exact solution: sinh(c x(t)) = sinh(c x(0)) exp(-K c t); by the logarithm, so that nothing overflows. */
function exact(c: number, x: number, t: number): number {
  const size = c * Math.abs(x);
  const log = size > 20 ? size - Math.LN2 : Math.log(Math.sinh(size));
  const after = log - K * c * t;
  const found = after > 20 ? after + Math.LN2 : Math.asinh(Math.exp(after));
  return (Math.sign(x) * found) / c;
}

export const experiment: Experiment = {
  title: 'What if a field is not Lipschitz?',
  claim:
    'Paths of a Lipschitz field never meet, however close they come: within a distance of exp(-L t) of where they began, L being the constant. As L grows a solver needs steps in proportion, and comes back with less; of ' +
    'a field that is not Lipschitz paths meet in finite time, and where they began is lost.',

  async run({ quick, log }) {
    const constants = quick ? [1, 2, 4, 8, 16] : [1, 2, 4, 8, 16, 32, 64];
    const rows = constants.map((c) => {
      const field = steep(c);
      const ends = STARTS.map((x) => exact(c, x, 1));
      const there = along(field, STARTS, { solver: rk4, steps: STEPS });
      const error = furthest(there.ends, ends);
      const back = along(field, there.ends, { solver: rk4, steps: STEPS }, true);
      const found = along(field, STARTS, { tolerance: TOLERANCE });
      const gap = ends[5] - ends[4];
      log(
        `L = ${K * c}: error ${error.toExponential(1)}, ${found.evaluations} evaluations, gap ${gap.toExponential(1)}`,
      );
      return {
        constant: K * c,
        error,
        back: furthest(back.ends, STARTS),
        evaluations: found.evaluations,
        /** How far the paths from -0.1 and 0.1 are apart at t = 1, and the least that the constant allows. */
        gap,
        allowed: 0.2 * Math.exp(-K * c),
      };
    });
    const met = along(jump, STARTS, { solver: rk4, steps: 4096 });
    const inside = STARTS.map((x, i) => [x, met.ends[i]]).filter(([x]) => Math.abs(x) < K * 0.95);
    const together = Math.max(...inside.map(([, end]) => Math.abs(end)));
    const lost = furthest(along(jump, met.ends, { solver: rk4, steps: 4096 }, true).ends, STARTS);
    const steepest = rows.at(-1)!;
    return {
      configuration: {
        field: `dx/dt = -${K} tanh(c x) on the line, t in 0 .. 1; the limit -${K} sign(x)`,
        'equal steps': `RK4, ${STEPS}`,
        'adaptive steps': `Dormand-Prince 5(4), tolerance ${TOLERANCE}`,
        starts: STARTS.join(', '),
        arithmetic: 'float32',
      },
      checks: [
        atLeast(
          'gap of two paths over the least that the Lipschitz constant allows, least',
          Math.min(...rows.map(({ gap, allowed }) => gap / allowed)),
          1,
          'times',
        ),
        atLeast(
          'error of equal steps: at the largest constant over that at the least',
          steepest.error / rows[0].error,
          100,
          'times',
        ),
        atLeast(
          'adaptive evaluations grow with the constant to the power',
          slope(rows.slice(-3).map(({ constant, evaluations }) => [Math.log(constant), Math.log(evaluations)])),
          0.3,
        ),
        atLeast('there and back at the largest constant: error', steepest.back, 0.05),
        near('not Lipschitz: where paths of either side end, largest distance from 0', together, 0, 2e-3),
        atLeast('not Lipschitz: there and back, error', lost, 0.1),
        atMost('least constant: there and back, error', rows[0].back, 1e-3),
      ],
      figures: [
        paths(
          'Paths of a Lipschitz field',
          `Constant ${2 * K}: paths draw near to each other and never meet.`,
          steep(2),
        ),
        paths(
          'Paths of a field that is not Lipschitz',
          'They meet at 0, and nothing tells any more where they came from.',
          jump,
        ),
        lines(
          'Error and evaluations against the Lipschitz constant',
          'Both axes logarithmic. The error there and back is that of the starts; evaluations are those of adaptive steps.',
          {
            x: { label: 'Lipschitz constant', type: 'log', tickFormat: 'd', ticks: 6 },
            y: { label: 'largest error; evaluations', type: 'log', tickFormat: '.0e', ticks: 6 },
          },
          [
            {
              name: `error of ${STEPS} steps`,
              points: rows.map(({ constant, error }) => [constant, Math.max(error, 1e-8)]),
            },
            {
              name: 'error, there and back',
              points: rows.map(({ constant, back }) => [constant, Math.max(back, 1e-8)]),
            },
            {
              name: 'evaluations of adaptive steps',
              points: rows.map(({ constant, evaluations }) => [constant, evaluations]),
            },
          ],
        ),
      ],
      tables: [
        {
          title: 'By the Lipschitz constant',
          columns: [
            'constant L',
            `error of ${STEPS} steps`,
            'there and back',
            'adaptive evaluations',
            'paths from ±0.1 apart at t = 1',
            'at least, by exp(-L)',
          ],
          rows: rows.map(({ constant, error, back, evaluations, gap, allowed }) => [
            constant,
            error,
            back,
            evaluations,
            gap,
            allowed,
          ]),
        },
      ],
      notes: [
        'In exact arithmetic every constant gives an invertible map. In float32 what is closer than its rounding is one number: at a constant of 20 the paths from ±0.1 are closer than that, and coming back finds nothing to tell them by. So a ' +
          'flow’s constant bounds what it can compress reversibly; penalties on the Jacobian (Finlay et al. 2020) keep it small.',
      ],
    };
  },
};

function along(field: VectorField, starts: readonly number[], method: Parameters<typeof solve>[2], back = false) {
  return scoped(() => {
    const x = tf.tensor2d(starts.map((start) => [start]));
    const { state, evaluations } = solve(pathDynamics(field), [x], method, back ? { from: 1, to: 0 } : {});
    return { ends: Array.from(state[0].dataSync<'float32'>()), evaluations };
  });
}

function furthest(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i])));
}

function paths(title: string, caption: string, field: VectorField) {
  const times = Array.from({ length: 101 }, (_, i) => i / 100);
  const [first, ...later] = times;
  let [at, now] = [[...STARTS], first];
  const traced = STARTS.map((x): [number, number][] => [[first, x]]);
  for (const time of later) {
    at = scoped(() => {
      const x = tf.tensor2d(at.map((value) => [value]));
      const { state } = solve(pathDynamics(field), [x], { solver: rk4, steps: 40 }, { from: now, to: time });
      return Array.from(state[0].dataSync<'float32'>());
    });
    now = time;
    for (const [i, value] of at.entries()) traced[i].push([time, value]);
  }
  const series = traced.map((points, i) => ({ name: `x(0) = ${STARTS[i]}`, points }));
  return lines(title, caption, { x: { label: 't' }, y: { label: 'x' } }, series, false);
}
