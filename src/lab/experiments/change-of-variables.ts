/**
 * The instantaneous change of variables: d log p / dt = -div f along a path (Chen et al. 2018, theorem 1). Flows are fitted to planar
 * sets whose densities are known exactly, and what the divergence integral says is held against those and against the Jacobian.
 */

import * as Plot from '@observablehq/plot';
import * as tf from '@tensorflow/tfjs-core';
import { mlp } from '../../../models/fields/mlp.js';
import { Weights } from '../../../models/fields/weights.js';
import { logDensities, standardNormal } from '../../cnf/base.js';
import { fitLikelihood, fitVelocity } from '../../cnf/fit.js';
import { type Cnf, cnf, jacobian } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import { negativeEntropy, PLANAR, type PlanarSet, samplePlanar } from '../data/planar.js';
import { atLeast, atMost, type Check, type Experiment, type Lab, near } from '../experiment.js';
import { colour, type Figure, figure, heatMaps } from '../figures.js';
import { densityOnGrid, drawnFrom, type Grid, heatMap, integral, pointMap, truthOnGrid } from '../plane.js';
import { mean } from '../statistics.js';
import { TRAINING, TRAINING_TOLD } from '../training.js';

const REACH = 3.2;
const STEPS = 40;
/** Points that are drawn beside densities. */
const DOTS = 2000;
const BATCH = 256;
const HIDDEN = [64, 64, 64];
const base = standardNormal(2);

interface Budget {
  readonly matching: number;
  readonly likelihood: number;
  readonly test: number;
  readonly grid: Grid;
  /** Nats that a fitted flow may be behind the truth. */
  readonly behind: number;
}

export const experiment: Experiment = {
  title: 'Is the divergence integral the change of log-density?',
  claim:
    'Along a path of the flow log p changes by minus the integral of the divergence. So a flow fitted to data has a density that integrates ' +
    'to 1, agrees with the determinant of the Jacobian of its map, and comes close to the density that the data were drawn from.',

  async run(lab) {
    const { quick } = lab;
    const names = quick ? ['moons'] : Object.keys(PLANAR);
    const budget: Budget = quick
      ? { matching: 1000, likelihood: 25, test: 1000, grid: { cells: 48, reach: REACH }, behind: 0.3 }
      : { matching: 5000, likelihood: 150, test: 4000, grid: { cells: 120, reach: REACH }, behind: 0.35 };
    const results = names.map((name) => measure(name, PLANAR[name], budget, lab));
    return {
      configuration: {
        field: `MLP, hidden ${HIDDEN.join(' ')}, gated by time`,
        training: `flow matching, ${budget.matching} steps, then maximum likelihood, ${budget.likelihood} steps, ${BATCH} points each`,
        'solver in training': TRAINING_TOLD,
        'solver in tests': `RK4, ${STEPS} steps`,
        'held-out points': budget.test,
        grid: `${budget.grid.cells} x ${budget.grid.cells} on ±${REACH}`,
      },
      checks: results.flatMap(({ checks }) => checks),
      figures: results.flatMap(({ figures }) => figures),
      tables: [
        {
          title: 'Held-out log-density, nats',
          columns: [
            'set',
            'flow',
            'truth',
            'difference (KL divergence)',
            'integral of the density',
            'divergence integral against Jacobian',
          ],
          rows: results.map(({ row }) => row),
        },
      ],
      notes: [
        'What a flow is behind the truth is the Kullback-Leibler divergence of its density from the true one, in nats per point: how well it ' +
          'was fitted, not an error of the formula. The formula is exact: the integral of the density and the determinant show it.',
      ],
    };
  },
};

interface Result {
  readonly checks: Check[];
  readonly figures: Figure[];
  readonly row: (string | number)[];
}

