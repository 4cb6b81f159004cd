/** Continuous normalizing flows and chains of layers: from data at t = 0 to the base distribution at t = 1. */

import * as tf from '@tensorflow/tfjs-core';
import type { SplitField } from '../../models/fields/affine-split.js';
import { add, type Dual, dual, exp, mul } from '../../models/fields/dual.js';
import { checkContext, type Time, type VectorField } from '../../models/fields/field.js';
import type { Layer, Mapped } from '../../models/layers/layer.js';
import {
  type DivergenceEstimator,
  divergenceOf,
  exactDivergence,
  type JacobianProducts,
  jacobianNorm,
  type Probes,
} from './divergence.js';
import { type Method, type Solution, type SolveOptions, solve } from './solvers/solve.js';
import type { Dynamics, State } from './solvers/solver.js';

/** How a vector field becomes a flow. */
export interface FlowOptions {
  /** How to integrate. */
  readonly method: Method;
  /** Where in time the block begins; 0 without, for a flow of which a part is wanted. It ends at 1. */
  readonly from?: number;
  /** How the divergence is found; `structure` asks the field itself. Exact without. */
  readonly divergence?: DivergenceEstimator | 'structure';
  /** Weight of the integral of |f|^2 in the penalty (Finlay et al. 2020, RNODE); 0 without. */
  readonly kinetic?: number;
  /** Weight of the integral of the Jacobian's squared Frobenius norm in the penalty (likewise); 0 without. */
  readonly jacobian?: number;
}

export interface CnfMapped extends Mapped {
  /** The solver's account of the path. */
  readonly solution: Solution;
}

/** A flow's initial value problem: its right-hand side, and where it starts from. */
export interface Problem {
  readonly dynamics: Dynamics;
  /** The points [B, D], log |det| = 0 [B, 1] and, for a flow with penalties, their sum 0 [B, 1]. */
  readonly start: State;
}

/** A continuous normalizing flow: a block that integrates a vector field. */
export interface Cnf extends Layer {
  readonly field: VectorField;
  readonly options: FlowOptions;
  forward(x: tf.Tensor2D, context?: tf.Tensor2D): CnfMapped;
  /** What `forward` integrates; with probes drawn anew, if the divergence is estimated. */
  problem(x: tf.Tensor2D, context?: tf.Tensor2D): Problem;
  /** The path alone, without log-density. */
  path(x: tf.Tensor2D, solve?: SolveOptions, context?: tf.Tensor2D): Solution;
}

/**
 * The flow of a vector field from data at t = 0 to the base distribution at t = 1 (Chen et al. 2018; Grathwohl et al. 2019). Its
 * log-determinant is the integral of the divergence along the path, with the solver's error; that of a splitting method is exact.
 */
export function cnf(field: VectorField, options: FlowOptions): Cnf {
  const { method, from = 0, divergence = exactDivergence } = options;
  const path = (x: tf.Tensor2D, along: SolveOptions = {}, context?: tf.Tensor2D) =>
    solve(pathDynamics(field, context), [x], method, { from, ...along });
  const problem = (x: tf.Tensor2D, context?: tf.Tensor2D): Problem => {
    const products: JacobianProducts = (directions) => field.at(dual(x, directions), from, context).tangents!;
    const probes = divergence === 'structure' ? undefined : divergence(x.shape[0], field.dimension, products);
    const zeros = tf.zeros<tf.Rank.R2>([x.shape[0], 1]);
    const penalized = options.kinetic || options.jacobian;
    return {
      dynamics: densityDynamics(field, probes, options, context),
      start: penalized ? [x, zeros, zeros] : [x, zeros],
    };
  };
  return {
    field,
    options,
    path,
    problem,
    forward(x, context) {
      const { dynamics, start } = problem(x, context);
      const solution = solve(dynamics, start, method, { from });
      const [y, logDet, penalty] = solution.state as tf.Tensor2D[];
      return { y, logDet, penalty, solution };
    },
    map(x, context) {
      if (!x.tangents) return { value: path(x.value, {}, context).state[0] as tf.Tensor2D };
      const [value, tangents] = solve(dualDynamics(field, context), [x.value, x.tangents], method, { from }).state;
      return { value: value as tf.Tensor2D, tangents: tangents as tf.Tensor3D };
    },
    inverse: (y, context) => path(y, { from: 1, to: from }, context).state[0] as tf.Tensor2D,
  };
}

/** dx/dt = f. */
export function pathDynamics(field: VectorField, context?: tf.Tensor2D): Dynamics {
  checkContext(field, context);
  return {
    derivative: (t, [x]) => [field.at(dual(x as tf.Tensor2D), t, context).value],
    parts: splitParts(field, context),
  };
}

