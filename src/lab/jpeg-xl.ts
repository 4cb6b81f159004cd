/** Lengths of images by JPEG XL, where the package is installed that has it. */

import { CnfzipError } from '../../codec/error.js';
import type { Image } from '../../codec/image.js';
import { encodePng } from '../io/png.js';
import { LIBJXL_PACKAGE, openLibjxl } from '../package/libjxl.js';
import { isInstalled } from '../package/packages.js';

/** How to have it, for a report. */
export const JPEG_XL_MISSING = `JPEG XL is not at hand: npm i ${LIBJXL_PACKAGE}`;
const EFFORT = '7';

/**
 * Bytes of an RGB image of 8 bits as a lossless JPEG XL file without metadata, decoded again and compared; nothing if the package is not installed.
 *
 * @throws {CnfzipError} (by what is returned) `corrupt` if an image does not come back exactly
 */
export async function jpegXl(): Promise<((image: Image) => number) | undefined> {
  if (!isInstalled(LIBJXL_PACKAGE)) return undefined;
  const libjxl = await openLibjxl();
  return (image) => {
    const file = libjxl.encode(encodePng(image), EFFORT);
    const samples = libjxl.decode(file, 'rgb');
    if (samples.length !== image.samples.length || !image.samples.every((value, i) => value === samples[i]))
      throw new CnfzipError('corrupt', 'JPEG XL does not give an image back exactly');
    return file.length;
  };
}
