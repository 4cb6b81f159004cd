/** The weights of linear maps as whole numbers (see `quantized.ts` among the kernels). */

import type { Affine } from '../../models/definition.js';
import type { Kernels } from '../kernels/kernels.js';
import type { QuantizedLinear } from '../kernels/operations.js';
import type { ParameterArray } from './parameter-array.js';

const WEIGHT_BYTES = 2;
const SCALE_BYTES = 4;

/** Addresses of a linear map's weights as integers and of the scales of its outputs. */
type WholeWeights = Omit<QuantizedLinear, 'bias'>;

export class QuantizedWeights {
  readonly #linears = new Map<Affine, WholeWeights>();

  /** @param weights what the whole numbers are taken from */
  constructor(
    readonly kernels: Kernels,
    linears: readonly Affine[],
    readonly weights: ParameterArray,
  ) {
    for (const linear of linears) {
      const [inputs, outputs] = linear.weight.shape;
      this.#linears.set(linear, {
        weight: kernels.alloc(inputs * outputs * WEIGHT_BYTES),
        scales: kernels.alloc(outputs * SCALE_BYTES),
      });
    }
  }

  /** Takes all weights as they are now. */
  takeAll(): void {
    for (const linear of this.#linears.keys()) this.take(linear);
  }

  /** Takes a linear map's weights as they are now. */
  take(linear: Affine): void {
    const { weight, scales } = this.of(linear);
    const [inputs, outputs] = linear.weight.shape;
    this.kernels.run.quantizeWeights(weight, scales, this.weights.at(linear.weight), inputs, outputs);
  }

  of(linear: Affine): WholeWeights {
    return this.#linears.get(linear)!;
  }
}