/** The variational equation: with x go the Jacobian's products dJ/dt = df/dx J. */
function dualDynamics(field: VectorField, context: tf.Tensor2D | undefined): Dynamics {
  checkContext(field, context);
  return {
    derivative(t, [x, tangents]) {
      const moved = field.at(dual(x as tf.Tensor2D, tangents as tf.Tensor3D), t, context);
      return [moved.value, moved.tangents!];
    },
    parts: splitSteps(field, context)?.map((step) => (t, [x, tangents], h) => {
      const { moved } = step(t, dual(x as tf.Tensor2D, tangents as tf.Tensor3D), h);
      return [moved.value, moved.tangents!];
    }),
  };
}

/** With x go log |det| (its derivative is the divergence: Chen et al. 2018, theorem 1) and, if there is a third, the penalty. */
function densityDynamics(
  field: VectorField,
  probes: Probes | undefined,
  { kinetic = 0, jacobian = 0 }: Pick<FlowOptions, 'kinetic' | 'jacobian'>,
  context?: tf.Tensor2D,
): Dynamics {
  checkContext(field, context);
  return {
    derivative(t, [point, , penalty]) {
      const x = point as tf.Tensor2D;
      const { value, tangents } = field.at(dual(x, probes?.directions), t, context);
      const found = probes ? divergenceOf(tangents!, probes) : structural(field, x, t, context);
      if (!penalty) return [value, found];
      const energy = tf.mul(tf.sum<tf.Tensor2D>(tf.mul(value, value), 1, true), kinetic);
      return [value, found, jacobian ? tf.add(energy, tf.mul(jacobianNorm(tangents!, probes!), jacobian)) : energy];
    },
    parts: splitParts(field, context),
  };
}

function structural(field: VectorField, x: tf.Tensor2D, t: Time, context?: tf.Tensor2D): tf.Tensor2D {
  if (!field.divergence) throw new TypeError('this field has no divergence by structure: choose an estimator');
  return field.divergence(x, t, context);
}

function splitParts(field: VectorField, context: tf.Tensor2D | undefined): Dynamics['parts'] {
  return splitSteps(field, context)?.map((step) => (t: number, [x, logDet, penalty]: State, h: number) => {
    if (penalty) throw new TypeError('penalties need a solver of the whole right-hand side, not the splitting method');
    const { moved, logScale } = step(t, dual(x as tf.Tensor2D), h);
    return logDet ? [moved.value, tf.add(logDet, tf.sum(logScale.value, 1, true))] : [moved.value];
  });
}

/** Of a split field: what each part's exact solution over a time h makes of points. */
function splitSteps(
  field: VectorField,
  context: tf.Tensor2D | undefined,
): ((t: number, x: Dual, h: number) => { moved: Dual; logScale: Dual })[] | undefined {
  if (!('parts' in field)) return undefined;
  const { parts, part } = field as SplitField;
  return Array.from({ length: parts }, (_, index) => (t, x, h) => {
    const { logScale, shift } = part(index, x, t, h, context);
    return { moved: add(mul(x, exp(logScale)), shift), logScale };
  });
}

/** Layers one after the other. */
export function chain(layers: readonly Layer[]): Layer {
  return {
    forward(x, context) {
      let [logDet, penalty]: [tf.Tensor2D, tf.Tensor2D | undefined] = [tf.zeros([x.shape[0], 1]), undefined];
      let y = x;
      for (const layer of layers) {
        const mapped = layer.forward(y, context);
        y = mapped.y;
        logDet = tf.add(logDet, mapped.logDet);
        if (mapped.penalty) penalty = penalty ? tf.add(penalty, mapped.penalty) : mapped.penalty;
      }
      return { y, logDet, penalty };
    },
    map: (x: Dual, context) => layers.reduce((at, layer) => layer.map(at, context), x),
    inverse: (y, context) => [...layers].reverse().reduce((at, layer) => layer.inverse(at, context), y),
  };
}

/** The Jacobians dy/dx [B, D, D] (row i: the derivatives of y_i) at points, with y, by one pass of D tangents. */
export function jacobian(
  layer: Layer,
  x: tf.Tensor2D,
  context?: tf.Tensor2D,
): { y: tf.Tensor2D; jacobian: tf.Tensor3D } {
  const { directions } = exactDivergence(x.shape[0], x.shape[1]);
  const { value, tangents } = layer.map(dual(x, directions), context);
  return { y: value, jacobian: tf.transpose(tangents!, [1, 2, 0]) };
}
