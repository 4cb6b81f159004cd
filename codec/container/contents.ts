/**
 * What a `.cnfz` file holds, as parts: bytes that are at hand, or places in a file that is still to be read.
 */

import type { Learning } from '../flow/learning.js';
import type { Channels } from '../image.js';

/** How a layer is coded: PNG's filters and deflate, WebP, or each tile on its own. */
export type Method = 'plain' | 'webp' | 'tiles';

/** How a tile is coded, or the whole of a layer that has no tiles. */
export type TileMethod = 'flow' | 'webp' | 'plain';

/** What decides the bits of a flow. */
export interface FlowId {
  /** Version of the kernel arithmetic, 1 .. 255. */
  readonly kernelVersion: number;
  /** 16 hexadecimal digits. */
  readonly modelHash: string;
  /** What of it goes on learning while it codes a tile. */
  readonly learning: Learning;
}

/** A tile's payload, cut where its scales end: all of it, in one or in several stages, the coarsest first. */
export interface TileOf<P> {
  readonly method: TileMethod;
  /** WebP and deflate have one. With n of them the first is needed for all scales, the last for 1, the one before for 1/2 ... */
  readonly stages: readonly P[];
}

/** Some channels of the image, coded together. */
export interface LayerOf<P> {
  readonly method: Method;
  /** For tiles, of which at least one is coded by a flow. */
  readonly flow?: FlowId;
  /** The values that occur, where they are few: see `alphabet.ts`. */
  readonly alphabet?: P;
  /** In the order of `tileLayout`, those of a flow with the same number of stages; one where the method is not `tiles`. */
  readonly tiles: readonly TileOf<P>[];
}

export interface ContentsOf<P> {
  /** Pixels, 1 .. `MAX_SIDE`; at most `MAX_PIXELS` in all. */
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  /** Largest value of a sample. */
  readonly maxval: number;
  /** Whether the samples are indexes of a palette, which the attachments hold. */
  readonly indexed: boolean;
  readonly attachments?: P;
  /** One with all channels, or colour and alpha. */
  readonly layers: readonly LayerOf<P>[];
}

/** Times that a layer's tiles are cut: 0 .. `MAX_SPLITS`. From 1/2^n on all scales need the same of it. */
export function splitsOf({ tiles }: LayerOf<unknown>): number {
  return tiles.reduce((most, { stages }) => Math.max(most, stages.length), 1) - 1;
}

/**
 * All parts in the order of the file: attachments, alphabets, what every scale needs; then what is needed for one scale after the
 * other, to 1.
 */
export function* partsOf<P>({ attachments, layers }: Pick<ContentsOf<P>, 'attachments' | 'layers'>): Generator<P> {
  if (attachments !== undefined) yield attachments;
  for (const { alphabet } of layers) if (alphabet !== undefined) yield alphabet;
  for (const { tiles } of layers) for (const { stages } of tiles) yield stages[0];
  for (let level = Math.max(...layers.map(splitsOf)) - 1; level >= 0; level--) {
    for (const layer of layers) {
      const stage = splitsOf(layer) - level;
      if (stage < 1) continue;
      for (const { stages } of layer.tiles) if (stage < stages.length) yield stages[stage];
    }
  }
}

/** Those of a tile's stages that it takes to decode it at 1/2^level. */
export function stagesFor<P>({ stages }: TileOf<P>, level: number): readonly P[] {
  return stages.slice(0, Math.max(1, stages.length - level));
}

/** The same contents with other parts, which are asked for in the order of the file. */
export function mapParts<P, Q>(contents: ContentsOf<P>, map: (part: P) => Q): ContentsOf<Q> {
  const mapped = new Map<P, Q>();
  for (const part of partsOf(contents)) mapped.set(part, map(part));
  const of = (part: P) => mapped.get(part)!;
  const { width, height, channels, maxval, indexed, attachments, layers } = contents;
  return {
    width,
    height,
    channels,
    maxval,
    indexed,
    attachments: attachments && of(attachments),
    layers: layers.map((layer) => ({
      ...layer,
      alphabet: layer.alphabet && of(layer.alphabet),
      tiles: layer.tiles.map((tile) => ({ ...tile, stages: tile.stages.map(of) })),
    })),
  };
}
