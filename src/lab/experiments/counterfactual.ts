/**
 * A confounder, and what would have been (Pearl 2009): U moves both X and Y, so that p(y | x) is not p(y | do(x)); with U observed, the back-door formula
 * p(y | do(x)) = integral p(y | x, u) p(u) du gives the effect from observations. A counterfactual takes a case's noise from its flow (abduction), sets X, and goes back.
 */

import type { Random } from '../../train/random.js';
import { FREE_TOLD, learn, type Rows } from '../conditional.js';
import { atLeast, atMost, contest, type Experiment } from '../experiment.js';
import { histogram, lines } from '../figures.js';
import { RUNS, repeatedly, spreadOf } from '../spread.js';
import { mean, wasserstein } from '../statistics.js';

const SETTINGS = [-1.5, -0.5, 0.5, 1.5];
/** What X would have been larger by. */
const CHANGE = 1;
const [U, X, Y] = [0, 1, 2];

/** U ~ N(0, 1); X = U + 0.6 a; Y = x - 1.5 u + (0.3 + 0.15 u²) e: U makes X large and Y small. */
const effect = (x: number, u: number, e: number) => x - 1.5 * u + (0.3 + 0.15 * u * u) * e;

interface Case {
  readonly row: readonly number[];
  /** e, which no observer sees. */
  readonly noise: number;
}

function observe(count: number, random: Random): Case[] {
  return Array.from({ length: count }, () => {
    const u = random.normal();
    const x = u + 0.6 * random.normal();
    const noise = random.normal();
    return { row: [u, x, effect(x, u, noise)], noise };
  });
}

export const experiment: Experiment = {
  title: 'Can flows adjust for a confounder, and say what would have been?',
  claim:
    'A flow of Y given X alone predicts what is seen with X, not what setting X does: here it even has the wrong sign. A flow of Y given X and the confounder U, averaged over U as it is, predicts the intervention. ' +
    'For one case, its noise taken from the flow and put back with another X gives what Y would have been, nearer than the mean of like cases.',

  async run({ quick, random, log }) {
    const steps = quick ? 300 : 3000;
    const test = quick ? 300 : 5000;
    const count = quick ? 3000 : 20_000;
    const runs = repeatedly(random, (own, run) => {
      const found = study({ steps, test, count }, own);
      log(
        `run ${run + 1}: slope ${found.slopes.map((slope) => slope.toFixed(2)).join(', ')}; counterfactual off by ${found.abduction.toFixed(3)}, by the mean ${found.average.toFixed(3)}`,
      );
      return found;
    });
    const over = (number: (run: Run) => number) => spreadOf(runs, number);
    const [first] = runs;
    const names = ['simulator', 'adjusted for U', 'not adjusted: p(y | x)'];
    const gap = (kind: 0 | 1) => over(({ rows }) => mean(rows.map(({ distances }) => distances[kind])));
    return {
      configuration: {
        simulator: 'U ~ N(0, 1); X = U + 0.6 a; Y = X - 1.5 U + (0.3 + 0.15 U²) e; a, e ~ N(0, 1)',
        'the counterfactual': `Y, had X been larger by ${CHANGE}`,
        observations: count,
        flows: FREE_TOLD,
        training: `flow matching, ${steps} steps of 128`,
        'samples compared': test,
        runs: `${RUNS}, each with observations, weights and batches of its own`,
      },
      contests: [
        contest(
          'do(X = x): adjusted for U, the flow is nearer to the truth than p(y | x)',
          over(({ rows }) => mean(rows.map(({ distances }) => distances[1] - distances[0]))),
          'Wasserstein-1',
          'The flow of three variables has learned less than that of two.',
        ),
        contest(
          'had X been larger: by abduction nearer to the truth than by the mean of cases with that X and U',
          over(({ average, abduction }) => average - abduction),
          'root mean square',
          'The flow’s noise is not yet the simulator’s.',
        ),
      ],
      checks: [
        atMost(
          'adjusted for U: distance to the truth, mean of the settings',
          gap(0),
          quick ? 0.4 : 0.12,
          'Wasserstein-1',
        ),
        atLeast('not adjusted: the same distance', gap(1), 0.5, 'Wasserstein-1'),
        atLeast(
          'adjusted: change of the mean of Y for 1 of X (the truth is 1)',
          over(({ slopes }) => slopes[1]),
          0.7,
        ),
        atMost(
          'not adjusted: the same, which has the wrong sign',
          over(({ slopes }) => slopes[2]),
          0,
        ),
        atMost(
          'counterfactual by abduction: off the truth by',
          over(({ abduction }) => abduction),
          quick ? 0.25 : 0.12,
          'root mean square',
        ),
      ],
      figures: [
        lines(
          'Mean of Y against the value that X is set to',
          `Mean and standard error of ${RUNS} runs.`,
          { x: { label: 'x' }, y: { label: 'mean of Y under do(X = x)' } },
          names.map((name, kind) => {
            const spreads = SETTINGS.map((_, i) => over(({ rows }) => rows[i].means[kind]));
            return {
              name,
              points: spreads.map((own, i): [number, number] => [SETTINGS[i], own.mean]),
              errors: spreads.map((own) => own.error),
            };
          }),
        ),
        histogram(
          'What would have been, less what truly would',
          `Of ${test} cases of the first run.`,
          'error of Y',
          [
            { name: 'by abduction', values: first.errors[0] },
            { name: 'by the mean of like cases', values: first.errors[1] },
          ],
          [-1.5, 1.5],
        ),
      ],
      tables: [
        {
          title: `Wasserstein-1 distance to the simulator’s Y, mean ± standard error of ${RUNS} runs`,
          columns: ['intervention', 'adjusted for U', 'not adjusted', 'two samples of the simulator'],
          rows: SETTINGS.map((value, i) => [
            `do(X = ${value})`,
            ...[0, 1, 2].map((k) => over(({ rows }) => rows[i].distances[k])),
          ]),
        },
        {
          title: 'Y, had X been larger: root mean square error of a case',
          columns: ['way', 'error'],
          rows: [
            ['abduction: its noise, from the flow, with the other X', over(({ abduction }) => abduction)],
            ['mean of cases with that X and U', over(({ average }) => average)],
          ],
        },
      ],
      notes: [
        'That U is all that X and Y share comes from outside the data: a flow adjusts for what it is given, and a confounder that nobody has seen remains. With one variable and noise that moves it one way, a flow’s noise is the ' +
          'simulator’s but for its scale, so that the case’s own noise comes back with another X; with mechanisms that are not monotone in their noise there would be other counterfactuals with the same observations.',
      ],
    };
  },
};

