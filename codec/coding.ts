/** What coding needs beside the samples: models, who computes, who is told of progress. */
import { CnfzipError } from './error.js';
import { LEARNING, type Learning } from './flow/learning.js';
import { type Flow, flowKey } from './flow/model.js';
import { type EncodedTile, TileCodec } from './flow/tile-codec.js';
import { Kernels } from './kernels/kernels.js';
import { decodeFlowTile, encodeFlowTile, type FlowLayer, type FlowShape } from './layers/flow-tiles.js';
import { once } from './once.js';
import { Rooms } from './rooms.js';
import type { Tile } from './tiles.js';

/** Codes tiles by a flow, in this thread or in others. */
export interface TileCoder {
  /** Tiles that are worth having under way at once, at least 1. */
  readonly concurrency: number;
  /**
   * For samples of which `encode` needs no copy.
   *
   * @internal
   */
  readonly rooms?: Rooms;
  /** `place`: of the tile in its layer, or in a band of that; nothing where only a sample of a tile is tried. */
  encode(tile: FlowLayer, place?: Tile): Promise<EncodedTile>;
  /** `level`: of the tile come its rows and columns 0, 2^level, 2 * 2^level ..., of the first bytes of the payload (see `EncodedTile`). */
  decode(payload: Uint8Array, shape: FlowShape, level: number): Promise<FlowLayer['samples']>;
}

/** Gives what codes tiles by a flow. */
export type CoderOf = (flow: Flow) => Promise<TileCoder>;

export type Effort = 'low' | 'medium' | 'high';
export const EFFORTS: readonly Effort[] = ['low', 'medium', 'high'];

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
  /**
   * When encoding: `low` tries what is likely, for graphics in a fraction of the time, which may cost a third of their size;
   * `high` everything that may be smaller. Without it: `medium`, which first looks at what is likely to be worth its time, in samples of
   * the image, and loses less than 1 %.
   */
  effort?: Effort;
  /**
   * When decoding an image of one layer: memory for its samples, in which something may be. Without it they get their own.
   *
   * @internal
   */
  allocate?: (count: number, maxval: number) => Uint8Array | Uint16Array;
  /** Who codes the tiles of a flow. Without it they are coded one after the other in this thread. */
  coderOf?: CoderOf;
}

export interface EncodingOptions extends CodingOptions {
  /** Decode the result and compare, which takes as long again. Without it: true. */
  verify?: boolean;
  /**
   * What of the flow goes on learning while it codes, `none`, `heads`, `sparse` or `blocks`: with each files are smaller and take longer, both
   * ways. Without it: `heads`.
   */
  learning?: Learning;
}

/** Words that options are chosen from. */
const CHOICES = { learning: LEARNING, effort: EFFORTS } as const;

/** @throws CnfzipError `usage`, naming the option that is none of its words */
export function checkChoices(options: Partial<Record<keyof typeof CHOICES, unknown>>): void {
  for (const [name, words] of Object.entries(CHOICES)) {
    const value = options[name as keyof typeof CHOICES];
    if (value === undefined || words.some((word) => word === value)) continue;
    throw new CnfzipError('usage', `option ${name} must be one of ${words.join(', ')}`);
  }
}

/** One image's coding under way. */
export class Coding {
  #done = 0;
  /** For copies of tiles. */
  readonly rooms = new Rooms();
  /** The coder of a flow's tiles, made once. */
  readonly coder: CoderOf;

  /** @param total pixels of all tiles and layers that are to be coded */
  constructor(
    readonly options: CodingOptions,
    readonly total: number,
  ) {
    this.coder = oncePerFlow(options.coderOf);
  }

  /** Runs `work` over all tiles, at most `concurrency` at once, but one at least; after a failure no further tile is begun. */
  async forEachTile<T extends Tile>(
    tiles: readonly T[],
    concurrency: number,
    work: (tile: T, index: number) => Promise<void>,
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
    // A coder that promises less than one, or no number, must not leave tiles out.
    const lanes = Math.min(concurrency >= 1 ? concurrency : 1, tiles.length);
    await Promise.all(Array.from({ length: lanes }, lane));
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

/**
 * The parts of one piece of work, each with its share of the progress and all with the same coders.
 *
 * @param shares of the parts, in their order; 1 in sum
 */
export function codingParts(options: CodingOptions, shares: readonly number[]): CodingOptions[] {
  const { onProgress } = options;
  const coderOf = oncePerFlow(options.coderOf);
  return shares.map((share, i) => {
    const before = shares.slice(0, i).reduce((sum, earlier) => sum + earlier, 0);
    return { ...options, coderOf, onProgress: onProgress && ((part) => onProgress(before + share * part)) };
  });
}

/** Makes the coder of each flow once; without `coderOf`, one that codes in this thread. */
export function oncePerFlow(coderOf: CoderOf = inThisThread()): CoderOf {
  return once(coderOf, flowKey);
}

/** All flows share the memory of one instance of the kernels: it is as much as the largest tile takes. */
function inThisThread(): CoderOf {
  const kernels = once<void, Kernels>(() => Kernels.create());
  return async (flow) => {
    const codec = new TileCodec(await kernels(), flow);
    return {
      concurrency: 1,
      encode: async (tile) => encodeFlowTile(tile, codec),
      decode: async (payload, shape, level) => decodeFlowTile(payload, shape, level, codec),
    };
  };
}
