/** Images without their metadata. */
import type { Image } from '../../codec/image.js';

/** Metadata that are kept even so: without them the samples would look different. */
const PART_OF_THE_PICTURE = ['tRNS'];

/** What of an image is compressed: with `strip` what changes its picture. */
export function imageToEncode<T extends Pick<Image, 'metadata'>>(image: T, { strip }: { strip?: boolean }): T {
  if (!strip) return image;
  return { ...image, metadata: image.metadata?.filter(({ type }) => PART_OF_THE_PICTURE.includes(type)) };
}

/** Why an image is not that of a file whose samples it has. */
export function onlyMetadataDiffer(file: string): string {
  return `all samples are those of ${file}, but the metadata are others (--strip leaves them out)`;
}
