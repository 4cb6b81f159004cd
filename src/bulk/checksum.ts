/** Checksums of images' samples, as the manifest has them. */

import { crc32 } from '../../codec/container/crc32.js';
import type { Image } from '../../codec/image.js';
import type { NamedImage } from '../archive/create.js';
import { stemOf } from '../archive/extract.js';

/** Eight hexadecimal digits, of the samples as bytes, those of 16 bits lower byte first. */
export function samplesCrc32({ samples }: Image): string {
  return digitsOf(samples);
}

/** Of a set of images: of the lines `NAME CRC`, in the order of names without extensions, so that tar file and archive have the same. */
export class SetChecksum {
  readonly #lines: string[] = [];

  add({ name, image }: NamedImage): void {
    this.#lines.push(`${stemOf(name)} ${samplesCrc32(image)}\n`);
  }

  digits(): string {
    return digitsOf(new TextEncoder().encode(this.#lines.sort().join('')));
  }
}

function digitsOf(bytes: Uint8Array | Uint16Array): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}
