import { CnfzipError } from '../../codec/error.js';
import { type Image, maxvalOf, sameImage } from '../../codec/image.js';
import { expand } from './expand.js';
import { naturalFormat, readImage, writeImage } from './formats.js';

/**
 * Checks that the file that an image is decompressed to is read as this image.
 *
 * @throws CnfzipError `corrupt`
 */
export async function checkWritten(image: Image): Promise<void> {
  const format = naturalFormat({ ...image, maxval: maxvalOf(image) });
  const { bytes } = await writeImage(image, format);
  const read = await readImage(bytes);
  // Netpbm knows neither palettes nor metadata.
  if (sameImage(read.image, format === 'png' ? image : { ...expand(image), metadata: undefined })) return;
  throw new CnfzipError('corrupt', `the ${format} file that it is decompressed to is not read as the decoded image`);
}
