/**
 * A residual network x <- x + f(x, n/N) / N is Euler's method for dx/dt = f (E 2017; Chen et al. 2018, section 1). With weights that are
 * tied, or vary smoothly with depth, it converges to the ODE as 1/N; with weights drawn anew for each block, only to the mean field, slower.
 */

import * as tf from '@tensorflow/tfjs-core';
import { dual, scale } from '../../../models/fields/dual.js';
import type { VectorField } from '../../../models/fields/field.js';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { pathDynamics } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { euler } from '../../cnf/solvers/euler.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { solve } from '../../cnf/solvers/solve.js';
import type { Random } from '../../train/random.js';
import { atMost, type Experiment, near } from '../experiment.js';
import { lines } from '../figures.js';
import { slope } from '../statistics.js';

/** Steps of RK4 that the limit is found by. */
const REFERENCE_STEPS = 128;

export const experiment: Experiment = {
  title: 'Does a residual network become an ODE as its blocks grow in number?',
  claim:
    'A residual network with N blocks of step 1/N differs from the flow of its vector field by an error that falls as 1/N, if ' +
    'its weights are tied or vary smoothly with depth. Weights drawn anew for each block average out: the error against the mean field falls as 1/√N.',

  async run({ quick, random, log }) {
    const depths = quick ? [4, 8, 16, 32, 64] : [4, 8, 16, 32, 64, 128, 256];
    const trials = quick ? 6 : 24;
    const hidden = 32;
    const points = 256;
    const x = tf.tensor2d(
      Float32Array.from({ length: 2 * points }, () => random.normal()),
      [points, 2],
    );

    const kinds: Record<string, (random: Random) => { network: (blocks: number) => VectorField; limit: VectorField }> =
      {
        tied: (draw) => {
          const field = network(draw, hidden);
          return { network: () => field, limit: field };
        },
        'smooth in depth': (draw) => {
          const field = between(network(draw, hidden), network(draw, hidden));
          return { network: () => field, limit: field };
        },
        'drawn anew': (draw) => ({
          network: (blocks) => untied(draw, hidden, blocks),
          // Weights of mean 0 before an odd nonlinearity: the mean field is 0.
          limit: { dimension: 2, at: (at) => scale(at, 0) },
        }),
      };
    const series = Object.entries(kinds).map(([name, make]) => {
      const sums = depths.map(() => 0);
      for (let trial = 0; trial < trials; trial++) {
        scoped(() => {
          const { network: at, limit } = make(random);
          const [end] = solve(pathDynamics(limit), [x], { solver: rk4, steps: REFERENCE_STEPS }).state;
          for (const [i, steps] of depths.entries()) {
            const [found] = solve(pathDynamics(at(steps)), [x], { solver: euler, steps }).state;
            sums[i] += tf.mean(tf.square(tf.sub(found, end))).dataSync()[0];
          }
        });
      }
      const errors = depths.map((n, i): [number, number] => [n, Math.sqrt(sums[i] / trials)]);
      log(`${name}: ${errors.map(([n, error]) => `${n}: ${error.toExponential(2)}`).join(', ')}`);
      return { name, points: errors };
    });

    const found = series.map(({ points: errors }) => slope(errors.map(([n, e]) => [Math.log(n), Math.log(e)])));
    const last = series.map(({ points: errors }) => errors.at(-1)![1]);
    return {
      configuration: { points, hidden, trials, depths: depths.join(' '), reference: `RK4, ${REFERENCE_STEPS} steps` },
      checks: [
        near('tied weights: the error falls as N to the power', found[0], -1, 0.15),
        near('weights that vary smoothly: the error falls as N to the power', found[1], -1, 0.15),
        near('weights drawn anew: the distance to the mean field falls as N to the power', found[2], -0.5, 0.2),
        atMost('tied against drawn anew, at the most blocks', last[0] / last[2], 0.5, 'of the error'),
      ],
      figures: [
        lines(
          'Error against number of blocks',
          `Root mean square distance at t = 1 over ${points} points of a standard normal distribution and ${trials} networks, both axes logarithmic.`,
          {
            x: { label: 'blocks N', type: 'log', tickFormat: 'd', ticks: 6 },
            y: { label: 'distance to the limit', type: 'log', tickFormat: '~g', ticks: 5 },
          },
          series,
        ),
      ],
      tables: [
        {
          title: 'Distance to the limit',
          columns: ['blocks N', ...series.map(({ name }) => name)],
          rows: depths.map((n, i) => [n, ...series.map(({ points: errors }) => errors[i][1])]),
        },
      ],
      notes: [],
    };
  },
};

function network(random: Random, hidden: number): VectorField {
  return mlp(new Weights(random), { dimension: 2, hidden: [hidden], time: 'shared', outputGain: 1 });
}

/** From one field at t = 0 to another at t = 1, along a straight line. */
function between(a: VectorField, b: VectorField): VectorField {
  return {
    dimension: a.dimension,
    at(x, t) {
      const [from, to] = [a.at(x, t).value, b.at(x, t).value];
      return dual(tf.add(tf.mul(from, tf.sub(1, t)), tf.mul(to, t)));
    },
  };
}

function untied(random: Random, hidden: number, steps: number): VectorField {
  const weights = new Weights(random);
  return mlp(weights, { dimension: 2, hidden: [hidden], time: 'untied', steps, outputGain: 1 });
}
