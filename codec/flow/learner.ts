/** Weights that learn while a tile is coded, by steps of Adam (`kernels/assembly/optimizer.ts`). */

import { ParameterArray } from './parameter-array.js';

const BYTES = 4;

/** With fewer sites than this weights wait for the next run. */
const LEAST_SITES = 48;

/** An array of weights with their gradient and its moments. */
export class LearningArray {
  readonly gradients: ParameterArray;
  readonly first: ParameterArray;
  readonly second: ParameterArray;

  /** @param total if given, all gradients are added there: to first order those in the weights that are learned from */
  constructor(
    readonly weights: ParameterArray,
    readonly total?: ParameterArray,
  ) {
    const array = () => new ParameterArray(weights.kernels, weights.count);
    this.gradients = array();
    this.first = array();
    this.second = array();
  }
}

/** Weights that lie side by side in an array and learn together. */
export class Learner {
  #sites = 0;
  /** What the memories' powers have come to: the parts of the moments that are still the zeros they began with. */
  #firstLack = 1;
  #secondLack = 1;

  /**
   * @param from index of the first weight
   * @param count of weights
   */
  constructor(
    readonly array: LearningArray,
    readonly from: number,
    readonly count: number,
    readonly rate: number,
  ) {}

  /** Forgets the gradient and its moments. */
  reset(): void {
    const { gradients, first, second } = this.array;
    for (const { values } of [gradients, first, second]) values.fill(0, this.from, this.from + this.count);
    this.#sites = 0;
    this.#firstLack = 1;
    this.#secondLack = 1;
  }

  /** Takes a step, unless it waits for more sites than those whose gradient came in since the last. */
  learn(sites: number): void {
    this.#sites += sites;
    if (this.#sites >= LEAST_SITES) this.#step();
  }

  /** Takes the step for which sites are waiting, if any are. */
  finish(): void {
    if (this.#sites > 0) this.#step();
  }

  #step(): void {
    const { weights, gradients, first, second, total } = this.array;
    const { run } = weights.kernels;
    this.#firstLack *= run.FIRST_MEMORY.value;
    this.#secondLack *= run.SECOND_MEMORY.value;
    const at = ({ address }: ParameterArray) => address + this.from * BYTES;
    run.adamStep(
      at(weights),
      at(gradients),
      at(first),
      at(second),
      (this.count + 3) & ~3,
      1 / this.#sites,
      this.rate / (1 - this.#firstLack),
      1 / (1 - this.#secondLack),
      total ? at(total) : 0,
    );
    this.#sites = 0;
  }
}
