/** Small images of large ones, for file managers: a part of the file is read, and what it shows is averaged. */

import { type Image, maxvalOf } from '../../codec/image.js';
import { type CodecOptions, open } from '../index.js';
import { expand } from '../io/expand.js';
import { encodePng } from '../io/png.js';

/**
 * A PNG whose longer side is at most `size` pixels, of 8 bits. Of the file the coarsest scale is decoded that has as many.
 *
 * @param path of a `.cnfz` file
 * @throws CnfzipError as `open`
 */
export async function thumbnail(path: string, size: number, options: CodecOptions): Promise<Uint8Array> {
  const file = await open(path, options);
  try {
    const { width, height } = file.info;
    let scale = 1;
    while ((Math.max(width, height) * scale) / 2 >= size) scale /= 2;
    const image = expand(await file.decode({ scale }));
    return encodePng(shrink(image, Math.min(1, size / Math.max(image.width, image.height))));
  } finally {
    await file.close();
  }
}

/**
 * @param factor 0 .. 1, of both sides
 * @returns an image of 8 bits: each pixel the mean of those that it covers, colours weighted by alpha
 */
function shrink(image: Image, factor: number): Image {
  const { channels, samples } = image;
  const maxval = maxvalOf(image);
  const colours = channels % 2 === 0 ? channels - 1 : channels;
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * factor)));
  const out = new Uint8Array(width * height * channels);
  const sums = new Float64Array(channels);
  const from = (at: number, side: number, all: number) => Math.floor((at * all) / side);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      sums.fill(0);
      let weights = 0;
      let count = 0;
      for (let v = from(y, height, image.height); v < from(y + 1, height, image.height); v++) {
        for (let u = from(x, width, image.width); u < from(x + 1, width, image.width); u++) {
          const at = (v * image.width + u) * channels;
          const weight = colours < channels ? samples[at + colours] : 1;
          for (let c = 0; c < colours; c++) sums[c] += weight * samples[at + c];
          weights += weight;
          count++;
        }
      }
      const at = (y * width + x) * channels;
      for (let c = 0; c < colours; c++) out[at + c] = weights > 0 ? Math.round((255 * sums[c]) / weights / maxval) : 0;
      if (colours < channels) out[at + colours] = Math.round((255 * weights) / count / maxval);
    }
  }
  return { width, height, channels, maxval: 255, samples: out };
}
