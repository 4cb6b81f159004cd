// Lossless WebP: VP8L streams (RFC 9649, 3) of a layer's or a tile's size.

import { alloc } from './arena';
import { atEnd, openBits, overran, takeBits } from './bits';
import { CORRUPT, fail, failed } from './error';
import { decodePixels } from './webp-pixels';
import { forgetTransforms, readTransform, storedWidth, undoTransforms } from './webp-transforms';

const SIGNATURE: u32 = 0x2f;
const MOST_SIDE: u64 = 16383;
const MOST_PIXELS: u64 = 1 << 25;

/**
 * Decodes a stream of a layer of the given shape; returns the address of its pixels, ARGB in 32 bits each, 0 with an error. Gray must be
 * red = green = blue, and what has no alpha must be opaque.
 */
export function decodeWebp(at: usize, bytes: usize, width: u64, height: u64, channels: i32, maxval: u32): usize {
  if (maxval > 255 || width > MOST_SIDE || height > MOST_SIDE || width * height > MOST_PIXELS) return malformed();
  openBits(at, bytes);
  if (takeBits(8) != SIGNATURE) return malformed();
  const ownWidth = <u64>takeBits(14) + 1;
  const ownHeight = <u64>takeBits(14) + 1;
  if (ownWidth != width || ownHeight != height) return malformed();
  // Whether there is alpha is a hint; then comes the version.
  takeBits(1);
  if (takeBits(3) != 0 || overran()) return malformed();
  forgetTransforms();
  const pixels = alloc((width * height) << 2);
  if (!pixels) return 0;
  const columns = <i32>width;
  const rows = <i32>height;
  while (takeBits(1)) if (!readTransform(columns, rows)) return malformed();
  if (!decodePixels(pixels, storedWidth(columns), rows, true) || !atEnd()) return malformed();
  undoTransforms(pixels, columns, rows);
  return isOf(pixels, <usize>(width * height), channels) ? pixels : malformed();
}

function malformed(): usize {
  if (!failed()) fail(CORRUPT, 'damaged: its WebP data is malformed');
  return 0;
}

/** Whether pixels hold no more than so many channels. */
function isOf(pixels: usize, count: usize, channels: i32): bool {
  const isGray = channels < 3;
  const isOpaque = (channels & 1) == 1;
  for (const end = pixels + (count << 2); pixels < end; pixels += 4) {
    const argb = load<u32>(pixels);
    if (isOpaque && argb >> 24 != 255) return false;
    if (isGray && (((argb >> 16) ^ (argb >> 8)) | ((argb >> 8) ^ argb)) & 255) return false;
  }
  return true;
}
