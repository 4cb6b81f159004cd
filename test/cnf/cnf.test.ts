import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { affineSplit } from '../../models/fields/affine-split.js';
import { convolutional } from '../../models/fields/convolutional.js';
import { dual } from '../../models/fields/dual.js';
import { equivariant } from '../../models/fields/equivariant.js';
import type { VectorField } from '../../models/fields/field.js';
import { incompressible } from '../../models/fields/incompressible.js';
import { mlp } from '../../models/fields/mlp.js';
import { rotationInvariant } from '../../models/fields/rotation-invariant.js';
import { Weights } from '../../models/fields/weights.js';
import { batchNorm } from '../../models/layers/batch-norm.js';
import { coupling } from '../../models/layers/coupling.js';
import type { Layer } from '../../models/layers/layer.js';
import { adjointGradients } from '../../src/cnf/adjoint.js';
import { standardNormal } from '../../src/cnf/base.js';
import {
  type DivergenceEstimator,
  divergenceOf,
  exactDivergence,
  hutchinson,
  hutchPlusPlus,
} from '../../src/cnf/divergence.js';
import { fitByAdjoint, fitLikelihood } from '../../src/cnf/fit.js';
import { chain, cnf, jacobian } from '../../src/cnf/flow.js';
import { Controller, INTEGRAL } from '../../src/cnf/solvers/control.js';
import { denseSolve } from '../../src/cnf/solvers/dense.js';
import { DORMAND_PRINCE, dormandPrince } from '../../src/cnf/solvers/dormand-prince.js';
import { EULER, euler } from '../../src/cnf/solvers/euler.js';
import { MIDPOINT, midpoint } from '../../src/cnf/solvers/midpoint.js';
import { reversible } from '../../src/cnf/solvers/reversible.js';
import { RK4, rk4 } from '../../src/cnf/solvers/rk4.js';
import { type Method, solve } from '../../src/cnf/solvers/solve.js';
import type { Dynamics, Solver } from '../../src/cnf/solvers/solver.js';
import { splitting, strang } from '../../src/cnf/solvers/splitting.js';
import { drawMask, masked, stochasticDepth } from '../../src/cnf/stochastic-depth.js';
import { backpropagate, train } from '../../src/cnf/train.js';
import { selectBackend } from '../../src/train/backend.js';
import { Random } from '../../src/train/random.js';

beforeAll(async () => {
  await selectBackend(() => {});
});

function weights(seed: number): Weights {
  const random = new Random(seed);
  return new Weights(random);
}

function points(count: number, dimension: number, seed = 1): tf.Tensor2D {
  const random = new Random(seed);
  return tf.tensor2d(
    Float32Array.from({ length: count * dimension }, () => random.normal()),
    [count, dimension],
  );
}

function furthest(a: tf.Tensor, b: tf.Tensor): number {
  return tf.max(tf.abs(tf.sub(a, b))).dataSync()[0];
}

/** The fields, with weights of size one throughout. */
const FIELDS: Record<string, () => VectorField> = {
  'mlp, shared': () => mlp(weights(2), { dimension: 3, hidden: [16, 16], time: 'shared', outputGain: 1 }),
  'mlp, concatenated': () => mlp(weights(2), { dimension: 3, hidden: [16], time: 'concatenated', outputGain: 1 }),
  'mlp, gated': () => mlp(weights(2), { dimension: 3, hidden: [16, 16], time: 'gated', outputGain: 1 }),
  'mlp, untied': () => mlp(weights(2), { dimension: 3, hidden: [16], time: 'untied', steps: 4, outputGain: 1 }),
  convolutional: () => convolutional(weights(3), { height: 3, width: 2, channels: 2, hidden: [5] }),
  'incompressible, 2-D': () => incompressible(weights(4), { dimension: 2, hidden: 12 }),
  'incompressible, 5-D': () => incompressible(weights(4), { dimension: 5, hidden: 12 }),
  'rotation-invariant': () => rotationInvariant(weights(5), { dimension: 4, hidden: [16] }),
  equivariant: () => equivariant(weights(6), { kinds: [0, 1, 1, 2], space: 3, hidden: 8 }),
  'affine-split': () => affineSplit(weights(7), { dimension: 5, parts: 2, hidden: [12] }),
};

