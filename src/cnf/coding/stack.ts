/** The codec's rANS stack with room of its own, for coders outside the codec. */

import { Kernels, type StackOperations } from '../../../codec/kernels/kernels.js';

/** A value's way onto a stack and off it; each undoes the other exactly. */
export interface Coder<T> {
  /** Puts a value on top. */
  push(stack: Stack, value: T): void;
  /** The value that was pushed last. */
  pop(stack: Stack): T;
}

/** The codec's rANS stack: last in first out, with room of its own. */
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

  /**
   * A stack with what another one held.
   *
   * @param contents as `contents()` gave them: words from the bottom, then the state's high and low word
   * @param capacity bytes in all
   * @throws {RangeError} if they are less than the two words of the state, or it is one that no stack has
   */
  static async of(contents: Uint32Array, capacity: number): Promise<Stack> {
    const count = contents.length - 2;
    if (count < 0 || contents[count] === 0) throw new RangeError('these are not the contents of a stack');
    const kernels = await Kernels.create();
    const address = kernels.alloc(capacity);
    kernels.words(address, count).set(contents.subarray(0, count));
    kernels.run.stackOpen(address, capacity, count, contents[count], contents[count + 1]);
    return new Stack(kernels, address, count);
  }

  /** @throws {RangeError} if the stack ever was full when a word was to be pushed, or empty when one was to be popped */
  get run(): StackOperations {
    return this.#checked().run;
  }

  /**
   * Information on the stack in bits, the initial bits included.
   *
   * @throws {RangeError} as `run` does
   */
  get bits(): number {
    const { run } = this.#checked();
    return 32 * run.stackCount() + Math.log2((run.stackHigh(0) >>> 0) * 2 ** 32 + (run.stackLow(0) >>> 0));
  }

  /** Most bits of the initial ones that were ever off the stack. */
  get borrowed(): number {
    return 32 * Math.max(0, this.#first - this.#checked().run.stackLowest());
  }

  /**
   * Everything on the stack, to compare.
   *
   * @throws {RangeError} as `run` does
   */
  contents(): Uint32Array {
    const { run } = this.#checked();
    const words = this.#kernels.words(this.#address, run.stackCount());
    const all = new Uint32Array(words.length + 2);
    all.set(words);
    all.set([run.stackHigh(0) >>> 0, run.stackLow(0) >>> 0], words.length);
    return all;
  }

  /** The kernels, if all that was pushed and popped counts. */
  #checked(): Kernels {
    if (this.#kernels.run.stackFailed()) {
      throw new RangeError('the stack has left its bounds: begin with more words or more room');
    }
    return this.#kernels;
  }
}
