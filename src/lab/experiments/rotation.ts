/**
 * A flow whose field commutes with rotations over a base that rotations do not change has a density that they do not change (Koehler, Klein, Noe 2020): a function
 * of the radius. It is held against an ordinary flow, both fitted to rings of which only a sector of angles was seen.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { VectorField } from '../../../models/fields/field.js';
import { mlp } from '../../../models/fields/mlp.js';
import { rotationInvariant } from '../../../models/fields/rotation-invariant.js';
import { Weights } from '../../../models/fields/weights.js';
import { logDensities, standardNormal } from '../../cnf/base.js';
import { fitLikelihood, fitVelocity } from '../../cnf/fit.js';
import { type Cnf, cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { PLANAR, type PlanarSet, samplePlanar } from '../data/planar.js';
import { atLeast, atMost, type Experiment, type Lab } from '../experiment.js';
import { heatMaps, lines } from '../figures.js';
import { densityOnGrid, drawnFrom, type Grid, heatMap, pointMap, truthOnGrid } from '../plane.js';
import { RUNS, repeatedly, spreadOf } from '../spread.js';
import { mean } from '../statistics.js';
import { TRAINING, TRAINING_TOLD } from '../training.js';

const BATCH = 256;
/** Angles seen in training: this far to either side of the x axis. */
const SECTOR = Math.PI / 3;
const RADII = [0.7, 1.05, 1.4, 2.1];
const TURNS = 24;
const base = standardNormal(2);

/** The rings' points with their angle drawn from the sector. */
const SEEN: PlanarSet = {
  sample(random) {
    const radius = Math.hypot(...PLANAR.rings.sample(random));
    const angle = SECTOR * (2 * random.uniform() - 1);
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  },
  density: (x, y) => (Math.abs(Math.atan2(y, x)) < SECTOR ? (PLANAR.rings.density(x, y) * Math.PI) / SECTOR : 0),
};

