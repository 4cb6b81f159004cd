/** Whether an archive holds what it was made of: all images of a folder or of a tar file, exactly, and no others. */

import { createHash } from 'node:crypto';
import { CnfzipError } from '../../codec/error.js';
import { type Image, maxvalOf } from '../../codec/image.js';
import { imageToEncode, onlyMetadataDiffer } from '../io/strip.js';
import type { Limits } from '../session/memory.js';
import type { NamedImage } from './create.js';
import { type ArchiveInput, readInputImage } from './input.js';

/** What of an image of the source is kept until the archive's comes: its digest, or why there is none. */
interface Original {
  readonly label: string;
  readonly digest?: Digest;
  readonly error?: unknown;
  isFound: boolean;
}

/** The source, read once: an archive has its images in another order, and there may be more of them than memory holds. */
export class Originals {
  readonly #originals: Map<string, Original>;

  private constructor(originals: Map<string, Original>) {
    this.#originals = originals;
  }

  /** @throws CnfzipError `file`, `corrupt` (a tar file); an image that cannot be read is told when its turn comes */
  static async read(input: ArchiveInput, options: Limits & { readonly strip?: boolean }): Promise<Originals> {
    const originals = new Map<string, Original>();
    for await (const file of input.files()) {
      const { name, label } = file;
      const twice = originals.has(name) && new CnfzipError('corrupt', `${label} is there twice`);
      const digest = await readInputImage(file, options).then(
        ({ named }) => ({ digest: digestOf(named.image) }),
        (error: unknown) => ({ error }),
      );
      originals.set(name, { label, ...(twice ? { error: twice } : digest), isFound: false });
    }
    return new Originals(originals);
  }

  /** @throws CnfzipError `corrupt` if the source has another image of that name, or none; why it could not be read */
  compare({ name, image }: NamedImage): void {
    const original = this.#originals.get(name);
    if (!original) throw new CnfzipError('corrupt', 'the source has no such image');
    original.isFound = true;
    if (original.error) throw original.error;
    const { digest, label } = original;
    const { picture, metadata } = digestOf(image);
    if (digest?.picture !== picture) throw new CnfzipError('corrupt', `the image in the archive differs from ${label}`);
    if (digest.metadata !== metadata) throw new CnfzipError('corrupt', onlyMetadataDiffer(label));
  }

  /** What was compared with nothing: label by name. */
  notFound(): ReadonlyMap<string, string> {
    const left = [...this.#originals].filter(([, { isFound }]) => !isFound);
    return new Map(left.map(([name, { label }]) => [name, label]));
  }
}

/** SHA-256 of all that `sameImage` compares: of what `--strip` leaves, and of all metadata. */
interface Digest {
  readonly picture: string;
  readonly metadata: string;
}

function digestOf(image: Image): Digest {
  const { width, height, channels, samples, palette = new Uint8Array() } = image;
  const { metadata: kept } = imageToEncode(image, { strip: true });
  const head = [width, height, channels, maxvalOf(image)];
  return {
    picture: hashOf([head, kindsOf(kept)], [samples, palette, ...dataOf(kept)]),
    metadata: hashOf(kindsOf(image.metadata), dataOf(image.metadata)),
  };
}

const kindsOf = (metadata: Image['metadata'] = []) => metadata.map(({ type, place }) => [type, place]);
const dataOf = (metadata: Image['metadata'] = []) => metadata.map(({ data }) => data);

function hashOf(head: unknown, pieces: readonly (Uint8Array | Uint16Array)[]): string {
  const hash = createHash('sha256').update(JSON.stringify([head, pieces.map(({ byteLength }) => byteLength)]));
  for (const { buffer, byteOffset, byteLength } of pieces) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}