describe.each(Object.entries(FIELDS))('%s', (_name, make) => {
  const t = 0.3;

  test('Jacobian-vector products are the derivatives', () => {
    const field = make();
    const d = field.dimension;
    const x = points(4, d);
    const { directions } = exactDivergence(4, d);
    const { tangents } = field.at(dual(x, directions), t);
    const step = 1 / 256;
    for (let k = 0; k < d; k++) {
      const unit = tf.mul(tf.oneHot(tf.tensor1d([k], 'int32'), d), step);
      const [above, below] = [1, -1].map((sign) => field.at({ value: tf.add(x, tf.mul(unit, sign)) }, t).value);
      const difference = tf.div(tf.sub(above, below), 2 * step);
      expect(furthest(tf.reshape(tf.slice(tangents!, [k, 0, 0], [1, -1, -1]), [4, d]), difference)).toBeLessThan(2e-3);
    }
  });

  test('divergence is the trace of the Jacobian', () => {
    const field = make();
    const d = field.dimension;
    const x = points(6, d);
    const exact = exactDivergence(6, d);
    const { tangents } = field.at(dual(x, exact.directions), t);
    const products = tangents!.arraySync();
    const trace = Array.from({ length: 6 }, (_, b) => [products.reduce((sum, rows, k) => sum + rows[b][k], 0)]);
    expect(furthest(divergenceOf(tangents!, exact), tf.tensor(trace))).toBeLessThan(1e-5);
    if (field.divergence) expect(furthest(field.divergence(x, t), tf.tensor(trace))).toBeLessThan(1e-5);
    const random = new Random(9);
    for (const noise of ['rademacher', 'gaussian'] as const) {
      const probes = hutchinson({ noise, probes: 4000, draws: random })(6, d);
      const estimate = divergenceOf(field.at(dual(x, probes.directions), t).tangents!, probes);
      const norms = products.reduce((sum, rows) => sum + rows.flat().reduce((s, v) => s + v * v, 0), 0) / 6;
      expect(furthest(estimate, tf.tensor(trace))).toBeLessThan(6 * Math.sqrt((2 * Math.max(norms, 0.1) * 3) / 4000));
    }
  });
});

test('Hutch++ is unbiased, exact where its directions are all, and less noisy than as many plain probes where the Jacobian has few', () => {
  const d = 12;
  // A Jacobian of rank two and a little more.
  const random = new Random(3);
  const matrix = tf.tidy(() => {
    const two = tf.mul<tf.Tensor2D>(tf.matMul(points(d, 2, 21), points(2, d, 22)), 1);
    return tf.keep(tf.add<tf.Tensor2D>(two, tf.mul(points(d, d, 23), 0.02)));
  });
  const products = (e: tf.Tensor3D) => tf.reshape<tf.Rank.R3>(tf.matMul(tf.reshape(e, [-1, d]), matrix), e.shape);
  const trace = (matrix.arraySync() as number[][]).reduce((sum, row, i) => sum + row[i], 0);
  const estimates = (estimator: DivergenceEstimator) => {
    const probes = estimator(1000, d, products);
    return divergenceOf(products(probes.directions), probes).dataSync();
  };
  const moments = (values: ArrayLike<number>) => {
    const all = Array.from(values);
    const mean = all.reduce((a, b) => a + b) / all.length;
    return { mean, variance: all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / all.length };
  };
  const plus = moments(estimates(hutchPlusPlus({ rank: 3, probes: 1, draws: random })));
  const plain = moments(estimates(hutchinson({ noise: 'rademacher', probes: 7, draws: random })));
  expect(Math.abs(plus.mean - trace)).toBeLessThan(4 * Math.sqrt(plus.variance / 1000) + 1e-4);
  expect(plus.variance).toBeLessThan(plain.variance / 20);
  const all = moments(estimates(hutchPlusPlus({ rank: d, probes: 1, draws: random })));
  expect(Math.abs(all.mean - trace)).toBeLessThan(1e-3);
  expect(all.variance).toBeLessThan(1e-4);
  expect(() => hutchPlusPlus({ rank: 13, probes: 1, draws: random })(1, d, products)).toThrow('1 to 12 directions');
  expect(() => hutchPlusPlus({ rank: 1, probes: 1, draws: random })(1, d)).toThrow('needs its products');
  // Over a path, with directions found where it begins, and in training.
  const own = weights(4);
  const field = mlp(own, { dimension: 4, hidden: [8], time: 'gated', outputGain: 4 });
  const x = tf.tile<tf.Tensor2D>(points(1, 4), [300, 1]);
  const flowOf = (divergence: DivergenceEstimator) => cnf(field, { method: { solver: rk4, steps: 4 }, divergence });
  const logs = moments(
    flowOf(hutchPlusPlus({ rank: 2, probes: 1, draws: random }))
      .forward(x)
      .logDet.dataSync(),
  );
  const exact = flowOf(exactDivergence)
    .forward(tf.slice(x, [0, 0], [1, 4]))
    .logDet.dataSync()[0];
  expect(Math.abs(logs.mean - exact)).toBeLessThan(4 * Math.sqrt(logs.variance / 300) + 1e-4);
  const flow = flowOf(hutchPlusPlus({ rank: 2, probes: 1, draws: random }));
  const losses = fitLikelihood(flow, standardNormal(4), {
    weights: own,
    batch: () => tf.mul(points(32, 4, 5), 0.3),
    steps: 12,
    rate: 0.02,
  });
  expect(losses.at(-1)).toBeLessThan(losses[0] - 0.1);
});