export const experiment: Experiment = {
  title: 'What does a flow know that cannot tell directions apart?',
  claim:
    'The likelihood under a rotation-invariant flow depends on the radius only, whatever its weights. So what it learns from a sector of angles holds for all of them, while ' +
    'an ordinary flow gives what it has not seen next to no likelihood.',

  async run({ quick, random, log }: Lab) {
    const budget = quick ? { matching: 150, likelihood: 3, test: 150 } : { matching: 2000, likelihood: 80, test: 2000 };
    const grid: Grid = { cells: quick ? 48 : 120, reach: 3.2 };
    const makers: Record<string, (weights: Weights) => VectorField> = {
      'rotation-invariant': (weights) => rotationInvariant(weights, { dimension: 2, hidden: [48, 48, 48] }),
      ordinary: (weights) => mlp(weights, { dimension: 2, hidden: [48, 48, 48], time: 'gated' }),
    };
    const runs = repeatedly(random, (own, run) => {
      const x = samplePlanar(SEEN, budget.test, own);
      const fitted = Object.entries(makers).map(([name, make]) => {
        const weights = new Weights(own);
        const field = make(weights);
        const batch = () => samplePlanar(SEEN, BATCH, own);
        fitVelocity(field, base, { weights, batch, steps: budget.matching, rate: 0.01 }, own);
        fitLikelihood(cnf(field, TRAINING), base, { weights, batch, steps: budget.likelihood, rate: 2e-3 });
        const flow = cnf(field, { method: { solver: rk4, steps: 24 } });
        const byTurn = Array.from({ length: TURNS }, (_, i) => turned(flow, x, (2 * Math.PI * i) / TURNS));
        log(
          `run ${run + 1} of ${RUNS}, ${name}: seen ${byTurn[0].toFixed(3)}, turned by half a circle ${byTurn[TURNS / 2].toFixed(3)} nats`,
        );
        return { flow, byTurn, around: RADII.map((radius) => variation(flow, radius)), parameters: weights.count };
      });
      x.dispose();
      return { fitted, structural: divergenceError(fitted[0].flow, own) };
    });
    const names = Object.keys(makers);
    const [invariant, ordinary] = names.map((_, f) => f);
    type Fitted = (typeof runs)[number]['fitted'][number];
    const of = (f: number, number: (one: Fitted) => number) => spreadOf(runs, ({ fitted }) => number(fitted[f]));
    const loss = ({ byTurn }: Fitted) => byTurn[0] - byTurn[TURNS / 2];
    const truth = truthOnGrid(SEEN, grid);
    const brightest = truth.reduce((a, b) => Math.max(a, b));
    return {
      configuration: {
        data: `rings, angles within ±${((SECTOR * 180) / Math.PI).toFixed(0)}° of the x axis`,
        fields: 'hidden 48 48 48, gated by time',
        training: `flow matching, ${budget.matching} steps, then maximum likelihood, ${budget.likelihood} steps of ${BATCH}`,
        'solver in training': TRAINING_TOLD,
        'solver in tests': 'RK4, 24 steps',
        'held-out points': budget.test,
        spread: `over ${RUNS} runs`,
      },
      checks: [
        atMost(
          'invariant flow: log-density varies around a circle by at most',
          of(invariant, ({ around }) => Math.max(...around)),
          1e-3,
          'nats',
        ),
        atLeast(
          'ordinary flow: log-density varies around a circle by at least',
          of(ordinary, ({ around }) => Math.min(...around)),
          1,
          'nats',
        ),
        atMost(
          'invariant flow: loss when the data is turned by half a circle',
          of(invariant, (one) => Math.abs(loss(one))),
          1e-3,
          'nats per point',
        ),
        atLeast(
          'ordinary flow: loss when the data is turned by half a circle',
          of(ordinary, loss),
          1,
          'nats per point',
        ),
        atMost(
          'invariant flow: divergence by structure against the exact one',
          spreadOf(runs, ({ structural }) => structural),
          1e-3,
          'nats',
        ),
      ],
      figures: [
        heatMaps(
          'Density',
          `Dark: 0; bright: ${brightest.toPrecision(2)} or more per unit of area. What was seen, and what was learnt from it in the first run.`,
          { x: 'x', y: 'y', unit: 'density' },
          [
            heatMap('data', truth, grid),
            pointMap(
              'data',
              Array.from({ length: 1000 }, () => SEEN.sample(random)),
              grid,
            ),
            ...runs[0].fitted.flatMap(({ flow }, f) => [
              heatMap(names[f], densityOnGrid(flow, base, grid), grid),
              pointMap(`drawn: ${names[f]}`, drawnFrom(flow, base, 1000, random), grid),
            ]),
          ],
          [0, brightest],
        ),
        lines(
          'Held-out data, turned',
          'Mean log-density of held-out points of the sector, turned by an angle. Bars: standard error over runs.',
          { x: { label: 'turned by, degrees' }, y: { label: 'log-density, nats per point' } },
          names.map((name, f) => {
            const spreads = Array.from({ length: TURNS }, (_, i) => of(f, ({ byTurn }) => byTurn[i]));
            return {
              name,
              points: spreads.map((one, i): [number, number] => [(360 * i) / TURNS, one.mean]),
              errors: spreads.map(({ error }) => error),
            };
          }),
        ),
      ],
      tables: [
        {
          title: 'Log-density, nats per point',
          columns: [
            'flow',
            'parameters',
            'as seen',
            'turned by 90°',
            'turned by 180°',
            ...RADII.map((r) => `varies at radius ${r}`),
          ],
          rows: names.map((name, f) => [
            name,
            runs[0].fitted[f].parameters,
            ...[0, TURNS / 4, TURNS / 2].map((i) => of(f, ({ byTurn }) => byTurn[i])),
            ...RADII.map((_, r) => of(f, ({ around }) => around[r])),
          ]),
        },
      ],
      notes: [
        'On the sector itself the ordinary flow is ahead, by about the logarithm of how many times the sector goes into the circle: it may say where the points lie, the invariant one may not. ' +
          'What is left of variation around a circle is float32 rounding along the path.',
      ],
    };
  },
};

/** Mean log-density of points turned around the origin. */
function turned(flow: Cnf, x: tf.Tensor2D, angle: number): number {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return scoped(() =>
    mean(
      logDensities(
        flow,
        base,
        tf.matMul(
          x,
          tf.tensor2d([
            [c, s],
            [-s, c],
          ]),
        ),
      ),
    ),
  );
}

/** Largest less least log-density around a circle. */
function variation(flow: Cnf, radius: number): number {
  const points = Array.from({ length: 90 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 90;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  const found = scoped(() => logDensities(flow, base, tf.tensor2d(points)));
  return Math.max(...found) - Math.min(...found);
}

function divergenceError(flow: Cnf, random: Lab['random']): number {
  return scoped(() => {
    const x = base.sample(200, random);
    const byStructure = cnf(flow.field, { ...flow.options, divergence: 'structure' });
    return tf.max(tf.abs(tf.sub(byStructure.forward(x).logDet, flow.forward(x).logDet))).dataSync()[0];
  });
}