function measure(name: string, set: PlanarSet, budget: Budget, { random, log }: Lab): Result {
  const { grid, test } = budget;
  const flow = fitted(set, budget, random);
  const truth = negativeEntropy(set, 20_000, random);
  const x = samplePlanar(set, test, random);
  const found = mean(logDensities(flow, base, x));
  const total = integral(densityOnGrid(flow, base, grid), grid);
  const apart = determinantError(flow, tf.slice(x, [0, 0], [200, 2]));
  x.dispose();
  log(
    `${name}: ${found.toFixed(3)} nats of ${truth.toFixed(3)}, integral ${total.toFixed(4)}, determinant ${apart.toExponential(1)}`,
  );
  return {
    checks: [
      near(`${name}: the density integrates to`, total, 1, 0.02),
      atMost(`${name}: log-determinant by divergence against by Jacobian`, apart, 2e-3, 'nats'),
      atMost(`${name}: behind the true density`, truth - found, budget.behind, 'nats per point'),
      atLeast(`${name}: behind the true density (never ahead, but for chance)`, truth - found, -0.05, 'nats per point'),
    ],
    figures: [densities(name, set, flow, grid, random), warpedGrid(name, flow)],
    row: [name, found, truth, truth - found, total, apart],
  };
}

function fitted(set: PlanarSet, { matching, likelihood }: Budget, random: Lab['random']): Cnf {
  const weights = new Weights(random);
  const field = mlp(weights, { dimension: 2, hidden: HIDDEN, time: 'gated' });
  const batch = () => samplePlanar(set, BATCH, random);
  fitVelocity(field, base, { weights, batch, steps: matching, rate: 0.01 }, random);
  fitLikelihood(cnf(field, TRAINING), base, { weights, batch, steps: likelihood, rate: 3e-3 });
  return cnf(field, { method: { solver: rk4, steps: STEPS } });
}

/** Largest difference between the divergence integral and log |det| of the Jacobian of the same numerical map, in nats. */
function determinantError(flow: Cnf, x: tf.Tensor2D): number {
  return scoped(() => {
    const { logDet } = flow.forward(x);
    const matrices = jacobian(flow, x).jacobian.arraySync();
    const byDivergence = logDet.dataSync();
    const errors = matrices.map(([[a, b], [c, d]], i) => Math.abs(Math.log(Math.abs(a * d - b * c)) - byDivergence[i]));
    return Math.max(...errors);
  });
}

/** The truth, and the density of what has flown for a part of the time: that of the flow which goes on from there. */
function densities(name: string, set: PlanarSet, flow: Cnf, grid: Grid, random: Lab['random']): Figure {
  const truth = truthOnGrid(set, grid);
  const maps = [0, 0.3, 0.6, 0.95].map((from) => {
    const rest = cnf(flow.field, { ...flow.options, from });
    return heatMap(`flow, t = ${from}`, densityOnGrid(rest, base, grid), grid);
  });
  const brightest = truth.reduce((a, b) => Math.max(a, b));
  return heatMaps(
    `${name}: density over time`,
    `Dark: 0; bright: ${brightest.toPrecision(2)} or more per unit of area. Data at t = 0, the standard normal base at t = 1.`,
    { x: 'x', y: 'y', unit: 'density' },
    [
      heatMap('truth', truth, grid),
      pointMap(
        'data',
        Array.from({ length: DOTS }, () => set.sample(random)),
        grid,
      ),
      ...maps,
      pointMap('drawn from the flow', drawnFrom(flow, base, DOTS, random), grid),
    ],
    [0, brightest],
  );
}

/** Lines of a square grid around the base, carried back to the data. */
function warpedGrid(name: string, flow: Cnf): Figure {
  const [lines, dots, reach] = [13, 121, 2.4];
  const along = (i: number, n: number) => -reach + (2 * reach * i) / (n - 1);
  const marks = [0, 1].flatMap((axis) =>
    Array.from({ length: lines }, (_, line) => {
      const points = Array.from({ length: dots }, (_, i) => {
        const [fixed, running] = [along(line, lines), along(i, dots)];
        return axis === 0 ? [fixed, running] : [running, fixed];
      });
      const carried = scoped(() => flow.inverse(tf.tensor2d(points)).arraySync());
      return Plot.line(carried, { x: '0', y: '1', stroke: colour(axis), strokeWidth: 0.8 });
    }),
  );
  const axes = { domain: [-REACH, REACH], ticks: 7 };
  return figure(
    `${name}: the warped grid`,
    `Lines of equal z1 and z2 in the base, ${((2 * reach) / (lines - 1)).toFixed(1)} apart up to ±${reach}, carried back from t = 1 to the data at t = 0.`,
    { width: 460, height: 460, x: { label: 'x', ...axes }, y: { label: 'y', ...axes }, marks },
    ['z1 constant', 'z2 constant'],
  );
}
