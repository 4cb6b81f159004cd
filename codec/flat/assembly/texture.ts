// What a tile tells of its texture (`codec/flow/texture.ts`).

import { TEXTURE_VALUES } from './layout';

export const TEXTURE_LEVELS: u32 = 48;
/** An eighth of a sample is the unit in which distances are counted. */
const UNIT: f64 = 8;

const sums: usize = memory.data(8 * 3 * TEXTURE_VALUES, 8);
const counts: usize = memory.data(8 * TEXTURE_VALUES, 8);

/** Whether samples, float32 integers, have the texture levels at an address, a byte each. */
export function hasTexture(levels: usize, samples: usize, width: i32, height: i32, channels: i32): bool {
  memory.fill(sums, 0, 8 * 3 * TEXTURE_VALUES);
  memory.fill(counts, 0, 8 * TEXTURE_VALUES);
  const pixel = <usize>channels << 2;
  const line = <usize>width * pixel;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = samples + <usize>y * line + <usize>x * pixel;
      if (x > 0 && x < width - 1) add(at, pixel, channels, x & 1);
      if (y > 0 && y < height - 1) add(at, line, channels, 2 + (y & 1));
    }
  }
  for (let i = 0; i < channels * TEXTURE_VALUES; i++) {
    const count = load<f64>(counts + (<usize>(i & 3) << 3));
    const value = floor<f64>((UNIT * load<f64>(sums + (<usize>i << 3))) / (2 * max<f64>(1, count)));
    if (<u32>load<u8>(levels + i) != level(value < 2147483647 ? <u32>value : 2147483647)) return false;
  }
  return true;
}

@inline
function add(at: usize, stride: usize, channels: i32, value: i32): void {
  const counted = counts + (<usize>value << 3);
  store<f64>(counted, load<f64>(counted) + 1);
  for (let c = 0; c < channels; c++) {
    const own = at + (<usize>c << 2);
    const distance = 2 * <f64>load<f32>(own) - <f64>load<f32>(own - stride) - <f64>load<f32>(own + stride);
    const sum = sums + (<usize>(c * TEXTURE_VALUES + value) << 3);
    store<f64>(sum, load<f64>(sum) + abs<f64>(distance));
  }
}

/** Quarter octaves of an integer: 0, 1, 2, 3, then four levels for each power of two, up to the highest level. */
function level(value: u32): u32 {
  if (value < 4) return value;
  const octave = 31 - clz<u32>(value);
  return min<u32>(4 * (octave - 1) + ((value >> (octave - 2)) & 3), TEXTURE_LEVELS - 1);
}
