/**
 * Continuous normalizing flows on TensorFlow.js, for Node: vector fields, solvers, divergence, training, dequantization, and coders on the
 * codec's stack. Data is at t = 0, the base distribution at t = 1, and log p(x) = log p(z) + the integral of the divergence along the path,
 * in nats. Points are tensors [B, D], B of them in R^D. Call `selectBackend` once before all else.
 *
 * @module cnfzip/cnf
 */

export type { StackOperations } from '../../codec/kernels/kernels.js';
export {
  type AffineSplitOptions,
  affineSplit,
  type PartStep,
  type SplitField,
} from '../../models/fields/affine-split.js';
export {
  type ConvolutionalOptions,
  type ConvolutionsOptions,
  convolutional,
  convolutions,
} from '../../models/fields/convolutional.js';
export type { Draws } from '../../models/fields/draws.js';
export { type Dual, dual } from '../../models/fields/dual.js';
export { type EquivariantOptions, equivariant } from '../../models/fields/equivariant.js';
export type { Time, VectorField } from '../../models/fields/field.js';
export { type IncompressibleOptions, incompressible } from '../../models/fields/incompressible.js';
export {
  type MlpOptions,
  mlp,
  type Perceptron,
  type PerceptronOptions,
  type TimeDependence,
} from '../../models/fields/mlp.js';
export { type RotationInvariantOptions, rotationInvariant } from '../../models/fields/rotation-invariant.js';
export { straight } from '../../models/fields/straight.js';
export { Weights } from '../../models/fields/weights.js';
export { type BatchNorm, type BatchNormOptions, batchNorm } from '../../models/layers/batch-norm.js';
export { conditionalAffine } from '../../models/layers/conditional-affine.js';
export { type CouplingOptions, coupling } from '../../models/layers/coupling.js';
export type { Layer, Mapped } from '../../models/layers/layer.js';
export { standardized } from '../../models/layers/standardized.js';
export { selectBackend } from '../train/backend.js';
export { Random } from '../train/random.js';
export { adjointGradients } from './adjoint.js';
export {
  type Base,
  learnedNormal,
  logDensities,
  logDensity,
  type MixtureOptions,
  mixtureOfNormals,
  standardLogistic,
  standardNormal,
  studentT,
} from './base.js';
export { dequantized } from './coding/dequantized.js';
export { type LocalBitsBackOptions, localBitsBack } from './coding/local-bits-back.js';
export { marginalCoder } from './coding/marginal-coder.js';
export { pyramidCoder } from './coding/pyramid-coder.js';
export { type SplittingCoderOptions, splittingCoder } from './coding/splitting-coder.js';
export { type Coder, Stack } from './coding/stack.js';
export {
  type ConditionalOptions,
  type Dequantized,
  type Dequantizer,
  importanceWeightedBound,
  truncatedLogisticDequantizer,
  uniformDequantizer,
  variationalDequantizer,
} from './dequantization.js';
export {
  type DivergenceEstimator,
  exactDivergence,
  type HutchinsonOptions,
  type HutchPlusPlusOptions,
  hutchinson,
  hutchPlusPlus,
  type JacobianProducts,
  type Probes,
} from './divergence.js';
export { type FitOptions, fitByAdjoint, fitLikelihood, fitVelocity, type VelocityOptions } from './fit.js';
export { type Cnf, type CnfMapped, chain, cnf, type FlowOptions, jacobian, type Problem } from './flow.js';
export { flowMatchingLoss } from './flow-matching.js';
export { gaussianized, type MarginalOptions, type Marginals, marginalBits, marginalsOf } from './marginals.js';
export {
  type Band,
  type Pyramid,
  type PyramidFlow,
  type PyramidShape,
  pyramid,
  pyramidFlow,
  type Scale,
} from './pyramid.js';
export type { StepControl } from './solvers/control.js';
export { type DenseOptions, type DensePath, denseSolve } from './solvers/dense.js';
export { dormandPrince } from './solvers/dormand-prince.js';
export { euler } from './solvers/euler.js';
export { midpoint } from './solvers/midpoint.js';
export { type ReversibleCarry, reversible } from './solvers/reversible.js';
export { rk4 } from './solvers/rk4.js';
export { type Adaptive, type Method, type Solution, type SolveOptions, solve } from './solvers/solve.js';
export type { Dynamics, Solver, State } from './solvers/solver.js';
export { splitting, strang } from './solvers/splitting.js';
export { drawMask, masked, type StochasticDepthOptions, stochasticDepth } from './stochastic-depth.js';
export {
  type BaseSpec,
  type Column,
  type FieldSpec,
  type FlowSpec,
  loadFlow,
  makeFlow,
  type SolverName,
  type StoredFlow,
  saveFlow,
} from './stored.js';
export { backpropagate, type Gradients, type TrainOptions, train } from './train.js';
