/**
 * The way through a tile's sites, in the decoder's order, which encoder, decoder and likelihood share: pass by pass, row by row, and
 * in runs, after each of which a flow that adapts learns from what is known by then.
 */

import type { Affine, ModelDefinition, Pass } from '../../models/definition.js';
import type { Kernels } from '../kernels/kernels.js';
import type { Vectors } from '../kernels/operations.js';
import { Adaptation } from './adaptation.js';
import { ContextNetwork, type LevelState, type TileSamples } from './context.js';
import type { Pace } from './model.js';
import type { ParameterArray } from './parameter-array.js';
import { sites } from './pyramid.js';
import type { Run } from './run.js';
import { RUN } from './schedule.js';
import { tileTexture } from './texture.js';

const BYTES = 4;

/** Size of a tile, and what its samples may be. */
export interface TileShape {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Bits of a sample before the colour transform, 8 to 16; coordinates lie in -2^depth .. 2^depth - 1. */
  readonly depth: number;
}

/** A tile's samples: `height * width * channels` integers, channels of a pixel side by side; or what puts as many in their place. */
export type Samples = Int32Array | ((place: Float32Array) => void);

export class SiteWalk {
  readonly network: ContextNetwork;
  readonly #adaptation: Adaptation | undefined;
  #weights: Float32Array = new Float32Array();

  /**
   * @param pace of a flow that adapts
   * @param gradients where those of heads and field are to be added, if they are wanted beside what is learned from them
   */
  constructor(
    readonly kernels: Kernels,
    definition: ModelDefinition,
    pace: Pace | undefined,
    readonly gradients?: ParameterArray,
  ) {
    this.network = new ContextNetwork(kernels, definition, pace !== undefined && pace.block > 0);
    this.#adaptation = pace && new Adaptation(this.network, pace, gradients);
  }

  load(weights: Float32Array): void {
    this.#weights = weights;
    if (this.#adaptation) this.reset();
    else this.network.load(weights, this.gradients);
  }

  /** Makes a tile known: its samples, as for `TileCodec.encode`, and its texture. */
  open(samples: Samples, { width, height, depth }: TileShape): { tile: TileSamples; texture: Uint8Array } {
    const { kernels, network } = this;
    const { channels } = network.definition;
    kernels.run.depthOpen(depth);
    const size = width * height * channels;
    const tile: TileSamples = { address: kernels.alloc(size * BYTES), width, height };
    const place = kernels.floats(tile.address, size);
    if (typeof samples === 'function') samples(place);
    else place.set(samples);
    const texture = tileTexture(place, width, height, channels);
    network.describe(texture);
    return { tile, texture };
  }

  get adapts(): boolean {
    return this.#adaptation !== undefined;
  }

  /** Forgets what was learned since the weights were loaded. */
  reset(): void {
    this.#adaptation?.reset(this.#weights);
  }

  /**
   * Goes through a pass, whose context is computed.
   *
   * @param code makes a run's samples known where they are not, and leaves the gradient where there is room for it
   * @param wanted whether gradients are wanted where nothing is learned
   */
  pass(state: LevelState, pass: Pass, code: (run: Run) => void, wanted = false): void {
    const { network, kernels } = this;
    const { rows, columns } = sites(state.level, pass);
    const { head } = network.at(state.index, pass);
    const most = this.adapts ? RUN : columns;
    this.#adaptation?.open(state, pass);
    const pixel = network.definition.channels * BYTES;
    kernels.scoped(() => {
      const outputs = network.headRow(most);
      const gradient = this.adapts || wanted ? network.headRow(most) : undefined;
      for (let row = 0; row < state.level.rows; row++) {
        network.openRow(state, pass, row);
        // Cells without a site have a state, which later passes see.
        const behind = row < rows ? columns : 0;
        network.block(state, pass, row, behind, state.level.columns - behind);
        if (row >= rows) continue;
        const x = network.sampleRow(state, pass, row);
        const locals = network.localRow(state, pass, row);
        for (let first = 0; first < columns; first += most) {
          const count = Math.min(most, columns - first);
          const own = { ...outputs, count };
          const block = network.block(state, pass, row, first, count);
          const run: Run = {
            row,
            first,
            count,
            states: network.head(state, pass, row, first, own),
            outputs: own,
            block,
            gradient: gradient && { ...gradient, count },
            x: x + first * pixel,
            locals: locals + 3 * first * pixel,
          };
          this.#adaptation?.correct(run);
          code(run);
          if (run.gradient) this.#learn(head, run, run.gradient);
        }
      }
      network.closePass(state, pass);
    });
  }

  /** Ends a tile: gradients that waited for more sites are learned from and added, too. */
  finish(): void {
    this.#adaptation?.finish();
  }

  #learn(head: Affine, run: Run, gradient: Vectors): void {
    if (this.#adaptation) this.#adaptation.learn(head, run, gradient);
    else this.network.operations.productGradient(this.gradients!.of(head), run.states, gradient);
  }
}
