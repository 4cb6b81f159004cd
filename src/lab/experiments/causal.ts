/**
 * Causal direction with conditional flows (Pearl 2009; for flows Khemakhem et al. 2021): flows that are flexible enough fit the same observations by both
 * factorizations, p(x) p(y | x) and p(y) p(x | y), but under an intervention do(X = x) only the one that follows the arrow X -> Y predicts what happens. The arrow can
 * be read off likelihoods only where a restriction on the mechanism holds in one direction alone.
 */

import type { Random } from '../../train/random.js';
import { FREE_TOLD, learn, type Rows } from '../conditional.js';
import { atLeast, atMost, contest, type Experiment, near } from '../experiment.js';
import { histogram, lines } from '../figures.js';
import { RUNS, repeatedly, spreadOf } from '../spread.js';
import { mean, wasserstein } from '../statistics.js';

/** Values that X is set to. */
const SETTINGS = [-1.5, -0.5, 0.5, 1.5];
const [X, Y] = [0, 1];

interface Simulator {
  cause(random: Random): number;
  effect(x: number, random: Random): number;
}

/** X is a mixture of two normals; Y = 1.2 sin(1.5 X) + (0.15 + 0.15 |X|) e with e standard normal. */
const curved: Simulator = {
  cause: (random) => (random.uniform() < 0.4 ? -1 : 0.8) + 0.5 * random.normal(),
  effect: (x, random) => 1.2 * Math.sin(1.5 * x) + (0.15 + 0.15 * Math.abs(x)) * random.normal(),
};

/** Normal X, and Y = 0.8 X + 0.6 e: both directions are of one form. */
const linear: Simulator = {
  cause: (random) => random.normal(),
  effect: (x, random) => 0.8 * x + 0.6 * random.normal(),
};

function observe({ cause, effect }: Simulator, count: number, random: Random): Rows {
  return Array.from({ length: count }, () => {
    const x = cause(random);
    return [x, effect(x, random)];
  });
}

export const experiment: Experiment = {
  title: 'Which of two flows knows what an intervention does, and can a likelihood tell?',
  claim:
    'From observations alone free flows of X → Y and of Y → X are about equally likely. Under do(X = x) the first predicts the simulator’s Y; the second, for ' +
    'which X is an effect, predicts that Y stays as it was, and is wrong. If the mechanism is known to be location and scale with normal noise, the likelihood of such flows tells ' +
    'the arrow, unless both directions are of that form.',

  async run({ quick, random, log }) {
    const steps = quick ? 180 : 3000;
    const test = quick ? 300 : 5000;
    const count = quick ? 3000 : 20_000;
    const runs = repeatedly(random, (own, run) => {
      const found = study({ steps, test, count }, own);
      log(
        `run ${run + 1}: free flows ${found.free.toFixed(3)} nats ahead for X -> Y, location and scale ${found.restricted.toFixed(3)}, linear ${found.linear.toFixed(3)}; do(X): ${found.rows.map(({ distances }) => distances[0].toFixed(3)).join(', ')}`,
      );
      return found;
    });
    const over = (number: (run: Run) => number) => spreadOf(runs, number);
    const [first] = runs;
    const range: [number, number] = [-2.2, 2.2];
    return {
      configuration: {
        simulator: 'X: 0.4 N(-1, 0.5²) + 0.6 N(0.8, 0.5²); Y = 1.2 sin(1.5 X) + (0.15 + 0.15 |X|) e, e ~ N(0, 1)',
        'where no arrow is to be found': 'X ~ N(0, 1); Y = 0.8 X + 0.6 e',
        observations: count,
        'free flows': FREE_TOLD,
        'location and scale':
          'a network of what is given, hidden 32 32, and normal noise, for the effect; a free flow for the cause',
        training: `flow matching or maximum likelihood, ${steps} steps of 128`,
        'samples compared': test,
        runs: `${RUNS}, each with observations, weights and batches of its own`,
      },
      contests: [
        contest(
          'location and scale: X → Y is more likely than Y → X, which is the arrow',
          over(({ restricted }) => restricted),
          'nats per pair',
          'Flows of too few steps fit neither direction well, and their errors decide.',
        ),
        contest(
          'do(X = x): the flow X → Y is nearer to the truth than Y → X',
          over(({ rows }) => mean(rows.map(({ distances }) => distances[1] - distances[0]))),
          'Wasserstein-1',
          'The flow has not learned p(y | x).',
        ),
      ],
      checks: [
        near(
          'free flows: X → Y ahead of Y → X on held-out pairs',
          over(({ free }) => free),
          0,
          quick ? 0.4 : 0.15,
          'nats per pair',
        ),
        near(
          'linear and normal: X → Y ahead of Y → X, which no likelihood can tell',
          over((run) => run.linear),
          0,
          0.03,
          'nats per pair',
        ),
        atMost(
          'X → Y under do(X = x): distance to the truth, largest of the settings',
          over(({ rows }) => Math.max(...rows.map(({ distances }) => distances[0]))),
          quick ? 0.2 : 0.12,
          'Wasserstein-1',
        ),
        atLeast(
          'Y → X under do(X = x): distance to the truth, least of the settings',
          over(({ rows }) => Math.min(...rows.map(({ distances }) => distances[1]))),
          0.3,
          'Wasserstein-1',
        ),
        atMost(
          'X → Y under do(Y = 1): distance of X to the truth',
          over((run) => run.underEffect[0]),
          quick ? 0.2 : 0.12,
          'Wasserstein-1',
        ),
        atLeast(
          'Y → X under do(Y = 1): distance of X to the truth',
          over((run) => run.underEffect[1]),
          0.3,
          'Wasserstein-1',
        ),
      ],
      figures: [
        ...[first.rows[0], first.rows[2]].map(({ value, truth, predicted }) =>
          histogram(
            `Y under do(X = ${value})`,
            `${test} samples each, of the first run.`,
            'Y',
            [
              { name: 'simulator', values: truth },
              { name: 'X → Y: p(y | x)', values: predicted },
              { name: 'Y → X: p(y)', values: first.unconditional },
            ],
            range,
          ),
        ),
        lines(
          'Mean of Y against the value that X is set to',
          `The effect of the intervention: mean and standard error of ${RUNS} runs.`,
          { x: { label: 'x' }, y: { label: 'mean of Y under do(X = x)' } },
          (
            [
              ['simulator', (run: Run, i: number) => mean(run.rows[i].truth)],
              ['X → Y', (run: Run, i: number) => mean(run.rows[i].predicted)],
              ['Y → X', (run: Run) => mean(run.unconditional)],
            ] as const
          ).map(([name, of]) => {
            const spreads = SETTINGS.map((_, i) => over((run) => of(run, i)));
            return {
              name,
              points: spreads.map((own, i): [number, number] => [SETTINGS[i], own.mean]),
              errors: spreads.map((own) => own.error),
            };
          }),
        ),
      ],
      tables: [
        {
          title: `Wasserstein-1 distance to the simulator, mean ± standard error of ${RUNS} runs`,
          columns: ['intervention', 'X → Y', 'Y → X', 'two samples of the simulator'],
          rows: [
            ...SETTINGS.map((value, i) => [
              `do(X = ${value})`,
              ...[0, 1, 2].map((k) => over(({ rows }) => rows[i].distances[k])),
            ]),
            ['do(Y = 1), on X', ...[0, 1].map((k) => over((run) => run.underEffect[k])), ''],
          ],
        },
        {
          title: 'Held-out log-density of a pair by X → Y less that by Y → X, nats',
          columns: ['mechanisms', 'data', 'nats per pair', 'what it says'],
          rows: [
            ['free', 'curved', over(({ free }) => free), 'nothing: both fit'],
            ['location and scale', 'curved', over(({ restricted }) => restricted), 'the arrow, if that form is right'],
            [
              'location and scale',
              'linear, normal',
              over((run) => run.linear),
              'nothing: both directions have that form',
            ],
          ],
        },
      ],
      notes: [
        'A likelihood describes what is seen together, not what makes what. The arrow comes from outside the data: as knowledge of it, or as knowledge of a form that mechanisms have, which one direction breaks. ' +
          'Given the arrow, a conditional flow is a simulator of interventions as good as it is a density.',
        'Free flows that are trained for long are about equally likely; after a short training X → Y is ahead, because p(x | y), which has up to three branches here, takes longer to learn than p(y | x), which has one.',
      ],
    };
  },
};

