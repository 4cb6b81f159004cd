/**
 * A flow that goes on learning while it codes: after every run of sites encoder and decoder take the same step on the length of what
 * both know by then. What learns is what reads the flow's parameters from the network's state, the heads, and the vector field;
 * the states themselves stay what training made them, so that they can be computed for a pass as a whole.
 */

import type { Affine, Parameter } from '../../models/definition.js';
import type { Vectors } from '../kernels/operations.js';
import type { ContextNetwork } from './context.js';
import type { AdaptationRates } from './model.js';
import { ParameterArray } from './parameter-array.js';

const BYTES = 4;

/** Sites after which the weights take a step: whole groups of the kernels, so that runs share none. */
export const RUN = 64;
/** With fewer sites than this a tensor waits for the next run. */
const LEAST_SITES = 48;

/** Weights that lie side by side and learn together. */
class Learner {
  readonly #from: number;
  readonly #count: number;
  #sites = 0;
  /** What the memories' powers have come to: the parts of the moments that are still the zeros they began with. */
  #firstLack = 1;
  #secondLack = 1;

  constructor(
    readonly adaptation: Adaptation,
    readonly rate: number,
    parameters: readonly Parameter[],
  ) {
    this.#from = parameters[0].offset;
    const last = parameters[parameters.length - 1];
    this.#count = last.offset + last.size - this.#from;
  }

  reset(): void {
    const { gradients, first, second } = this.adaptation;
    for (const { values } of [gradients, first, second]) values.fill(0, this.#from, this.#from + this.#count);
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
    const { network, gradients, first, second, total } = this.adaptation;
    const { run } = network.kernels;
    this.#firstLack *= run.FIRST_MEMORY.value;
    this.#secondLack *= run.SECOND_MEMORY.value;
    const at = ({ address }: ParameterArray) => address + this.#from * BYTES;
    run.adamStep(
      at(network.weights),
      at(gradients),
      at(first),
      at(second),
      (this.#count + 3) & ~3,
      1 / this.#sites,
      this.rate / (1 - this.#firstLack),
      1 / (1 - this.#secondLack),
      total ? at(total) : 0,
    );
    this.#sites = 0;
  }
}

export class Adaptation {
  readonly gradients: ParameterArray;
  readonly first: ParameterArray;
  readonly second: ParameterArray;
  readonly #heads = new Map<Affine, Learner>();
  readonly #field: Learner;
  readonly #learners: readonly Learner[];

  /** @param total if given, all gradients are added there: to first order those in the weights that are learned from */
  constructor(
    readonly network: ContextNetwork,
    rates: AdaptationRates,
    readonly total?: ParameterArray,
  ) {
    const { kernels, parameters } = network;
    const array = () => new ParameterArray(kernels, parameters.count);
    this.gradients = array();
    this.first = array();
    this.second = array();
    for (const { passes } of parameters.contexts) {
      for (const { head } of Object.values(passes)) {
        this.#heads.set(head, new Learner(this, rates.head, [head.weight, head.bias]));
      }
    }
    const { others, bBias } = parameters.field;
    this.#field = new Learner(this, rates.field, [others, bBias]);
    this.#learners = [...this.#heads.values(), this.#field];
  }

  /** Loads weights into the network, to learn from them on. */
  reset(weights: Float32Array): void {
    this.network.load(weights, this.gradients);
    for (const learner of this.#learners) learner.reset();
  }

  /** Takes the steps for which sites were waiting. */
  finish(): void {
    for (const learner of this.#learners) learner.finish();
  }

  /**
   * Learns from a run of sites.
   *
   * @param from their states, from which `head` made the flow's parameters
   * @param gradient in these parameters
   */
  learn(head: Affine, from: Vectors, gradient: Vectors): void {
    this.network.operations.productGradient(this.gradients.of(head), from, gradient);
    this.#heads.get(head)!.learn(from.count);
    this.#field.learn(from.count);
  }
}
