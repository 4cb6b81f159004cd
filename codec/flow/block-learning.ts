/**
 * How the last residual block of each pass learns: its first map, from the gradient in what the head reads, carried back through the second,
 * which stays as it is (that it learned, too, made files longer). What lies before the block stays as well, so that it can be computed for a
 * pass as a whole.
 */

import type { Affine, BlockParameters } from '../../models/definition.js';
import type { Vectors } from '../kernels/operations.js';
import type { ContextNetwork } from './context.js';
import { Learner, type LearningArray } from './learner.js';
import type { Pace } from './model.js';
import type { Run, RunBlock } from './run.js';
import { LEAST_BLOCK_SITES, LEAST_SITES, RUN, SPARSE_RATE, SPARSE_RUNS } from './schedule.js';

export class BlockLearning {
  readonly #learners = new Map<BlockParameters, Learner>();
  /** Scratch: gradients of a run in its states and hidden channels, and the transposes of head and projection. */
  readonly #dState: Vectors;
  readonly #dHidden: Vectors;
  readonly #headBack: number;
  readonly #projectBack: number;
  /** Of so many runs one is learned from; and runs since the tile began. */
  readonly #every: number;
  #runs = 0;
  /** The block whose projection's transpose is at hand. */
  #transposed: BlockParameters | undefined;

  /** @param array of all weights */
  constructor(
    readonly network: ContextNetwork,
    readonly array: LearningArray,
    { block: rate, sparse = false }: Pace,
  ) {
    const { operations, parameters, definition } = network;
    const { width, expand } = definition;
    this.#every = sparse ? SPARSE_RUNS : 1;
    const least = sparse ? LEAST_SITES : LEAST_BLOCK_SITES;
    const own = sparse ? rate * SPARSE_RATE : rate;
    for (const { passes } of parameters.contexts) {
      for (const { blocks } of Object.values(passes)) {
        const last = blocks.at(-1);
        if (!last) continue;
        const { offset: from } = last.expand.weight;
        const { offset, size } = last.expand.bias;
        this.#learners.set(last, new Learner(array, { from, count: offset + size - from, rate: own, least }));
      }
    }
    this.#dState = operations.vectors(RUN, width);
    this.#dHidden = operations.vectors(RUN, expand * width);
    this.#headBack = network.headRow(width).address;
    this.#projectBack = operations.vectors(width, expand * width).address;
  }

  /** Forgets gradients and moments. */
  reset(): void {
    for (const learner of this.#learners.values()) learner.reset();
    this.#transposed = undefined;
    this.#runs = 0;
  }

  /**
   * Learns from a run of sites, which are coded now, or lets it pass.
   *
   * @param head made the flow's parameters, and has not yet learned from the run
   * @param gradient in these parameters
   */
  learn(head: Affine, { count }: Run, { parameters, mixed, hidden }: RunBlock, gradient: Vectors): void {
    if (this.#runs++ % this.#every > 0) return;
    const { operations, weights } = this.network;
    const { gradients } = this.array;
    const { expand, project } = parameters;
    const dState = { ...this.#dState, count };
    const dHidden = { ...this.#dHidden, count };
    operations.transpose(this.#headBack, weights.at(head.weight), head.weight.shape);
    operations.product(dState, gradient, { weight: this.#headBack, bias: 0 }, 'replace');
    if (this.#transposed !== parameters) {
      operations.transpose(this.#projectBack, weights.at(project.weight), project.weight.shape);
      this.#transposed = parameters;
    }
    operations.product(dHidden, dState, { weight: this.#projectBack, bias: 0 }, 'replace');
    operations.reluGradient(dHidden, hidden);
    operations.productGradient(gradients.of(expand), mixed, dHidden);
    if (this.#learners.get(parameters)!.learn(count)) this.network.requantize(expand);
  }
}
