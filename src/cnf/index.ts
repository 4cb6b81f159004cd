/**
 * `cnfzip/cnf`: continuous normalizing flows on TensorFlow.js, for Node. Data is at t = 0, the base distribution at t = 1, and
 * log p(x) = log p(z) + the integral of the divergence, in nats.
 */

export { affineSplit, type SplitField } from '../../models/fields/affine-split.js';
export { convolutional } from '../../models/fields/convolutional.js';
export type { Draws } from '../../models/fields/draws.js';
export { type Dual, dual } from '../../models/fields/dual.js';
export { equivariant } from '../../models/fields/equivariant.js';
export type { VectorField } from '../../models/fields/field.js';
export { incompressible } from '../../models/fields/incompressible.js';
export { mlp } from '../../models/fields/mlp.js';
export { rotationInvariant } from '../../models/fields/rotation-invariant.js';
export { Weights } from '../../models/fields/weights.js';
export { batchNorm } from '../../models/layers/batch-norm.js';
export { coupling } from '../../models/layers/coupling.js';
export type { Layer, Mapped } from '../../models/layers/layer.js';
export { selectBackend } from '../train/backend.js';
export { Random } from '../train/random.js';
export { adjointGradients } from './adjoint.js';
export { type Base, logDensities, logDensity, standardLogistic, standardNormal } from './base.js';
export { dequantized } from './coding/dequantized.js';
export { localBitsBack } from './coding/local-bits-back.js';
export { splittingCoder } from './coding/splitting-coder.js';
export { type Coder, Stack } from './coding/stack.js';
export {
  type Dequantizer,
  importanceWeightedBound,
  truncatedLogisticDequantizer,
  uniformDequantizer,
  variationalDequantizer,
} from './dequantization.js';
export { type DivergenceEstimator, exactDivergence, hutchinson } from './divergence.js';
export { fitLikelihood, fitVelocity } from './fit.js';
export { type Cnf, chain, cnf, jacobian } from './flow.js';
export { flowMatchingLoss } from './flow-matching.js';
export { dormandPrince } from './solvers/dormand-prince.js';
export { euler } from './solvers/euler.js';
export { midpoint } from './solvers/midpoint.js';
export { reversible } from './solvers/reversible.js';
export { rk4 } from './solvers/rk4.js';
export { type Method, solve } from './solvers/solve.js';
export type { Dynamics, Solver, State } from './solvers/solver.js';
export { splitting, strang } from './solvers/splitting.js';
export { backpropagate, train } from './train.js';
