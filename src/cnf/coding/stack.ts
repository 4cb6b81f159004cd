/** The codec's rANS stack with room of its own, for coders outside the codec. */

import { Kernels } from '../../../codec/kernels/kernels.js';

/** A value's way onto a stack and off it; each undoes the other exactly. */
export interface Coder<T> {
  push(stack: Stack, value: T): void;
  /** The value that was pushed last. */
  pop(stack: Stack): T;
}

export class Stack {
  readonly #kernels: Kernels;
  readonly #address: number;
  readonly #first: number;

  private constructor(kernels: Kernels, address: number, first: number) {
    this.#kernels = kernels;
    this.#address = address;
    this.#first = first;
  }

  /**
   * A stack with random bits on it, for coders that pop before they push.
   *
   * @param capacity bytes in all
   * @param initial words (32 bits) to begin with
   * @param word draws a random word
   */
  static async create(capacity: number, initial: number, word: () => number): Promise<Stack> {
    const kernels = await Kernels.create();
    const address = kernels.alloc(capacity);
    kernels.words(address, initial).set(Uint32Array.from({ length: initial }, word));
    kernels.run.stackOpen(address, capacity, initial, word() | 1, word());
    return new Stack(kernels, address, initial);
  }

  /** The kernels: `push`, `pop`, `peek`, `pushUniform`, `popUniform`, `normalCdf`. */
  get run(): Kernels['run'] {
    return this.#kernels.run;
  }

  /** Information on the stack in bits, the initial bits included. */
  get bits(): number {
    return 32 * this.run.stackCount() + Math.log2((this.run.stackHigh() >>> 0) * 2 ** 32 + (this.run.stackLow() >>> 0));
  }

  /** Most bits of the initial ones that were ever off the stack. */
  get borrowed(): number {
    return 32 * Math.max(0, this.#first - this.run.stackLowest());
  }

  /** Everything on the stack, to compare. */
  contents(): Uint32Array {
    if (this.run.stackFailed())
      throw new RangeError('the stack has left its bounds: begin with more words or more room');
    const { run } = this;
    const words = this.#kernels.words(this.#address, run.stackCount());
    return Uint32Array.of(...words, run.stackHigh() >>> 0, run.stackLow() >>> 0);
  }
}
