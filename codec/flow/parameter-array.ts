/** One float32 for each parameter of a model, in the kernels' memory: the weights, their gradient, their transposes. */

import type { Affine, Parameter } from '../../models/definition.js';
import type { Kernels } from '../kernels/kernels.js';
import type { Linear } from '../kernels/operations.js';

const BYTES = 4;

export class ParameterArray {
  readonly address: number;

  constructor(
    readonly kernels: Kernels,
    readonly count: number,
  ) {
    this.address = kernels.alloc(count * BYTES);
  }

  /** All of them, in the order of the model definition; void after the next `alloc` of the kernels. */
  get values(): Float32Array {
    return this.kernels.floats(this.address, this.count);
  }

  /** Address of a parameter, or of one of its rows: sub-arrays along its first axis. */
  at({ offset, shape }: Parameter, row = 0): number {
    const [, ...inner] = shape;
    return this.address + (offset + row * inner.reduce((a, b) => a * b, 1)) * BYTES;
  }

  /** Addresses of a linear map. */
  of({ weight, bias }: Affine): Linear {
    return { weight: this.at(weight), bias: this.at(bias) };
  }
}
