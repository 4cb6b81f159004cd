/** Weights that learn while a tile is coded, by steps of Adam (`kernels/assembly/optimizer.ts`). */

import { ParameterArray } from './parameter-array.js';
import { LEAST_SITES } from './schedule.js';

const BYTES = 4;

/** An array of weights with their gradient and its moments. */
export class LearningArray {
  readonly gradients: ParameterArray;
  readonly first: ParameterArray;
  readonly second: ParameterArray;

  constructor(readonly weights: ParameterArray) {
    const array = () => new ParameterArray(weights.kernels, weights.count);
    this.gradients = array();
    this.first = array();
    this.second = array();
  }
}

/** Which weights of an array learn together, and how. */
export interface Learned {
  /** Index of the first, and how many lie side by side. */
  readonly from: number;
  readonly count: number;
  readonly rate: number;
  /** With fewer sites than this they wait for the next run; without it `LEAST_SITES`. */
  readonly least?: number;
  /** If given, their gradients are added there: to first order those in the weights that are learned from. */
  readonly total?: ParameterArray;
}

/** Weights that lie side by side in an array and learn together. */
export class Learner {
  #sites = 0;
  /** What the memories' powers have come to: the parts of the moments that are still the zeros they began with. */
  #firstLack = 1;
  #secondLack = 1;

  constructor(
    readonly array: LearningArray,
    readonly learned: Learned,
  ) {}

  /** Forgets the gradient and its moments. */
  reset(): void {
    const { gradients, first, second } = this.array;
    const { from, count } = this.learned;
    for (const { values } of [gradients, first, second]) values.fill(0, from, from + count);
    this.#sites = 0;
    this.#firstLack = 1;
    this.#secondLack = 1;
  }

  /**
   * Takes a step, unless it waits for more sites than those whose gradient came in since the last.
   *
   * @returns whether the weights changed
   */
  learn(sites: number): boolean {
    this.#sites += sites;
    if (this.#sites < (this.learned.least ?? LEAST_SITES)) return false;
    this.#step();
    return true;
  }

  /** Takes the step for which sites are waiting, if any are. */
  finish(): void {
    if (this.#sites > 0) this.#step();
  }

  #step(): void {
    const { weights, gradients, first, second } = this.array;
    const { from, count, rate, total } = this.learned;
    const { run } = weights.kernels;
    this.#firstLack *= run.FIRST_MEMORY.value;
    this.#secondLack *= run.SECOND_MEMORY.value;
    const at = ({ address }: ParameterArray) => address + from * BYTES;
    run.adamStep(
      at(weights),
      at(gradients),
      at(first),
      at(second),
      (count + 3) & ~3,
      1 / this.#sites,
      rate / (1 - this.#firstLack),
      1 / (1 - this.#secondLack),
      total ? at(total) : 0,
    );
    this.#sites = 0;
  }
}
