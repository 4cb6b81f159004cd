/** Large images made of photographs. */
import type { Image, ImageHeader } from '../../codec/image.js';
import { readImage } from '../index.js';
import type { BandedImage } from '../io/banded/image.js';

/** A mosaic of the photographs of files. */
export async function mosaicOfFiles(files: readonly string[], width: number, height: number): Promise<BandedImage> {
  return mosaic(await Promise.all(files.map((file) => readImage(file))), width, height);
}

/**
 * Photographs side by side and below each other, again and again, each cut to the size of the smallest and no two of a kind next to each
 * other, so that an image of any size has as much in it as they have.
 *
 * @param photographs of 8 bits and three channels
 */
export function mosaic(photographs: readonly Image[], width: number, height: number): BandedImage {
  const cell = {
    width: Math.min(...photographs.map(({ width }) => width)),
    height: Math.min(...photographs.map(({ height }) => height)),
  };
  const header: ImageHeader = { width, height, channels: 3, maxval: 255 };
  async function* bands() {
    for (let top = 0; top < height; top += cell.height) {
      const rows = Math.min(cell.height, height - top);
      const band = new Uint8Array(width * rows * 3);
      for (let left = 0, n = 3 * (top / cell.height); left < width; left += cell.width, n++) {
        const { samples, width: stride } = photographs[n % photographs.length];
        const columns = Math.min(cell.width, width - left);
        for (let row = 0; row < rows; row++) {
          const from = 3 * row * stride;
          band.set(samples.subarray(from, from + 3 * columns), 3 * (row * width + left));
        }
      }
      yield band;
    }
  }
  return { ...header, bands: bands() };
}
