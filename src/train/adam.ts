/** Adam (Kingma, Ba 2015) with the gradient's norm clipped, and an exponential moving average of the weights. */

const MOMENTUM = 0.9;
const MEMORY = 0.99;
const EPSILON = 1e-8;
const CLIP_NORM = 1;
/** The average remembers about 1 / (1 - AVERAGE) steps, fewer at the start. */
const AVERAGE = 0.999;

export interface AdamState {
  /** Steps taken. */
  steps: number;
  readonly weights: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
  readonly average: Float32Array;
}

export function adamState(weights: Float32Array): AdamState {
  const zeros = () => new Float32Array(weights.length);
  return { steps: 0, weights, first: zeros(), second: zeros(), average: weights.slice() };
}

/** One step down `gradient` times `scale`, which makes it that of the mean loss. */
export function adamStep(state: AdamState, gradient: Float32Array, scale: number, rate: number): void {
  const { weights, first, second, average } = state;
  state.steps++;
  let squares = 0;
  for (const g of gradient) squares += g * g;
  const norm = scale * Math.sqrt(squares);
  const factor = scale * Math.min(1, CLIP_NORM / norm);
  const firstCorrection = 1 / (1 - MOMENTUM ** state.steps);
  const secondCorrection = 1 / (1 - MEMORY ** state.steps);
  const kept = Math.min(AVERAGE, state.steps / (state.steps + 10));
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i] * factor;
    first[i] = MOMENTUM * first[i] + (1 - MOMENTUM) * g;
    second[i] = MEMORY * second[i] + (1 - MEMORY) * g * g;
    weights[i] -= (rate * first[i] * firstCorrection) / (Math.sqrt(second[i] * secondCorrection) + EPSILON);
    average[i] += (1 - kept) * (weights[i] - average[i]);
  }
}
