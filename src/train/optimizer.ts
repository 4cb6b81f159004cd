/**
 * The optimizer: Muon for the context network's hidden matrices, Adam (Kingma, Ba 2015) for all else, the gradient's norm
 * clipped, and an exponential moving average of the weights.
 */

import type { Kernels } from '../../codec/kernels/kernels.js';
import { type ModelDefinition, modelParameters, type Parameter } from '../../models/definition.js';
import { orthogonalized } from './muon.js';

const MOMENTUM = 0.9;
const MEMORY = 0.99;
const EPSILON = 1e-8;
const MUON_MOMENTUM = 0.95;
/** Root mean square of a Muon step relative to the learning rate: half of Adam's, so that both share one rate (after Liu et al. 2025). */
const MUON_GAIN = 0.1;
const CLIP_NORM = 1;
/** The average remembers about 1 / (1 - AVERAGE) steps, fewer at the start. */
const AVERAGE = 0.999;

export interface OptimizerState {
  /** Steps taken. */
  steps: number;
  readonly weights: Float32Array;
  /** Momentum. */
  readonly first: Float32Array;
  /** Mean squares, where Adam keeps them. */
  readonly second: Float32Array;
  readonly average: Float32Array;
}

export function optimizerState(weights: Float32Array): OptimizerState {
  const zeros = () => new Float32Array(weights.length);
  return { steps: 0, weights, first: zeros(), second: zeros(), average: weights.slice() };
}

/** One step down `gradient` times `scale`, which makes it that of the mean loss. */
export function optimizerStep(
  state: OptimizerState,
  kernels: Kernels,
  definition: ModelDefinition,
  gradient: Float32Array,
  scale: number,
  rate: number,
): void {
  const { weights, average } = state;
  state.steps++;
  let squares = 0;
  for (const g of gradient) squares += g * g;
  const factor = scale * Math.min(1, CLIP_NORM / (scale * Math.sqrt(squares)));
  for (const parameter of modelParameters(definition).all) {
    // Muon is for matrices between layers; the head's rows and the field's weights have meanings and sizes of their own.
    if (parameter.role === 'hidden') muon(state, kernels, parameter, gradient, factor, rate);
    else adam(state, parameter, gradient, factor, rate);
  }
  const kept = Math.min(AVERAGE, state.steps / (state.steps + 10));
  for (let i = 0; i < weights.length; i++) average[i] += (1 - kept) * (weights[i] - average[i]);
}

function adam(
  { steps, weights, first, second }: OptimizerState,
  { offset, size }: Parameter,
  gradient: Float32Array,
  factor: number,
  rate: number,
): void {
  const firstCorrection = 1 / (1 - MOMENTUM ** steps);
  const secondCorrection = 1 / (1 - MEMORY ** steps);
  for (let i = offset; i < offset + size; i++) {
    const g = gradient[i] * factor;
    first[i] = MOMENTUM * first[i] + (1 - MOMENTUM) * g;
    second[i] = MEMORY * second[i] + (1 - MEMORY) * g * g;
    weights[i] -= (rate * first[i] * firstCorrection) / (Math.sqrt(second[i] * secondCorrection) + EPSILON);
  }
}

/** With Nesterov's momentum: the step looks along the momentum that the next one would have. */
function muon(
  { weights, first }: OptimizerState,
  kernels: Kernels,
  { offset, size, shape }: Parameter,
  gradient: Float32Array,
  factor: number,
  rate: number,
): void {
  const columns = shape[shape.length - 1];
  const rows = size / columns;
  const ahead = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const g = gradient[offset + i] * factor;
    const momentum = MUON_MOMENTUM * first[offset + i] + (1 - MUON_MOMENTUM) * g;
    first[offset + i] = momentum;
    ahead[i] = MUON_MOMENTUM * momentum + (1 - MUON_MOMENTUM) * g;
  }
  const gain = rate * MUON_GAIN * Math.sqrt(Math.max(rows, columns));
  const direction = orthogonalized(kernels, ahead, rows, columns);
  for (let i = 0; i < size; i++) weights[offset + i] -= gain * direction[i];
}
