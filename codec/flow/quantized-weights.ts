/** The residual blocks' weights as whole numbers (see `quantized.ts` among the kernels). */

import type { Affine, ModelParameters } from '../../models/definition.js';
import type { Kernels } from '../kernels/kernels.js';
import type { QuantizedLinear } from '../kernels/operations.js';
import type { ParameterArray } from './parameter-array.js';

const WEIGHT_BYTES = 2;
const SCALE_BYTES = 4;

export class QuantizedWeights {
  readonly #linears = new Map<Affine, QuantizedLinear>();

  /** @param weights what the whole numbers are taken from */
  constructor(
    readonly kernels: Kernels,
    { contexts }: ModelParameters,
    readonly weights: ParameterArray,
  ) {
    const passes = contexts.flatMap((context) => Object.values(context.passes));
    for (const { expand, project } of passes.flatMap(({ blocks }) => blocks)) {
      for (const linear of [expand, project]) {
        const [inputs, outputs] = linear.weight.shape;
        this.#linears.set(linear, {
          weight: kernels.alloc(inputs * outputs * WEIGHT_BYTES),
          scales: kernels.alloc(outputs * SCALE_BYTES),
          bias: weights.at(linear.bias),
        });
      }
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

  /** Addresses of a linear map. */
  of(linear: Affine): QuantizedLinear {
    return this.#linears.get(linear)!;
  }
}
