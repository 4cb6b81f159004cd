/** Weights that learn while a tile is coded, by steps of Adam (`kernels/assembly/optimizer.ts`). */

import type { Vectors } from '../kernels/operations.js';
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
  /** Of rows of weights the rates of their columns, relative to `rate`. */
  readonly relative?: Vectors;
  /** If given, their gradients are added there: to first order those in the weights that are learned from. */
  readonly total?: ParameterArray;
}

/** Weights that lie side by side in an array and learn together. */
export class Learner {
  /** Among the kernels. */
  readonly #address: number;

  constructor(
    readonly array: LearningArray,
    readonly learned: Learned,
  ) {
    const { weights, gradients, first, second } = array;
    const { from, count, rate, least = LEAST_SITES, relative, total } = learned;
    const { kernels } = weights;
    const { run } = kernels;
    const at = ({ address }: ParameterArray) => address + from * BYTES;
    this.#address = kernels.alloc(run.learnerBytes());
    run.learnerOpen(this.#address, at(weights), at(gradients), at(first), at(second), count, least, rate);
    if (relative) run.learnerRates(this.#address, relative.address, relative.channels);
    if (total) run.learnerTotal(this.#address, at(total));
    this.reset();
  }

  get #run() {
    return this.array.weights.kernels.run;
  }

  /** Forgets the gradient and its moments. */
  reset(): void {
    this.#run.learnerReset(this.#address);
  }

  /**
   * Takes a step, unless it waits for more sites than those whose gradient came in since the last.
   *
   * @returns whether the weights changed
   */
  learn(sites: number): boolean {
    return this.#run.learn(this.#address, sites) !== 0;
  }

  /** Takes the step for which sites are waiting, if any are. */
  finish(): void {
    this.#run.learnRest(this.#address);
  }
}
