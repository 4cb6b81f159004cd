/**
 * The correction of a flow that learns: what the network's locations miss is predicted, by a linear map of each pass and coordinate, from
 * the samples around a site and from what was missed at neighbouring sites (`kernels/assembly/correction.ts`). A tile begins with
 * none: all its weights are learned.
 */

import { type Affine, PASSES, type Pass } from '../../models/definition.js';
import type { ContextNetwork, LevelState } from './context.js';
import { Learner, LearningArray } from './learner.js';
import { ParameterArray } from './parameter-array.js';
import type { Run } from './run.js';

const BYTES = 4;

export class Correction {
  readonly #array: LearningArray;
  /** By the head whose locations are corrected. */
  readonly #learners = new Map<Affine, Learner>();
  /** Address of the correction among the kernels. */
  readonly #address: number;
  #learner!: Learner;

  constructor(
    readonly network: ContextNetwork,
    rate: number,
  ) {
    const { kernels, parameters } = network;
    const sizes = PASSES.map((_, pass) => kernels.run.correctionWeights(pass));
    const all = sizes.reduce((sum, size) => sum + size, 0);
    this.#array = new LearningArray(new ParameterArray(kernels, parameters.contexts.length * all));
    let from = 0;
    for (const { passes } of parameters.contexts) {
      for (const [pass, size] of sizes.entries()) {
        this.#learners.set(passes[PASSES[pass]].head, new Learner(this.#array, { from, count: size, rate }));
        from += size;
      }
    }
    this.#address = kernels.alloc(kernels.run.correctionBytes());
  }

  /** Forgets all that was learned. */
  reset(): void {
    this.#array.weights.values.fill(0);
    for (const learner of this.#learners.values()) learner.reset();
  }

  /** Begins with a pass, of whose level D must come first. */
  open(state: LevelState, pass: Pass): void {
    const { network } = this;
    const { kernels } = network;
    const { level, index, lattices } = state;
    const { channels } = network.definition;
    if (pass === 'D') {
      const maps = [lattices.A, lattices.D, lattices.H, ...PASSES.map(() => network.lattice(level))];
      for (const [map, address] of maps.entries()) kernels.run.correctionMap(this.#address, map, address);
    }
    this.#learner = this.#learners.get(network.at(index, pass).head)!;
    const at = ({ address }: ParameterArray) => address + this.#learner.learned.from * BYTES;
    const { weights, gradients } = this.#array;
    const number = PASSES.indexOf(pass);
    kernels.run.correctionOpen(this.#address, number, level.columns, channels, at(weights), at(gradients));
  }

  /** Corrects the locations of a run's sites. */
  apply({ row, first, count, outputs, locals }: Run): void {
    const { run } = this.network.kernels;
    run.correctRow(this.#address, row, first, count, outputs.address, outputs.channels, locals);
  }

  /** Learns from a run, whose samples and gradient are known now. */
  learn({ row, first, count, outputs, locals, x }: Run, gradient: number): void {
    const { run } = this.network.kernels;
    run.correctionLearn(this.#address, row, first, count, outputs.address, outputs.channels, gradient, x, locals);
    this.#learner.learn(count);
  }
}
