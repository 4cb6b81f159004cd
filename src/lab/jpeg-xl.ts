/** Lengths of images by JPEG XL, where the package is installed that has it: ImageMagick with libjxl as WebAssembly. */

import { fileURLToPath } from 'node:url';
import { CnfzipError } from '../../codec/error.js';
import type { Image } from '../../codec/image.js';
import { readInput } from '../io/files/read.js';
import { encodePng } from '../io/png.js';
import { isInstalled } from '../package/packages.js';

const PACKAGE = '@imagemagick/magick-wasm';
/** How to have it, for a report. */
export const JPEG_XL_MISSING = `JPEG XL is not at hand: npm i ${PACKAGE}`;
const EFFORT = '7';

/**
 * Bytes of an RGB image of 8 bits as a lossless JPEG XL file without metadata, decoded again and compared; nothing if the package is not installed.
 *
 * @throws {CnfzipError} (by what is returned) `corrupt` if an image does not come back exactly
 */
export async function jpegXl(): Promise<((image: Image) => number) | undefined> {
  if (!isInstalled(PACKAGE)) return undefined;
  const { ImageMagick, initializeImageMagick, MagickFormat } = await import('@imagemagick/magick-wasm');
  await initializeImageMagick(await readInput(fileURLToPath(import.meta.resolve(`${PACKAGE}/magick.wasm`))));
  return (image) => {
    const file = ImageMagick.read(encodePng(image), (read) => {
      read.strip();
      // For JPEG XL, 100 is lossless.
      read.quality = 100;
      read.settings.setDefine(MagickFormat.Jxl, 'effort', EFFORT);
      return read.write(MagickFormat.Jxl, (bytes) => bytes.slice());
    });
    const samples = ImageMagick.read(file, MagickFormat.Jxl, (read) => {
      read.depth = 8;
      return read.write(MagickFormat.Rgb, (bytes) => bytes.slice());
    });
    if (samples.length !== image.samples.length || !image.samples.every((value, i) => value === samples[i]))
      throw new CnfzipError('corrupt', 'JPEG XL does not give an image back exactly');
    return file.length;
  };
}
