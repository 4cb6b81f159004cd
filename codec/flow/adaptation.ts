/**
 * A flow that goes on learning while it codes: after every run of sites encoder and decoder take the same step on the length of what
 * both know by then. What learns is what reads the flow's parameters from the network's state, the heads, the vector field, and a
 * correction of the heads' locations; and, if it has a rate, the last block before each head. The states before stay what training made
 * them, so that they can be computed for a pass as a whole.
 */

import { type Affine, headLayout, type Parameter, type Pass } from '../../models/definition.js';
import type { Vectors } from '../kernels/operations.js';
import { BlockLearning } from './block-learning.js';
import type { ContextNetwork, LevelState } from './context.js';
import { Correction } from './correction.js';
import { type Learned, Learner, LearningArray } from './learner.js';
import type { Pace } from './model.js';
import type { ParameterArray } from './parameter-array.js';
import type { Run } from './run.js';

export class Adaptation {
  readonly #array: LearningArray;
  readonly #heads = new Map<Affine, Learner>();
  readonly #field: Learner;
  readonly #learners: readonly Learner[];
  readonly #correction: Correction;
  readonly #blocks: BlockLearning | undefined;

  /** @param total if given, the gradients of heads and field are added there (see `Learned`) */
  constructor(
    readonly network: ContextNetwork,
    pace: Pace,
    private readonly total?: ParameterArray,
  ) {
    const { parameters, definition, kernels, operations } = network;
    this.#array = new LearningArray(network.weights);
    const { size } = headLayout(definition);
    const relative = operations.vectors(1, size);
    kernels.run.headRates(relative.address, definition.channels, definition.mixtures, size);
    for (const { passes } of parameters.contexts) {
      for (const { head } of Object.values(passes)) {
        this.#heads.set(head, this.#learner(head.weight, head.bias, { rate: pace.head, relative }));
      }
    }
    const { others, bBias } = parameters.field;
    this.#field = this.#learner(others, bBias, { rate: pace.field });
    this.#learners = [...this.#heads.values(), this.#field];
    this.#correction = new Correction(network, pace.correction);
    if (network.lastWait) this.#blocks = new BlockLearning(network, this.#array, pace);
  }

  /** What learns the parameters between two, and these. */
  #learner(first: Parameter, last: Parameter, rates: Pick<Learned, 'rate' | 'relative'>): Learner {
    const from = first.offset;
    return new Learner(this.#array, { ...rates, from, count: last.offset + last.size - from, total: this.total });
  }

  /** Loads weights into the network, to learn from them on. */
  reset(weights: Float32Array): void {
    this.network.load(weights, this.#array.gradients);
    for (const learner of this.#learners) learner.reset();
    this.#correction.reset();
    this.#blocks?.reset();
  }

  /** Takes the steps for which sites were waiting. */
  finish(): void {
    for (const learner of this.#learners) learner.finish();
  }

  /** Begins with a pass, of whose level D must come first. */
  open(state: LevelState, pass: Pass): void {
    this.#correction.open(state, pass);
  }

  /** Corrects what a run's head says of its sites' locations. */
  correct(run: Run): void {
    this.#correction.apply(run);
  }

  /**
   * Learns from a run of sites, which are coded now.
   *
   * @param head made the flow's parameters
   * @param gradient in these parameters
   */
  learn(head: Affine, run: Run, gradient: Vectors): void {
    this.#correction.learn(run, gradient.address);
    if (run.block) this.#blocks?.learn(head, run, run.block, gradient);
    this.network.operations.productGradient(this.#array.gradients.of(head), run.states, gradient);
    if (this.#heads.get(head)!.learn(run.count)) this.network.requantize(head);
    this.#field.learn(run.count);
  }
}
