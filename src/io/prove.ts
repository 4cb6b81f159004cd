/** Image files that are proven to hold their image before anything relies on them. */
import { CnfzipError } from '../../codec/error.js';
import { type Channels, type Image, maxvalOf, sameImage } from '../../codec/image.js';
import { expand } from './expand.js';
import { naturalFormat, type OutputFormat, readImage, writeImage } from './formats.js';
import { fitsPng } from './png.js';
import { scaleSamples } from './scale.js';

/** Places of red, green, blue and alpha among the channels; without alpha a pixel is opaque. */
const PLACES: Record<Channels, readonly number[]> = { 1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [0, 1, 2], 4: [0, 1, 2, 3] };

/**
 * The bytes of an image file, as `writeImage` gives them, after they were read again and compared. A PNG of the image's own range
 * must give the same image: samples, palette and metadata. Of other files red, green, blue and alpha of every pixel must be
 * the image's, scaled to the file's range: these formats know no palette, some no gray or no alpha, and no metadata is written.
 *
 * @throws CnfzipError `unsupported` if the format cannot hold the samples, `corrupt` if the file does not hold the image
 */
export async function writeProven(
  image: Image,
  format: OutputFormat = naturalFormat({ ...image, maxval: maxvalOf(image) }),
): ReturnType<typeof writeImage> {
  const written = await writeImage(image, format);
  if (await holdsImage(written.bytes, image, format)) return written;
  throw new CnfzipError('corrupt', `the ${format} file of it does not hold the same image; nothing is written`);
}

/** Whether a file of the format, as `writeImage` makes it, holds an image. */
export async function holdsImage(bytes: Uint8Array, image: Image, format: OutputFormat): Promise<boolean> {
  const back = await readImage(bytes).catch((error) => {
    // What cannot be read here says nothing of the file.
    if (!(error instanceof CnfzipError) || error.code === 'unsupported') throw error;
    return undefined;
  });
  if (!back) return false;
  const exact = format === 'png' && fitsPng({ ...image, maxval: maxvalOf(image) });
  return exact ? sameImage(image, back.image) : sameColours(expand(image), expand(back.image));
}

/** Whether `b` has the colours of `a` in its own range; both without palettes. */
export function sameColours(a: Image, b: Image): boolean {
  if (a.width !== b.width || a.height !== b.height) return false;
  const maxval = maxvalOf(b);
  const samples = scaleSamples(a.samples, maxvalOf(a), maxval);
  const places = [PLACES[a.channels], PLACES[b.channels]];
  for (let pixel = 0; pixel < a.width * a.height; pixel++) {
    for (let c = 0; c < 4; c++) {
      const [from, to] = places.map((place) => place[c]);
      const wanted = from === undefined ? maxval : samples[pixel * a.channels + from];
      const found = to === undefined ? maxval : b.samples[pixel * b.channels + to];
      if (wanted !== found) return false;
    }
  }
  return true;
}
