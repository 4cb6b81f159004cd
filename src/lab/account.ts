/** Where every bit of a file went, measured on the stacks that it holds. */

import { USUAL_LEARNING } from '../../codec/flow/learning.js';
import type { Model } from '../../codec/flow/model.js';
import { OFFSETS, pyramid, sites } from '../../codec/flow/pyramid.js';
import { plainBits, TRACED, type Trace } from '../../codec/flow/tile-codec.js';
import type { Image } from '../../codec/image.js';
import { tileLayout } from '../../codec/tiles.js';
import { PASSES, type Pass } from '../../models/definition.js';
import { encodeTraced } from '../measure/traced.js';
import type { TracedTile } from '../measure/tracing.js';

/** Bits of one channel at one level in one pass. */
export interface Entry {
  /** 0 is the finest. */
  readonly level: number;
  readonly pass: Pass;
  readonly channel: number;
  bits: number;
  /** What they would have been if the flow knew nothing of a site's channels before this one. */
  alone: number;
  /** Coordinates, and what the channels before change their divergence by in magnitude, summed: what no normalization could do. */
  count: number;
  divergence: number;
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
  const { bytes, payloads } = await encodeTraced(image, models, USUAL_LEARNING, (tile) => {
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
        const bits = passes[pass];
        for (let i = 0; i * TRACED < bits.length; i++) {
          const channel = i % channels;
          const key = [level, pass, channel].join();
          const entry = entries.get(key) ?? { level, pass, channel, bits: 0, alone: 0, count: 0, divergence: 0 };
          entries.set(key, entry);
          entry.bits += bits[i * TRACED];
          entry.alone += bits[i * TRACED + 1];
          entry.count++;
          entry.divergence += Math.abs(bits[i * TRACED + 2]) / Math.LN2;
        }
      }
    }
  }
  return [...entries.values()];
}

/**
 * Net bits of each pixel of an image, row by row: the channels of its site together.
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
        const bits = traces[index][level][pass];
        for (let i = 0; i < rows * columns; i++) {
          const y = tile.y + ((2 * Math.floor(i / columns) + dy) << level);
          const x = tile.x + ((2 * (i % columns) + dx) << level);
          for (let c = 0; c < channels; c++) pixels[y * width + x] += bits[(i * channels + c) * TRACED];
        }
      }
    }
  }
  return pixels;
}
