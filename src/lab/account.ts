/** Where every bit of a file went, measured on the stacks that it holds. */

import type { TileCoder } from '../../codec/coding.js';
import { CnfzipError } from '../../codec/error.js';
import type { Model } from '../../codec/flow/model.js';
import { OFFSETS, pyramid, sites } from '../../codec/flow/pyramid.js';
import { COMPONENTS, plainBits, TileCodec, type TileShape, type Trace } from '../../codec/flow/tile-codec.js';
import { type Image, sameImage } from '../../codec/image.js';
import { tileLayout } from '../../codec/tiles.js';
import { PASSES, type Pass } from '../../models/definition.js';
import { decodeImage, encodeImage, info } from '../codec.js';

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

/** A tile that was coded. */
export interface Coded {
  readonly shape: TileShape;
  readonly trace: Trace;
  readonly netBits: number;
}

/** @throws {CnfzipError} `unsupported` if the image is not coded by one flow alone, `corrupt` if it does not come back exactly */
export async function account(image: Image, models: readonly Model[]): Promise<Account> {
  const coded: Coded[] = [];
  const coderOf = async (model: Model): Promise<TileCoder> => {
    const codec = await TileCodec.create(model);
    return {
      concurrency: 1,
      async encode(samples, shape) {
        const trace: Trace = [];
        const encoded = codec.encode(samples, shape, trace);
        coded.push({ shape, trace, netBits: encoded.netBits });
        return encoded;
      },
      decode: async (payload, shape) => codec.decode(payload, shape),
    };
  };
  const bytes = await encodeImage(image, models, { coderOf });
  if (!sameImage(await decodeImage(bytes, models, { coderOf }), image)) {
    throw new CnfzipError('corrupt', 'the decoded image differs from the original');
  }
  const { layers } = info(bytes);
  const tiles = layers.flatMap((layer) => layer.tiles);
  if (layers.length !== 1 || tiles.length === 0 || tiles.some(({ method }) => method !== 'flow')) {
    throw new CnfzipError('unsupported', 'only images that one flow codes alone can be accounted for');
  }
  const channels = layers[0].channels;
  const net = coded.reduce((sum, { netBits }) => sum + netBits, 0);
  const payloads = 8 * tiles.reduce((sum, tile) => sum + tile.bytes, 0);
  const file = 8 * bytes.length;
  return {
    file,
    entries: sumUp(coded, channels),
    plain: coded.reduce((sum, { shape }) => sum + plainBits(shape.depth) * channels, 0),
    ends: payloads - net,
    container: file - payloads,
    pixels: perPixel(image, coded, channels),
  };
}

function sumUp(coded: readonly Coded[], channels: number): Entry[] {
  const entries = new Map<string, Entry>();
  for (const { trace } of coded) {
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
 * @param coded the image's tiles
 */
export function perPixel({ width, height }: Image, coded: readonly Coded[], channels: number): Float64Array {
  const pixels = new Float64Array(width * height);
  for (const [index, tile] of tileLayout(width, height).entries()) {
    for (const [level, size] of pyramid(tile.height, tile.width).entries()) {
      for (const pass of PASSES) {
        const { rows, columns } = sites(size, pass);
        const [dy, dx] = OFFSETS[pass];
        const { bits } = coded[index].trace[level][pass];
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
