/** Images whose rows come in bands, from the top, so that no more than a band of them is in memory. */
import type { Hash } from 'node:crypto';
import type { Image, ImageHeader } from '../../../codec/image.js';

/** Larger images go through memory by bands. */
export const WHOLE_PIXELS = 1 << 22;

/** Samples of whole rows. */
export type Band = Image['samples'];

/** Memory for the bytes of one band after the other. */
export class BandRoom {
  #bytes = new Uint8Array();

  /** So many bytes, in which something may be; those that were taken before are void. */
  take(count: number): Uint8Array<ArrayBuffer> {
    if (this.#bytes.length < count) this.#bytes = new Uint8Array(count);
    return this.#bytes.subarray(0, count);
  }
}

/** An image on its way to a file. */
export interface BandedImage extends ImageHeader {
  readonly bands: AsyncIterable<Band>;
}

/** A file that an image is read from. */
export interface BandedFile {
  /** Without the metadata behind the samples. */
  readonly header: ImageHeader;
  /**
   * Reads the samples. A band is void when the next is asked for.
   *
   * @param rows of each band; the image's in sum
   * @param room where they are read, of the file's own without it
   * @throws CnfzipError `bad-input`, `unsupported`, `file`
   */
  bands(rows: Iterable<number>, room?: BandRoom): AsyncGenerator<Band, void, undefined>;
  /** What was found when all bands were read: all metadata; and what of the file is not in the image, a line each. */
  found(): { readonly metadata: ImageHeader['metadata']; readonly lost: readonly string[] };
}

/** Adds a band to a digest of samples: as bytes, those of 16 bits in the machine's order. */
export function updateWithBand(digest: Hash, { buffer, byteOffset, byteLength }: Band): void {
  digest.update(new Uint8Array(buffer, byteOffset, byteLength));
}
