// The samples that are shown: where those of tiles go, and how they are stored.

import { alloc } from './arena';
import { CORRUPT, fail } from './error';
import { head } from './head';
import { isEmpty, Place, Span, spanOf } from './tiles';

/** What a tile's decoder leaves: YCoCg-R or gray in float32; samples of one byte, or of two, the higher first; ARGB in 32 bits. */
export const COORDINATES: i32 = 0;
export const BYTES: i32 = 1;
export const PAIRS: i32 = 2;
export const ARGB: i32 = 3;

/** A tile that is decoded: of its rows and columns those that are multiples of 2^level are known, or only these are there. */
@unmanaged
export class Decoded {
  kind: i32;
  at: usize;
  channels: i32;
  /** Samples wrap to so many bits less 1. */
  mask: i32;
  /** Address of the values that the samples are indexes of, 16 bits each, and how many; 0 for none. */
  alphabet: usize;
  letters: u32;
}

/** What is wanted: a region, at 1/2^level; and its size in pixels then. */
export const region = changetype<Place>(memory.data(offsetof<Place>(), 8));
export let level: i32 = 0;
export let width: u64 = 0;
export let height: u64 = 0;

/** Address of the samples, and their bytes. */
export let samples: usize = 0;
export let bytes: usize = 0;

const all = changetype<Span>(memory.data(offsetof<Span>(), 8));
const span = changetype<Span>(memory.data(offsetof<Span>(), 8));
const pixel: usize = memory.data(16, 4);

/** Sets what is wanted from the region, at 1/2^level; whether that is any pixel. */
export function want(wantedLevel: i32): bool {
  level = wantedLevel;
  forgetSamples();
  spanOf(all, region, region, level);
  if (isEmpty(all)) return false;
  width = all.endColumn - all.firstColumn;
  height = all.endRow - all.firstRow;
  return true;
}

export function forgetSamples(): void {
  width = 0;
  height = 0;
  samples = 0;
  bytes = 0;
}

/** Bytes of a sample. */
export function sampleBytes(): i32 {
  return head.maxval > 255 ? 2 : 1;
}

/** Takes the memory of the samples that are wanted. */
export function openSamples(): bool {
  const size = width * height * <u64>head.channels * <u64>sampleBytes();
  samples = alloc(size);
  if (!samples) return false;
  bytes = <usize>size;
  return true;
}

/** Whether anything of a tile is wanted. */
export function isWanted(place: Place): bool {
  spanOf(span, region, place, level);
  return !isEmpty(span);
}

/** Puts what is wanted of a tile into the samples, from channel `channel` on. */
export function show(tile: Decoded, place: Place, channel: i32): bool {
  spanOf(span, region, place, level);
  const step = <usize>1 << level;
  const count = tile.channels;
  const size = <usize>sampleBytes();
  const toPixel = <usize>head.channels * size;
  const left = <usize>((span.firstColumn << level) - place.x);
  for (let row = span.firstRow; row < span.endRow; row++) {
    let from = <usize>((row << level) - place.y) * <usize>place.width + left;
    const at = (row - all.firstRow) * width + span.firstColumn - all.firstColumn;
    let to = samples + <usize>at * toPixel + <usize>channel * size;
    for (let column = span.firstColumn; column < span.endColumn; column++) {
      takePixel(tile, from);
      for (let c = 0; c < count; c++) {
        let value = load<u32>(pixel + (<usize>c << 2));
        if (tile.alphabet) {
          if (value >= tile.letters) return fail(CORRUPT, 'damaged: a sample is none of the values that occur');
          value = load<u16>(tile.alphabet + (<usize>value << 1));
        }
        if (value > head.maxval) return fail(CORRUPT, 'damaged: a sample is above the largest value');
        if (size == 1) store<u8>(to + <usize>c, <u8>value);
        else store<u16>(to + (<usize>c << 1), <u16>value);
      }
      from += step;
      to += toPixel;
    }
  }
  return true;
}

@inline
function set(channel: usize, value: u32): void {
  store<u32>(pixel + (channel << 2), value);
}

/** Takes the samples of one pixel of a tile, by its number. */
@inline
function takePixel(tile: Decoded, number: usize): void {
  const channels = <usize>tile.channels;
  if (tile.kind == COORDINATES) {
    takeCoordinates(tile, tile.at + ((number * channels) << 2));
  } else if (tile.kind == ARGB) {
    takeArgb(channels, load<u32>(tile.at + (number << 2)));
  } else if (tile.kind == BYTES) {
    const at = tile.at + number * channels;
    for (let c: usize = 0; c < channels; c++) set(c, load<u8>(at + c));
  } else {
    const at = tile.at + ((number * channels) << 1);
    for (let c: usize = 0; c < channels; c++) set(c, bswap<u16>(load<u16>(at + (c << 1))));
  }
}

/** Undoes the reversible colour (`codec/flow/colour.ts`). */
@inline
function takeCoordinates(tile: Decoded, at: usize): void {
  const y = <i32>load<f32>(at);
  if (tile.channels == 1) {
    set(0, y & tile.mask);
    return;
  }
  const co = <i32>load<f32>(at, 4);
  const cg = <i32>load<f32>(at, 8);
  const t = y - (cg >> 1);
  const blue = t - (co >> 1);
  set(0, (blue + co) & tile.mask);
  set(1, (cg + t) & tile.mask);
  set(2, blue & tile.mask);
}

/** Gray is red, alpha the last of two or four. */
@inline
function takeArgb(channels: usize, argb: u32): void {
  set(0, (argb >> 16) & 255);
  if (channels == 2) set(1, argb >> 24);
  if (channels < 3) return;
  set(1, (argb >> 8) & 255);
  set(2, argb & 255);
  if (channels == 4) set(3, argb >> 24);
}
