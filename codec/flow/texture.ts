/**
 * What a tile tells about its texture before all else: how far its samples lie from the line through their neighbours, along
 * rows and columns, at even and odd positions. It shows noise, blur, and planes that were interpolated from half their
 * resolution, as the chroma of scans and video stills often is.
 */

import { TEXTURE_VALUES } from '../../models/definition.js';

/** A texture value is one of so many levels, four to an octave. */
export const TEXTURE_LEVELS = 48;

/** An eighth of a sample is the unit in which distances are counted. */
const UNIT = 8;

/**
 * Of each channel: along rows at even and odd columns, along columns at even and odd rows.
 *
 * @param samples height * width * channels integers, channels of a pixel side by side
 * @returns `channels * TEXTURE_VALUES` levels, 0 .. TEXTURE_LEVELS - 1; where the tile has no such sample 0
 */
export function tileTexture(
  samples: Int32Array | Float32Array,
  width: number,
  height: number,
  channels: number,
): Uint8Array {
  const sums = new Float64Array(channels * TEXTURE_VALUES);
  const counts = new Float64Array(TEXTURE_VALUES);
  const line = width * channels;
  const add = (value: number, first: number, count: number, step: number, reach: number) => {
    counts[value] += count;
    for (let c = 0; c < channels; c++) {
      sums[c * TEXTURE_VALUES + value] += distances(samples, first + c, count, step, reach);
    }
  };
  for (let y = 0; y < height; y++) {
    const first = y * line;
    for (const parity of [0, 1]) {
      const x = 2 - parity;
      add(parity, first + x * channels, Math.max(0, (width - x) >> 1), 2 * channels, channels);
    }
    if (y > 0 && y < height - 1) add(2 + (y & 1), first, width, channels, line);
  }
  return Uint8Array.from(sums, (sum, i) =>
    textureLevel(Math.floor((UNIT * sum) / (2 * Math.max(1, counts[i % TEXTURE_VALUES])))),
  );
}

/** How far `count` samples, `step` apart, lie in sum from the middles of those at a distance of `reach` on both sides, twice. */
function distances(
  samples: Int32Array | Float32Array,
  first: number,
  count: number,
  step: number,
  reach: number,
): number {
  let sum = 0;
  const end = first + count * step;
  for (let at = first; at < end; at += step) {
    sum += Math.abs(2 * samples[at] - samples[at - reach] - samples[at + reach]);
  }
  return sum;
}

/** Quarter octaves of an integer, in integers: 0, 1, 2, 3, then four levels for each power of two, up to the highest level. */
function textureLevel(value: number): number {
  if (value < 4) return value;
  const octave = 31 - Math.clz32(value);
  return Math.min(4 * (octave - 1) + ((value >> (octave - 2)) & 3), TEXTURE_LEVELS - 1);
}

/** Texture levels as the context network sees them, about -2 .. 4. */
export function textureInputs(texture: Uint8Array): Float32Array {
  return Float32Array.from(texture, (level) => level / 8 - 2);
}