test('the divergence of incompressible fields is 0', () => {
  for (const name of ['incompressible, 2-D', 'incompressible, 5-D']) {
    const field = FIELDS[name]();
    const exact = exactDivergence(50, field.dimension);
    const { tangents } = field.at(dual(points(50, field.dimension), exact.directions), 0.7);
    expect(tf.max(tf.abs(divergenceOf(tangents!, exact))).dataSync()[0]).toBeLessThan(1e-5);
  }
});

describe('symmetries', () => {
  const random = new Random(11);

  /** A random rotation of R^3 from a unit quaternion. */
  function rotation(): tf.Tensor2D {
    const q = Array.from({ length: 4 }, () => random.normal());
    const n = Math.hypot(...q);
    const [w, x, y, z] = q.map((v) => v / n);
    return tf.tensor2d([
      [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
      [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
      [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]);
  }

  test('an equivariant field turns with its points and does not care for their numbers', () => {
    const field = FIELDS.equivariant();
    const x = points(5, 12);
    const turn = rotation();
    const turned = (p: tf.Tensor2D) => tf.reshape(tf.matMul(tf.reshape(p, [-1, 3]), turn), [-1, 12]) as tf.Tensor2D;
    const swapped = (p: tf.Tensor2D) =>
      tf.concat(
        [0, 2, 1, 3].map((i) => tf.slice(p, [0, 3 * i], [-1, 3])),
        1,
      ) as tf.Tensor2D;
    const at = (p: tf.Tensor2D) => field.at({ value: p }, 0.4).value;
    expect(furthest(at(turned(x)), turned(at(x)))).toBeLessThan(1e-5);
    expect(furthest(at(swapped(x)), swapped(at(x)))).toBeLessThan(1e-5);
    expect(furthest(tf.sum(tf.reshape(at(x), [5, 4, 3]), 1), tf.zeros([5, 3]))).toBeLessThan(1e-5);
    // Points of different kinds may not be swapped.
    const mixed = tf.concat(
      [1, 0, 2, 3].map((i) => tf.slice(x, [0, 3 * i], [-1, 3])),
      1,
    ) as tf.Tensor2D;
    const back = tf.concat(
      [1, 0, 2, 3].map((i) => tf.slice(at(x), [0, 3 * i], [-1, 3])),
      1,
    );
    expect(furthest(at(mixed), back)).toBeGreaterThan(1e-3);
  });

  test('the density of a rotation-invariant flow is one of the radius', () => {
    const flow = cnf(rotationInvariant(weights(5), { dimension: 2, hidden: [16] }), {
      method: { solver: rk4, steps: 8 },
    });
    const angles = Array.from({ length: 12 }, (_, i) => (i * Math.PI) / 6);
    const circle = tf.tensor2d(angles.map((a) => [1.5 * Math.cos(a), 1.5 * Math.sin(a)]));
    const { y, logDet } = flow.forward(circle);
    const density = tf.add(standardNormal(2).logDensity(y), logDet);
    expect(furthest(density, tf.mean(density))).toBeLessThan(1e-5);
  });
});

describe('solvers', () => {
  /** dx/dt = a(t) x with a = cos(3 t): x(1) = x(0) exp(sin(3) / 3). As parts: a x = (a - 1) x + x. */
  const dynamics: Dynamics = {
    derivative: (t, [x]) => [tf.mul(x, typeof t === 'number' ? Math.cos(3 * t) : tf.cos(tf.mul(t, 3)))],
  };

  /** The pendulum in two exactly solvable parts: x' = v, v' = -sin x. */
  const pendulum: Dynamics = {
    derivative: (_t, [x, v]) => [v, tf.neg(tf.sin(x))],
    parts: [(_t, [x, v], h) => [tf.add(x, tf.mul(v, h)), v], (_t, [x, v], h) => [x, tf.sub(v, tf.mul(tf.sin(x), h))]],
  };

  /** Least-squares slope of log error against log h. */
  function order(
    solver: Solver,
    system: Dynamics,
    start: readonly tf.Tensor[],
    reference: number,
    counts: number[],
  ): number {
    const logs = counts.map((steps) => {
      const end = solve(system, start, { solver, steps }).state[0].dataSync()[0];
      return [Math.log(1 / steps), Math.log(Math.abs(end - reference))];
    });
    const mean = (k: number) => logs.reduce((sum, pair) => sum + pair[k], 0) / logs.length;
    const [mx, my] = [mean(0), mean(1)];
    const top = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
    return top / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  }

  test.each([
    [euler, [16, 32, 64, 128]],
    [midpoint, [8, 16, 32, 64]],
    [reversible, [8, 16, 32, 64]],
    [rk4, [2, 3, 4, 6]],
    [dormandPrince, [1, 2, 3]],
  ] as [Solver, number[]][])('$name has its order', (solver, counts) => {
    const found = order(solver, dynamics, [tf.scalar(1)], Math.exp(Math.sin(3) / 3), counts);
    expect(found).toBeGreaterThan(solver.order - 0.35);
    expect(found).toBeLessThan(solver.order + 1.2);
  });

  test.each([splitting, strang])('$name has its order', (solver) => {
    const start = [tf.scalar(1), tf.scalar(0.5)];
    const reference = solve(pendulum, start, { solver: rk4, steps: 64 }).state[0].dataSync()[0];
    const found = order(solver, pendulum, start, reference, [8, 16, 32, 64]);
    expect(Math.abs(found - solver.order)).toBeLessThan(0.3);
  });

  test.each([EULER, MIDPOINT, RK4, DORMAND_PRINCE])('the tableau of $name is consistent', ({ a, b, c }) => {
    expect(b.reduce((x, y) => x + y)).toBeCloseTo(1, 12);
    for (const [s, row] of a.entries()) expect(row.reduce((x, y) => x + y, 0)).toBeCloseTo(c[s], 12);
  });

  test('steps of its own for each point: a path does not depend on the batch, and stiff points do not slow others down', () => {
    // dx/dt = -c x, c a second coordinate that stays.
    const rates = [0.1, 1, 5, 40];
    const decay: Dynamics = {
      derivative(_t, [x]) {
        const [value, rate] = tf.split(x, 2, 1);
        return [tf.concat([tf.neg(tf.mul(value, rate)), tf.zerosLike(rate)], 1)];
      },
    };
    const method = { tolerance: 1e-5, each: true };
    const at = (own: readonly number[]) => tf.tensor2d(own.map((rate) => [1, rate]));
    const together = solve(decay, [at(rates)], method);
    const found = (together.state[0].arraySync() as number[][]).map(([value]) => value);
    for (const [i, rate] of rates.entries()) {
      expect(Math.abs(found[i] - Math.exp(-rate))).toBeLessThan(1e-4);
      const alone = solve(decay, [at([rate])], method);
      expect(alone.state[0].dataSync()[0]).toBe(found[i]);
      expect(alone.steps).toBeLessThanOrEqual(together.steps);
    }
    expect(solve(decay, [at([0.1])], method).steps * 3).toBeLessThan(together.steps);
    const back = solve(decay, [at([0.1, 1])], method, { from: 1, to: 0 });
    expect((back.state[0].arraySync() as number[][])[1][0]).toBeCloseTo(Math.E, 3);
    expect(together.evaluations).toBe(7 * Math.round(together.evaluations / 7));
  });

  test('the density of a point is the same alone and in a batch, with steps of its own; not so with steps for all', () => {
    const random = new Random(5);
    const field = mlp(new Weights(random), { dimension: 3, hidden: [16], time: 'gated', outputGain: 8 });
    const x = tf.tensor2d(Array.from({ length: 12 }, () => [random.normal(), 2 * random.normal(), random.normal()]));
    const differ = (each: boolean) => {
      const flow = cnf(field, { method: { tolerance: 1e-3, each } });
      const whole = flow.forward(x).logDet.dataSync();
      return Array.from(whole, (log, i) =>
        Math.abs(flow.forward(tf.slice(x, [i, 0], [1, 3])).logDet.dataSync()[0] - log),
      );
    };
    expect(Math.max(...differ(true))).toBe(0);
    expect(Math.max(...differ(false))).toBeGreaterThan(0);
    const flow = cnf(field, { method: { tolerance: 1e-5, each: true } });
    const fine = cnf(field, { method: { solver: rk4, steps: 60 } });
    expect(furthest(flow.forward(x).logDet, fine.forward(x).logDet)).toBeLessThan(1e-3);
    const [own, other] = [flow, fine].map((layer) => jacobian(layer, x).jacobian);
    expect(furthest(own, other)).toBeLessThan(1e-3);
  });

  test('a path is known between the ends of steps, to the fourth order, in values and slopes, both ways', () => {
    const exact = (t: number) => Math.exp(Math.sin(3 * t) / 3);
    const times = Array.from({ length: 41 }, (_, i) => i / 40);
    const worst = [1e-2, 1e-6].map((tolerance) => {
      const path = denseSolve(dynamics, [tf.scalar(1)], { tolerance });
      const errors = times.map((t) => Math.abs(path.at(t)[0].dataSync()[0] - exact(t)));
      expect(path.at(1)[0].dataSync()[0]).toBeCloseTo(path.state[0].dataSync()[0], 6);
      expect(path.evaluations).toBe(1 + 6 * (path.steps + path.rejected));
      path.dispose();
      return Math.max(...errors);
    });
    expect(worst[0]).toBeLessThan(2e-2);
    expect(worst[1]).toBeLessThan(2e-5);
    const back = denseSolve(dynamics, [tf.scalar(exact(1))], { tolerance: 1e-6, from: 1, to: 0 });
    for (const t of times) expect(Math.abs(back.at(t)[0].dataSync()[0] - exact(t))).toBeLessThan(3e-5);
    expect(() => back.at(1.1)).toThrow('from 1 to 0, not at 1.1');
    // One long step: the polynomial's error falls as its fifth power where steps halve.
    const single = (h: number) => {
      const path = denseSolve(dynamics, [tf.scalar(1)], { tolerance: 1e9, to: 10 * h });
      const error = Math.abs(path.at(0.4 * h)[0].dataSync()[0] - exact(0.4 * h));
      path.dispose();
      return error;
    };
    expect(single(0.8) / single(0.4)).toBeGreaterThan(12);
    const before = tf.memory().numTensors;
    const state = [tf.scalar(1)];
    const path = denseSolve(dynamics, state, { tolerance: 1e-4 });
    tf.dispose([...state, ...(path.state as tf.Tensor[])]);
    path.dispose();
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(2);
  });

  test('a controller with memory keeps the tolerance, and remembers only what was accepted', () => {
    const control = { p: 0.2, i: 0.4, d: 0 };
    const { state, rejected, evaluations } = solve(dynamics, [tf.scalar(1)], { tolerance: 1e-6, control });
    expect(Math.abs(state[0].dataSync()[0] - Math.exp(Math.sin(3) / 3))).toBeLessThan(1e-5);
    expect(rejected).toBeLessThan(evaluations / 6);
    const [integral, pi] = [INTEGRAL, control].map((kind) => new Controller(kind));
    expect(integral.factor(1 / 32)).toBeCloseTo(0.9 * 2, 10);
    expect(integral.factor(32)).toBeCloseTo(0.9 / 2, 10);
    expect(integral.factor(Number.NaN)).toBe(0.2);
    const first = pi.factor(1 / 32);
    expect(first).toBeCloseTo(0.9 * 32 ** (0.6 / 5), 10);
    pi.factor(99);
    expect(pi.factor(1 / 32)).toBeCloseTo(0.9 * 32 ** (0.6 / 5) * 32 ** (-0.2 / 5), 10);
  });

  test('the adaptive method holds its tolerance, both ways, and counts its evaluations', () => {
    let calls = 0;
    const counted: Dynamics = {
      derivative(t, state) {
        calls++;
        return dynamics.derivative(t, state);
      },
    };
    const reference = Math.exp(Math.sin(3) / 3);
    const forward = solve(counted, [tf.scalar(1)], { tolerance: 1e-6 });
    expect(Math.abs(forward.state[0].dataSync()[0] - reference)).toBeLessThan(1e-5);
    expect(forward.evaluations).toBe(calls);
    expect(forward.evaluations).toBe(1 + 6 * (forward.steps + forward.rejected));
    const backward = solve(counted, forward.state, { tolerance: 1e-6 }, { from: 1, to: 0 });
    expect(Math.abs(backward.state[0].dataSync()[0] - 1)).toBeLessThan(1e-5);
  });

  test.each([splitting, strang])('$name backward undoes it forward', (solver) => {
    const start = [tf.scalar(1), tf.scalar(0.5)];
    const { state } = solve(pendulum, start, { solver, steps: 3 });
    const back = solve(pendulum, state, { solver, steps: 3 }, { from: 1, to: 0 }).state;
    expect(furthest(back[0], start[0])).toBeLessThan(1e-6);
  });

  test('the reversible method runs back from its carry without error but rounding', () => {
    const start = [tf.scalar(1), tf.scalar(0.5)];
    const method = { solver: reversible, steps: 3 };
    const { carry } = solve(pendulum, start, method);
    const back = solve(pendulum, [], method, { from: 1, to: 0, carry }).state;
    expect(furthest(back[0], start[0])).toBeLessThan(1e-6);
  });

  test.each([
    ['rk4', { solver: rk4, steps: 20 }],
    ['reversible', { solver: reversible, steps: 20 }],
    ['adaptive', { tolerance: 1e-6 }],
  ] as [string, Method][])('%s keeps no step but the last', (_name, method) => {
    const start = [tf.scalar(1), tf.scalar(0.5)];
    const before = tf.memory().numTensors;
    const { state } = solve(pendulum, start, method);
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(6);
    expect([...start, ...state].every((tensor) => !tensor.isDisposed)).toBe(true);
  });

  test('what is wrong is said', () => {
    const start = [tf.scalar(1)];
    expect(() => solve(dynamics, start, { solver: rk4, steps: 0 })).toThrow('1 or more, not 0');
    expect(() => solve(dynamics, start, { tolerance: 0 })).toThrow('above 0, not 0');
    expect(() => solve(dynamics, start, { solver: splitting, steps: 1 })).toThrow('an affine-split one');
    const split = affineSplit(weights(1), { dimension: 2, hidden: [4] });
    const penalized = cnf(split, { method: { solver: splitting, steps: 1 }, kinetic: 1 });
    expect(() => penalized.forward(points(2, 2))).toThrow('not the splitting method');
    const conditional = mlp(weights(1), { dimension: 2, hidden: [4], time: 'shared', context: 3 });
    for (const field of [split, conditional]) {
      const flow = cnf(field, { method: { solver: rk4, steps: 1 } });
      const context = field === split ? points(2, 3) : undefined;
      const message = field === split ? 'a context of 0 numbers, not 3' : 'a context of 3 numbers, not 0';
      expect(() => flow.forward(points(2, 2), context)).toThrow(message);
      expect(() => flow.inverse(points(2, 2), context)).toThrow(message);
    }
    expect(() => mlp(weights(1), { dimension: 2, hidden: [4], time: 'untied' })).toThrow('1 or more steps');
    expect(() => incompressible(weights(1), { dimension: 1, hidden: 4 })).toThrow('2 or more dimensions, not 1');
    expect(() => affineSplit(weights(1), { dimension: 2, parts: 3, hidden: [4] })).toThrow('2 to 2 parts, not 3');
    expect(() => rotationInvariant(weights(1), { dimension: 3, hidden: [4] })).toThrow('even dimension, not 3');
  });
});

/** log |det| of a matrix by Gaussian elimination. */
function logDeterminant(matrix: number[][]): number {
  const rows = matrix.map((row) => [...row]);
  let sum = 0;
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows
      .slice(i)
      .reduce((best, row, k) => (Math.abs(row[i]) > Math.abs(rows[best][i]) ? i + k : best), i);
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    sum += Math.log(Math.abs(rows[i][i]));
    for (let r = i + 1; r < rows.length; r++) {
      const factor = rows[r][i] / rows[i][i];
      for (let c = i; c < rows.length; c++) rows[r][c] -= factor * rows[i][c];
    }
  }
  return sum;
}

const method = { solver: rk4, steps: 16 };
const LAYERS: Record<string, () => Layer> = {
  'coupling, even': () => coupling(weights(12), { dimension: 3, hidden: [8], parity: 0 }),
  'coupling, odd': () => coupling(weights(12), { dimension: 3, hidden: [8], parity: 1 }),
  'batch norm': () => {
    const layer = batchNorm(weights(13), { dimension: 3 });
    for (let i = 0; i < 5; i++) layer.observe(tf.add(tf.mul(points(40, 3, 20 + i), [1, 2, 5]), [0, 1, -4]));
    return layer;
  },
  cnf: () => cnf(FIELDS['mlp, gated'](), { method }),
  'cnf by splitting': () =>
    cnf(affineSplit(weights(7), { dimension: 3, hidden: [8] }), { method: { solver: splitting, steps: 3 } }),
  'cnf by structure': () =>
    cnf(affineSplit(weights(7), { dimension: 3, hidden: [8] }), { method, divergence: 'structure' }),
};
LAYERS.chain = () =>
  chain(
    Object.values(LAYERS)
      .slice(0, 4)
      .map((make) => make()),
  );

describe.each(Object.entries(LAYERS))('layer: %s', (_name, make) => {
  test('inverse undoes forward, and log |det| is that of the Jacobian', () => {
    const layer = make();
    const x = points(5, 3);
    const { y, logDet } = layer.forward(x);
    expect(furthest(layer.inverse(y), x)).toBeLessThan(2e-5);
    const { y: mapped, jacobian: matrices } = jacobian(layer, x);
    expect(furthest(mapped, y)).toBeLessThan(1e-5);
    const exact = tf.tensor2d(matrices.arraySync().map((matrix) => [logDeterminant(matrix)]));
    expect(furthest(exact, logDet)).toBeLessThan(2e-4);
  });
});

test('an affine-split field may depend on a context: its split flow is exact, invertible, and another one for another context', () => {
  const field = affineSplit(weights(7), { dimension: 3, hidden: [12], context: 2 });
  const context = points(5, 2, 8);
  const x = points(5, 3, 9);
  for (const solver of [splitting, strang]) {
    const flow = cnf(field, { method: { solver, steps: 4 } });
    const { y, logDet } = flow.forward(x, context);
    expect(furthest(flow.inverse(y, context), x)).toBeLessThan(1e-5);
    const matrices = jacobian(flow, x, context).jacobian.arraySync();
    const logs = logDet.dataSync();
    for (const [i, [[a, b, c], [d, e, f], [g, h, k]]] of matrices.entries())
      expect(Math.log(Math.abs(a * (e * k - f * h) - b * (d * k - f * g) + c * (d * h - e * g)))).toBeCloseTo(
        logs[i],
        4,
      );
    expect(furthest(flow.forward(x, tf.neg(context)).y, y)).toBeGreaterThan(1e-3);
    expect(() => flow.forward(x)).toThrow('a context of 2 numbers, not 0');
  }
  const structural = cnf(field, { method: { solver: rk4, steps: 8 }, divergence: 'structure' });
  const exact = cnf(field, { method: { solver: rk4, steps: 8 } });
  expect(furthest(structural.forward(x, context).logDet, exact.forward(x, context).logDet)).toBeLessThan(1e-5);
});

test('splitting gives the log |det| of the flow itself, and its exact inverse', () => {
  const field = affineSplit(weights(7), { dimension: 3, hidden: [8] });
  const x = points(5, 3);
  const exact = cnf(field, { method, divergence: 'structure' }).forward(x);
  const split = cnf(field, { method: { solver: strang, steps: 64 } });
  const { y, logDet } = split.forward(x);
  expect(furthest(y, exact.y)).toBeLessThan(1e-3);
  expect(furthest(logDet, exact.logDet)).toBeLessThan(1e-3);
  expect(furthest(split.inverse(y), x)).toBeLessThan(1e-5);
});

describe('training', () => {
  const options = { dimension: 2, hidden: [12], time: 'gated', outputGain: 1 } as const;
  const base = standardNormal(2);

  test('the adjoint method finds the gradient of backpropagation through the solver', () => {
    const set = weights(14);
    const field = mlp(set, options);
    const x = points(20, 2);
    const loss = (y: tf.Tensor, logDet: tf.Tensor): tf.Scalar =>
      tf.mul(tf.sum(tf.add(base.logDensity(y as tf.Tensor2D), logDet)), -1 / 20);
    const method = { solver: rk4, steps: 20 };
    const flow = cnf(field, { method, from: 0.2 });
    const through = backpropagate(set.variables, () => {
      const { y, logDet } = flow.forward(x);
      return loss(y, logDet);
    });
    const { dynamics, start } = flow.problem(x);
    const adjoint = adjointGradients(
      dynamics,
      set.variables,
      start,
      method,
      ([y, logDet]) => loss(y, logDet),
      flow.options.from,
    );
    expect(adjoint.loss).toBeCloseTo(through.loss, 5);
    for (const [i, gradient] of through.gradients.entries()) {
      expect(furthest(gradient, adjoint.gradients[i])).toBeLessThan(1e-4);
    }
  });

  test('gradients are those of finite differences', () => {
    const set = weights(15);
    const flow = cnf(mlp(set, options), { method: { solver: midpoint, steps: 4 }, kinetic: 0.1, jacobian: 0.1 });
    const x = points(8, 2);
    const loss = () => {
      const { y, logDet, penalty } = flow.forward(x);
      return tf.sum(tf.sub(penalty!, tf.add(base.logDensity(y), logDet))) as tf.Scalar;
    };
    const { gradients } = backpropagate(set.variables, loss);
    const variable = set.variables[0];
    const values = variable.dataSync().slice();
    for (let k = 0; k < 4; k++) {
      const shifted = [1, -1].map((sign) => {
        const moved = values.slice();
        moved[k] += sign / 256;
        variable.assign(tf.tensor(moved, variable.shape));
        return loss().dataSync()[0];
      });
      expect(gradients[0].dataSync()[k]).toBeCloseTo((shifted[0] - shifted[1]) * 128, 1);
      variable.assign(tf.tensor(values, variable.shape));
    }
  });

  test.each([
    ['equal steps', { solver: rk4, steps: 4 }],
    ['adaptive steps', { tolerance: 1e-3 }],
  ])(
    'fitted by the adjoint method or through the solver, a flow is the same: %s',
    (_name, method) => {
      const x = tf.mul<tf.Tensor2D>(points(64, 2), [0.3, 2]);
      const [through, adjoint] = [fitLikelihood, fitByAdjoint].map((fitted) => {
        const set = weights(17);
        const flow = cnf(mlp(set, options), { method, kinetic: 0.1 });
        return fitted(flow, base, { weights: set, batch: () => x.clone(), steps: 8, rate: 0.03 });
      });
      expect(through[7]).toBeLessThan(through[0] - 0.05);
      for (const [i, loss] of through.entries()) expect(adjoint[i]).toBeCloseTo(loss, 2);
    },
    60_000,
  );

  test('penalties make paths shorter and Jacobians smaller', () => {
    const x = tf.mul<tf.Tensor2D>(points(64, 2), [0.3, 2]);
    const energies = ['kinetic', 'jacobian'].map((penalty) =>
      [0, 1].map((weight) => {
        const set = weights(17);
        const field = mlp(set, options);
        const method = { solver: midpoint, steps: 4 };
        const flow = cnf(field, { method, [penalty]: weight });
        fitLikelihood(flow, base, { weights: set, batch: () => x.clone(), steps: 25, rate: 0.03 });
        const measured = cnf(field, { method, [penalty]: 1 }).forward(x).penalty!;
        return tf.mean(measured).dataSync()[0];
      }),
    );
    for (const [without, penalized] of energies) expect(penalized).toBeLessThan(0.8 * without);
  }, 60_000);

  test('Adam takes the steps of its definition, clipped, and leaves no tensor behind', () => {
    const [start, steps, rate] = [[3, -200, 0.5], 5, 0.1];
    const variable = tf.variable(tf.tensor2d([start]));
    const before = tf.memory().numTensors;
    train({
      variables: [variable],
      steps,
      rate,
      gradients: () => backpropagate([variable], () => tf.sum(tf.mul(tf.mul(variable, variable), 0.5))),
    });
    expect(tf.memory().numTensors).toBe(before);
    // Kingma, Ba 2015, in 64 bits: the gradient of |x|²/2 is x.
    const [x, m, v] = [[...start], [0, 0, 0], [0, 0, 0]];
    for (let step = 0; step < steps; step++) {
      const clip = Math.min(1, 1 / Math.hypot(...x));
      const now = rate * 0.5 * (1 + Math.cos((Math.PI * step) / steps));
      for (const [k, slope] of x.map((value) => value * clip).entries()) {
        m[k] = 0.9 * m[k] + 0.1 * slope;
        v[k] = 0.99 * v[k] + 0.01 * slope * slope;
        const unbiased = [m[k] / (1 - 0.9 ** (step + 1)), Math.sqrt(v[k] / (1 - 0.99 ** (step + 1)))];
        x[k] -= (now * unbiased[0]) / unbiased[1];
      }
    }
    for (const [k, value] of Array.from(variable.dataSync()).entries())
      expect(Math.abs(value - x[k])).toBeLessThan(1e-4);
  });

  test('a loss falls', () => {
    const set = weights(16);
    const flow = cnf(mlp(set, options), { method: { solver: midpoint, steps: 4 } });
    const x = tf.mul<tf.Tensor2D>(points(64, 2), [0.3, 2]);
    const losses = train({
      variables: set.variables,
      steps: 30,
      rate: 0.02,
      gradients: () =>
        backpropagate(set.variables, () => {
          const { y, logDet } = flow.forward(x);
          return tf.mul(tf.sum(tf.add(base.logDensity(y), logDet)), -1 / 64);
        }),
    });
    expect(losses[29]).toBeLessThan(losses[0] - 0.2);
  });
});

describe('stochastic depth', () => {
  const split = (method: Method) => cnf(affineSplit(weights(7), { dimension: 3, hidden: [8] }), { method });
  const fixed = () => split({ solver: splitting, steps: 4 });

  test('a mask of ones is the flow itself, one of zeros the identity', () => {
    const flow = fixed();
    const x = points(5, 3);
    const { y, logDet } = flow.forward(x);
    const whole = masked(flow, [1, 1, 1, 1]).forward(x);
    expect(furthest(whole.y, y)).toBe(0);
    expect(furthest(whole.logDet, logDet)).toBe(0);
    const none = masked(flow, [0, 0, 0, 0]).forward(x);
    expect(furthest(none.y, x)).toBe(0);
    expect(furthest(none.logDet, tf.zeros([5, 1]))).toBe(0);
  });

  test('what a mask leaves is invertible, by any solver', () => {
    const x = points(5, 3);
    const flow = fixed();
    const free = cnf(FIELDS['mlp, gated'](), { method: { solver: rk4, steps: 12 } });
    for (const [whole, mask] of [
      [flow, [2, 0, 0, 1]],
      [free, Array.from({ length: 12 }, (_, i) => Math.sign(i % 3))],
    ] as const) {
      const layer = masked(whole, mask);
      const { y, logDet } = layer.forward(x);
      expect(furthest(y, whole.forward(x).y)).toBeGreaterThan(1e-3);
      expect(furthest(layer.inverse(y), x)).toBeLessThan(1e-4);
      if (whole === free) {
        const exact = jacobian(layer, x).jacobian.arraySync();
        expect(furthest(tf.tensor2d(exact.map((m) => [logDeterminant(m)])), logDet)).toBeLessThan(1e-3);
      }
    }
  });

  test('as many steps are left out as the rate says, and the others count for them', () => {
    const draws = new Random(3);
    const mask = drawMask(10_000, 0.25, draws);
    expect(mask.filter((factor) => factor === 0).length / 10_000).toBeCloseTo(0.25, 1);
    expect(mask.reduce((a, b) => a + b) / 10_000).toBeCloseTo(1, 1);
    const layer = stochasticDepth(fixed(), { rate: 0.5, draws });
    const x = points(5, 3);
    const found = Array.from({ length: 8 }, () => layer.forward(x).y.dataSync().join());
    expect(new Set(found).size).toBeGreaterThan(2);
  });

  test('what is wrong is said', () => {
    const draws = new Random(3);
    expect(() => drawMask(4, 1, draws)).toThrow('0 to less than 1, not 1');
    expect(() => masked(fixed(), [1, 1])).toThrow('2 factors for 4 steps');
    const remembering = split({ solver: reversible, steps: 4 });
    expect(() => stochasticDepth(remembering, { rate: 0.5, draws })).toThrow("not those of 'reversible'");
    expect(() => stochasticDepth(split({ tolerance: 1e-3 }), { rate: 0.5, draws })).toThrow('not a tolerance');
  });
});
