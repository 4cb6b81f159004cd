/**
 * Causal direction with conditional flows (Pearl 2009; for flows Khemakhem et al. 2021): flows that are flexible enough fit the same
 * observations by both factorizations, p(x) p(y | x) and p(y) p(x | y), but under an intervention do(X = x) only the one that follows the
 * arrow X -> Y predicts what happens.
 */

import * as tf from '@tensorflow/tfjs-core';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { logDensities, standardNormal } from '../../cnf/base.js';
import { fitVelocity } from '../../cnf/fit.js';
import { type Cnf, cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import type { Random } from '../../train/random.js';
import { atLeast, atMost, type Experiment } from '../experiment.js';
import { histogram, lines } from '../figures.js';
import { mean, wasserstein } from '../statistics.js';

const BATCH = 256;
const HIDDEN = [48, 48];
const base = standardNormal(1);
/** Values that X is set to. */
const SETTINGS = [-1.5, -0.5, 0.5, 1.5];

/** The simulator. X is a mixture of two normals; Y = 1.2 sin(1.5 X) + (0.15 + 0.15 |X|) e with e standard normal. */
const simulator = {
  cause(random: Random): number {
    return (random.uniform() < 0.4 ? -1 : 0.8) + 0.5 * random.normal();
  },
  effect(x: number, random: Random): number {
    return 1.2 * Math.sin(1.5 * x) + (0.15 + 0.15 * Math.abs(x)) * random.normal();
  },
};

export const experiment: Experiment = {
  title: 'Which of two flows knows what an intervention does?',
  claim:
    'From observations alone the flows of X → Y and of Y → X are about equally likely. Under do(X = x) the first predicts the simulator’s Y; the second, for ' +
    'which X is an effect, predicts that Y stays as it was, and is wrong; under do(Y = y) it is the second that sees X change where it does not.',

  async run({ quick, random, log }) {
    const steps = quick ? 800 : 4000;
    const test = quick ? 1000 : 8000;
    const observed = Array.from({ length: quick ? 5000 : 20_000 }, () => {
      const x = simulator.cause(random);
      return [x, simulator.effect(x, random)] as const;
    });
    /** A flow of coordinate `of`, given the other one or nothing. */
    const learn = (of: 0 | 1, given: boolean): Cnf => {
      const weights = new Weights(random);
      const field = mlp(weights, { dimension: 1, hidden: HIDDEN, time: 'gated', context: given ? 1 : 0 });
      const batch = () => {
        const drawn = Array.from({ length: BATCH }, () => observed[random.below(observed.length)]);
        const x = tf.tensor2d(drawn.map((pair) => [pair[of]]));
        return given ? { x, context: tf.tensor2d(drawn.map((pair) => [pair[1 - of]])) } : x;
      };
      fitVelocity(field, base, { weights, batch, steps, rate: 0.01 }, random);
      return cnf(field, { method: { solver: rk4, steps: 20 } });
    };
    const [x, yOfX, y, xOfY] = [learn(0, false), learn(1, true), learn(1, false), learn(0, true)];

    const held = Array.from({ length: test }, () => {
      const cause = simulator.cause(random);
      return [cause, simulator.effect(cause, random)];
    });
    const [right, wrong] = scoped(() => {
      const [causes, effects] = [0, 1].map((i) => tf.tensor2d(held.map((pair) => [pair[i]])));
      const of = (flow: Cnf, points: tf.Tensor2D, context?: tf.Tensor2D) =>
        mean(logDensities(flow, base, points, 1000, context));
      return [of(x, causes) + of(yOfX, effects, causes), of(y, effects) + of(xOfY, causes, effects)];
    });
    log(`joint log-density: ${right.toFixed(3)} by X -> Y, ${wrong.toFixed(3)} by Y -> X`);

    const draw = (flow: Cnf, context?: number) =>
      scoped(() => {
        const given = context === undefined ? undefined : tf.fill<tf.Rank.R2>([test, 1], context);
        return Array.from(flow.inverse(base.sample(test, random), given).dataSync<'float32'>());
      });
    const unconditional = draw(y);
    const rows = SETTINGS.map((value) => {
      const truth = Array.from({ length: test }, () => simulator.effect(value, random));
      const again = Array.from({ length: test }, () => simulator.effect(value, random));
      const predicted = draw(yOfX, value);
      const distances = [predicted, unconditional, again].map((values) => wasserstein(values, truth));
      log(`do(X = ${value}): ${distances.map((d) => d.toFixed(3)).join(', ')}`);
      return { value, truth, predicted, distances };
    });
    const causes = held.map(([cause]) => cause);
    const underEffect = [draw(x), draw(xOfY, 1)].map((values) => wasserstein(values, causes));
    const worst = Math.max(...rows.map(({ distances }) => distances[0]));
    const range: [number, number] = [-2.2, 2.2];
    return {
      configuration: {
        simulator: 'X: 0.4 N(-1, 0.5²) + 0.6 N(0.8, 0.5²); Y = 1.2 sin(1.5 X) + (0.15 + 0.15 |X|) e, e ~ N(0, 1)',
        observations: observed.length,
        flows: `MLP on R, hidden ${HIDDEN.join(' ')}, gated by time, the other variable as context`,
        training: `flow matching, ${steps} steps of ${BATCH}`,
        'samples compared': test,
      },
      checks: [
        atMost(
          'both directions fit the observations: difference of held-out log-density',
          Math.abs(right - wrong),
          0.15,
          'nats per pair',
        ),
        atMost('X → Y under do(X = x): distance to the truth, largest', worst, 0.12, 'Wasserstein-1'),
        atLeast(
          'Y → X under do(X = x): distance to the truth, least',
          Math.min(...rows.map(({ distances }) => distances[1])),
          0.3,
          'Wasserstein-1',
        ),
        atLeast(
          'wrong direction over right, mean distance',
          mean(rows.map((r) => r.distances[1])) / mean(rows.map((r) => r.distances[0])),
          5,
          'times',
        ),
        atMost('X → Y under do(Y = 1): distance of X to the truth', underEffect[0], 0.12, 'Wasserstein-1'),
        atLeast('Y → X under do(Y = 1): distance of X to the truth', underEffect[1], 0.3, 'Wasserstein-1'),
      ],
      figures: [
        ...[rows[0], rows[2]].map(({ value, truth, predicted }) =>
          histogram(
            `Y under do(X = ${value})`,
            `${test} samples each.`,
            'Y',
            [
              { name: 'simulator', values: truth },
              { name: 'X → Y: p(y | x)', values: predicted },
              { name: 'Y → X: p(y)', values: unconditional },
            ],
            range,
          ),
        ),
        lines(
          'Mean of Y against the value that X is set to',
          'The effect of the intervention.',
          { x: { label: 'x' }, y: { label: 'mean of Y under do(X = x)' } },
          [
            { name: 'simulator', points: rows.map(({ value, truth }) => [value, mean(truth)]) },
            { name: 'X → Y', points: rows.map(({ value, predicted }) => [value, mean(predicted)]) },
            { name: 'Y → X', points: rows.map(({ value }) => [value, mean(unconditional)]) },
          ],
        ),
      ],
      tables: [
        {
          title: 'Wasserstein-1 distance to the simulator',
          columns: ['intervention', 'X → Y', 'Y → X', 'two samples of the simulator'],
          rows: [
            ...rows.map(({ value, distances }) => [`do(X = ${value})`, ...distances]),
            ['do(Y = 1), on X', ...underEffect, ''],
          ],
        },
        {
          title: 'Held-out log-density of the pair, nats',
          columns: ['factorization', 'nats per pair'],
          rows: [
            ['p(x) p(y | x)', right],
            ['p(y) p(x | y)', wrong],
          ],
        },
      ],
      notes: [
        'A likelihood describes what is seen together, not what makes what. That X → Y is the right arrow comes from outside the data; given the arrow, a conditional flow is a simulator of ' +
          'interventions as good as it is a density.',
      ],
    };
  },
};
