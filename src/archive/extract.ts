/** Images of an archive as files of their own, and as a tar file of these. */

import { extname } from 'node:path';
import { maxvalOf } from '../../codec/image.js';
import { extensionOf, naturalFormat, type OutputFormat } from '../io/formats.js';
import { kindOf } from '../io/netpbm-extension.js';
import { writeProven } from '../io/prove.js';
import type { TarFile } from '../io/tar.js';
import type { NamedImage } from './create.js';

/** A file that is proven to hold an image. */
export interface ExtractedFile extends TarFile {
  /** What of the image it does not hold. */
  readonly warnings: readonly string[];
}

/**
 * The image under its name, with the extension of the format that it is written in.
 *
 * @param format without it: the one that holds its samples
 * @throws CnfzipError as `writeProven`
 */
export async function extractedFile({ name, image }: NamedImage, format?: OutputFormat): Promise<ExtractedFile> {
  const written = format ?? naturalFormat({ ...image, maxval: maxvalOf(image) });
  const { bytes, warnings } = await writeProven(image, written);
  return { name: stemOf(name) + extensionOf(kindOf(image), written), bytes, warnings };
}

/** A name without its extension: what an image keeps of it when it is extracted. */
export function stemOf(name: string): string {
  return name.slice(0, name.length - extname(name).length);
}
