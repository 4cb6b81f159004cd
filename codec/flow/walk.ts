/**
 * The way through a tile's sites, in the decoder's order, which encoder, decoder and likelihood share: pass by pass, row by row, and
 * in runs, after each of which a flow that adapts learns from what is known by then.
 */

import type { Pass } from '../../models/definition.js';
import type { Kernels } from '../kernels/kernels.js';
import { Adaptation, RUN } from './adaptation.js';
import { ContextNetwork, type LevelState } from './context.js';
import type { Flow } from './model.js';
import { sites } from './pyramid.js';

const BYTES = 4;

/** Neighbouring sites of a lattice row. */
export interface Run {
  readonly row: number;
  /** Column of the first, and how many there are. */
  readonly first: number;
  readonly count: number;
  /** Addresses, as the kernels' `noteRow` takes them, of the run's outputs of the head, of room for the gradient in them (0 where nothing
   * learns), of its samples and of its neighbour statistics. */
  readonly head: number;
  readonly dHead: number;
  readonly x: number;
  readonly locals: number;
}

export class SiteWalk {
  readonly network: ContextNetwork;
  readonly #adaptation: Adaptation | undefined;

  constructor(
    readonly kernels: Kernels,
    { model, adapts }: Flow,
  ) {
    this.network = new ContextNetwork(kernels, model.definition);
    this.network.load(model.weights);
    this.#adaptation = adapts ? new Adaptation(this.network, model) : undefined;
  }

  /** Forgets what was learned from other tiles. */
  reset(): void {
    this.#adaptation?.reset();
  }

  /** Goes through a pass, whose context is computed. `code` makes a run's samples known where they are not. */
  pass(state: LevelState, pass: Pass, code: (run: Run) => void): void {
    const { kernels, network } = this;
    const { rows, columns } = sites(state.level, pass);
    const { head } = network.at(state.index, pass);
    const adaptation = this.#adaptation;
    const most = adaptation ? RUN : columns;
    const pixel = network.definition.channels * BYTES;
    kernels.scoped(() => {
      const outputs = network.headRow(most);
      const gradient = adaptation && network.headRow(most);
      for (let row = 0; row < rows; row++) {
        const x = network.sampleRow(state, pass, row);
        const locals = network.localRow(state, pass, row);
        for (let first = 0; first < columns; first += most) {
          const count = Math.min(most, columns - first);
          const from = network.head(state, pass, row, first, { ...outputs, count });
          code({
            row,
            first,
            count,
            head: outputs.address,
            dHead: gradient?.address ?? 0,
            x: x + first * pixel,
            locals: locals + 3 * first * pixel,
          });
          if (gradient) adaptation.learn(head, from, { ...gradient, count });
        }
      }
    });
  }
}
