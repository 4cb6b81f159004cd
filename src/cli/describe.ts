/** An image in a few words. */
import type { FileInfo } from '../index.js';

const KINDS = { 1: 'gray', 2: 'gray and alpha', 3: 'RGB', 4: 'RGBA' };

/** `768 x 512 RGB, 8 bits`. */
export function describeImage({
  width,
  height,
  channels,
  maxval,
  paletteColours,
}: Pick<FileInfo, 'width' | 'height' | 'channels' | 'maxval' | 'paletteColours'>): string {
  const kind = paletteColours > 0 ? `palette of ${paletteColours} colours` : KINDS[channels];
  const bits = Math.log2(maxval + 1);
  return `${width} x ${height} ${kind}, ${Number.isInteger(bits) ? `${bits} bits` : `values to ${maxval}`}`;
}

/** `1/8`. */
export function scaleName(scale: number): string {
  return scale === 1 ? '1' : `1/${1 / scale}`;
}
