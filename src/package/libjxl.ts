/** libjxl as ImageMagick's WebAssembly has it, an optional package: newer than that of most systems. One thread. */

import { fileURLToPath } from 'node:url';
import { readInput } from '../io/files/read.js';

export const LIBJXL_PACKAGE = '@imagemagick/magick-wasm';

export interface Libjxl {
  /** A lossless JPEG XL file of an image file's samples, without metadata; effort 1 .. 9. */
  encode(file: Uint8Array, effort: string): Uint8Array;
  /** A JPEG XL file's samples: as a PNG file, or as 8 bits of red, green and blue a pixel. */
  decode(file: Uint8Array, to: 'png' | 'rgb'): Uint8Array;
}

/** Loads the package, which must be installed. */
export async function openLibjxl(): Promise<Libjxl> {
  const { ImageMagick, initializeImageMagick, MagickFormat } = await import('@imagemagick/magick-wasm');
  await initializeImageMagick(await readInput(fileURLToPath(import.meta.resolve(`${LIBJXL_PACKAGE}/magick.wasm`))));
  return {
    encode: (file, effort) =>
      ImageMagick.read(file, (image) => {
        image.strip();
        // For JPEG XL, 100 is lossless.
        image.quality = 100;
        image.settings.setDefine(MagickFormat.Jxl, 'effort', effort);
        return image.write(MagickFormat.Jxl, (bytes) => bytes.slice());
      }),
    decode: (file, to) =>
      ImageMagick.read(file, MagickFormat.Jxl, (image) => {
        image.strip();
        if (to === 'rgb') image.depth = 8;
        return image.write(to === 'rgb' ? MagickFormat.Rgb : MagickFormat.Png, (bytes) => bytes.slice());
      }),
  };
}
