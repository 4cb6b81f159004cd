/** What coding needs beside the samples: models, who computes, who is told of progress. */
import type { Model } from './flow/model.js';
import type { EncodedTile, TileShape } from './flow/tile-codec.js';
import { TileCodec } from './flow/tile-codec.js';
import type { Tile } from './tiles.js';

/** Codes tiles by a model's flow, in this thread or in others. */
export interface TileCoder {
  /** Tiles that are worth having under way at once, at least 1. */
  readonly concurrency: number;
  /** `samples`: `height * width * channels` integers after colour, interleaved. */
  encode(samples: Int32Array, shape: TileShape): Promise<EncodedTile>;
  decode(payload: Uint8Array, shape: TileShape): Promise<Int32Array>;
}

export interface CodingOptions {
  /** Called after each tile with the part of the image that is done, above 0 and up to 1. */
  onProgress?: (fraction: number) => void;
  /**
   * Stops coding before the next tile or method, with the signal's reason as error. What goes on until then may take seconds:
   * to stop at once, a page codes in a worker and terminates it.
   */
  signal?: AbortSignal;
  /**
   * When encoding: whether WebP may be tried on layers of several tiles as a whole, which takes some 60 bytes of memory a pixel.
   * Without it: true.
   */
  wholeWebp?: boolean;
  /** Who codes the tiles of a model. Without it they are coded one after the other in this thread. */
  coderOf?: (model: Model) => Promise<TileCoder>;
}

/** One image's coding under way. */
export class Coding {
  #done = 0;
  readonly #coders = new Map<string, Promise<TileCoder>>();

  /** @param total pixels of all layers */
  constructor(
    readonly options: CodingOptions,
    readonly total: number,
  ) {}

  /** The coder of a model's tiles, made once. */
  coder(model: Model): Promise<TileCoder> {
    let coder = this.#coders.get(model.hash);
    if (!coder) {
      coder = (this.options.coderOf ?? localCoder)(model);
      this.#coders.set(model.hash, coder);
    }
    return coder;
  }

  /** Runs `work` over all tiles, at most `concurrency` at once; after a failure no further tile is begun. */
  async forEachTile(
    tiles: readonly Tile[],
    concurrency: number,
    work: (tile: Tile, index: number) => Promise<void>,
  ): Promise<void> {
    let next = 0;
    const lane = async () => {
      while (next < tiles.length) {
        const index = next++;
        try {
          await this.turn();
          await work(tiles[index], index);
        } catch (error) {
          next = tiles.length;
          throw error;
        }
        this.advance(tiles[index].width * tiles[index].height);
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, tiles.length) }, lane));
  }

  /**
   * Gives the event loop a turn, in which a page can show progress and a signal can come.
   *
   * @throws the signal's reason
   */
  async turn(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    this.options.signal?.throwIfAborted();
  }

  /** Tells that so many pixels of a layer are done. */
  advance(pixels: number): void {
    this.#done += pixels;
    this.options.onProgress?.(this.#done / this.total);
  }
}

async function localCoder(model: Model): Promise<TileCoder> {
  const codec = await TileCodec.create(model);
  return {
    concurrency: 1,
    encode: async (samples, shape) => codec.encode(samples, shape),
    decode: async (payload, shape) => codec.decode(payload, shape),
  };
}