interface Run {
  readonly rows: readonly {
    /** Of the simulator, adjusted, not adjusted. */
    readonly means: readonly number[];
    /** To the simulator: adjusted, not adjusted, the simulator again. */
    readonly distances: readonly number[];
  }[];
  /** Change of those means for 1 of X. */
  readonly slopes: readonly number[];
  readonly abduction: number;
  readonly average: number;
  readonly errors: readonly (readonly number[])[];
}

function study({ steps, test, count }: { steps: number; test: number; count: number }, random: Random): Run {
  const observed: Rows = observe(count, random).map(({ row }) => row);
  const cases = observe(test, random);
  const naive = learn(observed, { of: Y, given: [X], steps }, random);
  const adjusted = learn(observed, { of: Y, given: [X, U], steps }, random);
  const rows = SETTINGS.map((value) => {
    // U as it is in the observations, whatever X is set to.
    const set = Array.from({ length: test }, () => [observed[random.below(count)][U], value, 0]);
    const truth = () => Array.from({ length: test }, () => effect(value, random.normal(), random.normal()));
    const samples = [truth(), Array.from(adjusted.draw(set, random)), Array.from(naive.draw(set, random)), truth()];
    return {
      means: samples.slice(0, 3).map(mean),
      distances: samples.slice(1).map((own) => wasserstein(own, samples[0])),
    };
  });
  const [low, high] = [rows[0], rows[rows.length - 1]];
  const slopes = high.means.map(
    (value, kind) => (value - low.means[kind]) / (SETTINGS[SETTINGS.length - 1] - SETTINGS[0]),
  );
  const errors = counterfactuals(adjusted, cases, random);
  const [abduction, average] = errors.map((own) => Math.sqrt(mean(own.map((error) => error * error))));
  return { rows, slopes, abduction, average, errors };
}

/** Errors of each case: by abduction, and by the mean of several draws with its other X and its U. */
function counterfactuals(flow: ReturnType<typeof learn>, cases: readonly Case[], random: Random): number[][] {
  const rows = cases.map(({ row }) => row);
  const other = rows.map(([u, x]) => [u, x + CHANGE, 0]);
  const truth = cases.map(({ row: [u, x], noise }) => effect(x + CHANGE, u, noise));
  const abducted = flow.values(flow.noise(rows), other);
  const DRAWS = 16;
  const means = new Float64Array(rows.length);
  for (let i = 0; i < DRAWS; i++)
    for (const [k, value] of flow.draw(other, random).entries()) means[k] += value / DRAWS;
  return [abducted, means].map((own) => truth.map((value, k) => own[k] - value));
}
