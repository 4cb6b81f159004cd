/** The length of a tile by the flow's likelihood, in continuous arithmetic: what a coded tile's bits are held against. */

import { Kernels } from '../kernels/kernels.js';
import type { TileSamples } from './context.js';
import type { Flow } from './model.js';
import { tileTexture } from './texture.js';
import type { TileShape } from './tile-codec.js';
import { SiteWalk } from './walk.js';

export class TileLength {
  readonly #kernels: Kernels;
  readonly #walk: SiteWalk;

  private constructor(kernels: Kernels, flow: Flow) {
    this.#kernels = kernels;
    this.#walk = new SiteWalk(kernels, flow);
  }

  static async create(flow: Flow): Promise<TileLength> {
    return new TileLength(await Kernels.create(), flow);
  }

  /** Nats of a tile (samples as for `TileCodec.encode`), without what is coded plainly (`plainBits`). */
  nats(samples: Int32Array, { width, height, depth }: TileShape): number {
    const kernels = this.#kernels;
    const { run } = kernels;
    const { network } = this.#walk;
    this.#walk.reset();
    return kernels.scoped(() => {
      run.depthOpen(depth);
      const tile: TileSamples = { address: kernels.alloc(samples.length * 4), width, height };
      kernels.floats(tile.address, samples.length).set(samples);
      network.describe(tileTexture(samples, width, height, network.definition.channels));
      let nats = 0;
      for (const { state, pass } of network.passes(tile)) {
        network.take(state, pass, tile);
        this.#walk.pass(state, pass, ({ head, dHead, x, locals, count }) => {
          nats += run.lossRow(network.flow, head, dHead, x, locals, count);
        });
      }
      return nats;
    });
  }
}