interface Run {
  /** How far X -> Y is ahead in held-out log-density, nats per pair: of free flows, with mechanisms of location and scale, and such on linear data. */
  readonly free: number;
  readonly restricted: number;
  readonly linear: number;
  readonly unconditional: readonly number[];
  readonly rows: readonly {
    readonly value: number;
    readonly truth: readonly number[];
    readonly predicted: readonly number[];
    /** To the truth: of X -> Y, of Y -> X, of the simulator again. */
    readonly distances: readonly number[];
  }[];
  readonly underEffect: readonly number[];
}

function study({ steps, test, count }: { steps: number; test: number; count: number }, random: Random): Run {
  const [observed, held] = [observe(curved, count, random), observe(curved, test, random)];
  const flow = (of: number, given: number[]) => learn(observed, { of, given, steps }, random);
  const [x, yOfX, y, xOfY] = [flow(X, []), flow(Y, [X]), flow(Y, []), flow(X, [Y])];
  const [logX, logY] = [x, y].map(({ logs }) => mean(logs(held)));
  const unconditional = Array.from(y.draw(held, random));
  const rows = SETTINGS.map((value) => {
    const again = [0, 1].map(() => Array.from({ length: test }, () => curved.effect(value, random)));
    const [truth] = again;
    const set = held.map(() => [value, 0]);
    const predicted = Array.from(yOfX.draw(set, random));
    const distances = [predicted, unconditional, again[1]].map((values) => wasserstein(values, truth));
    return { value, truth, predicted, distances };
  });
  const causes = held.map((row) => row[X]);
  const set = held.map(() => [0, 1]);
  return {
    free: logX + mean(yOfX.logs(held)) - logY - mean(xOfY.logs(held)),
    restricted: logX - logY + mechanismGain({ observed, held, steps }, random),
    linear: linearGain({ steps, test, count }, random),
    unconditional,
    rows,
    underEffect: [x, xOfY].map((own) => wasserstein(Array.from(own.draw(set, random)), causes)),
  };
}

/** By location and scale: mean log p(y | x) less mean log p(x | y). */
function mechanismGain(
  { observed, held, steps }: { observed: Rows; held: Rows; steps: number },
  random: Random,
): number {
  const [forward, backward] = [
    [Y, X],
    [X, Y],
  ].map(([of, given]) => {
    const { logs } = learn(observed, { of, given: [given], steps, kind: 'affine' }, random);
    return mean(logs(held));
  });
  return forward - backward;
}

function linearGain({ steps, test, count }: { steps: number; test: number; count: number }, random: Random): number {
  const [observed, held] = [observe(linear, count, random), observe(linear, test, random)];
  // Both variables are standard normal, so that their own log-densities differ only by chance.
  const squares = (k: number) => mean(held.map((row) => row[k] ** 2));
  return (squares(Y) - squares(X)) / 2 + mechanismGain({ observed, held, steps }, random);
}
