/** Where every bit of a file went, measured on the stacks that it holds. */

import type { Model } from '../../codec/flow/model.js';
import { OFFSETS, pyramid, sites } from '../../codec/flow/pyramid.js';
import { COMPONENTS, plainBits, type Trace } from '../../codec/flow/tile-codec.js';
import type { Image } from '../../codec/image.js';
import { tileLayout } from '../../codec/tiles.js';
import { PASSES, type Pass } from '../../models/definition.js';
import { encodeTraced, type TracedTile } from '../traced.js';

export type Component = (typeof COMPONENTS)[number];

/** Bits of one kind; less than 0 where they came off the stack. */
export interface Entry {
  /** 0 is the finest. */
  readonly level: number;
  readonly pass: Pass;
  readonly channel: number;
  readonly component: Component;
  bits: number;
}

/** All in bits; `entries`, `plain`, `ends` and `container` together are the file, but for rounding on the stack. */
export interface Account {
  readonly file: number;
  readonly entries: readonly Entry[];
  /** The tiles' top samples and textures, coded plainly: by their number, not measured. */
  readonly plain: number;
  /** What the tiles' stacks are longer than what was added to them. */
  readonly ends: number;
  /** Header, lengths and checksums. */
  readonly container: number;
  /** Net bits of each pixel, row by row. */
  readonly pixels: Float64Array;
}

/**
 * @param image without alpha: one flow codes it
 * @throws {CnfzipError} `unsupported` if the image is not coded by the flow alone, `corrupt` if it does not come back exactly
 */
export async function account(image: Image, models: readonly Model[]): Promise<Account> {
  const coded: TracedTile[] = [];
  const { bytes, payloads } = await encodeTraced(image, models, (tile) => {
    coded.push(tile);
  });
  const { channels } = image;
  const net = coded.reduce((sum, { netBits }) => sum + netBits, 0);
  const traces = coded.map(({ trace }) => trace);
  return {
    file: 8 * bytes,
    entries: sumUp(traces, channels),
    plain: coded.reduce((sum, { shape }) => sum + plainBits(shape.depth) * channels, 0),
    ends: 8 * payloads - net,
    container: 8 * (bytes - payloads),
    pixels: perPixel(image, traces),
  };
}

function sumUp(traces: readonly Trace[], channels: number): Entry[] {
  const entries = new Map<string, Entry>();
  for (const trace of traces) {
    for (const [level, passes] of trace.entries()) {
      for (const pass of PASSES) {
        for (const [i, bits] of passes[pass].bits.entries()) {
          const component = COMPONENTS[i % COMPONENTS.length];
          const channel = Math.floor(i / COMPONENTS.length) % channels;
          const key = [level, pass, channel, component].join();
          const entry = entries.get(key);
          if (entry) entry.bits += bits;
          else entries.set(key, { level, pass, channel, component, bits });
        }
      }
    }
  }
  return [...entries.values()];
}

/**
 * Net bits of each pixel of an image, row by row: the components of its site together.
 *
 * @param traces of the image's tiles
 */
export function perPixel({ width, height, channels }: Image, traces: readonly Trace[]): Float64Array {
  const pixels = new Float64Array(width * height);
  for (const [index, tile] of tileLayout(width, height).entries()) {
    for (const [level, size] of pyramid(tile.height, tile.width).entries()) {
      for (const pass of PASSES) {
        const { rows, columns } = sites(size, pass);
        const [dy, dx] = OFFSETS[pass];
        const { bits } = traces[index][level][pass];
        const perSite = channels * COMPONENTS.length;
        for (let i = 0; i < rows * columns; i++) {
          const y = tile.y + ((2 * Math.floor(i / columns) + dy) << level);
          const x = tile.x + ((2 * (i % columns) + dx) << level);
          for (let c = 0; c < perSite; c++) pixels[y * width + x] += bits[i * perSite + c];
        }
      }
    }
  }
  return pixels;
}
