/** Files of which only a part is read: a smaller image, a region, ever finer images. */

import { decodeContainer } from './codec.js';
import type { CodingOptions } from './coding.js';
import { type Attachments, attachedBytes, checkAttachedLength, readAttachments } from './container/attachments.js';
import { CutShortError } from './container/bytes.js';
import { checkChecksum, checkEnd, checkPart, type SealedContainer } from './container/container.js';
import { mapParts, stagesFor } from './container/contents.js';
import { type Head, type Part, readHead } from './container/head.js';
import { CnfzipError } from './error.js';
import type { Model } from './flow/model.js';
import type { Image } from './image.js';
import { describe, type FileInfo } from './info.js';
import { type Source, toSource } from './source.js';
import { tileLayout } from './tiles.js';
import { hasPixels, levelOf, type Region, type View, type ViewOptions, viewOf, wantedTiles } from './view.js';

/** Bytes that are read to begin with: all of a small file, and the head of most others. */
const FIRST_READ = 1 << 16;

/** Neighbours are read together up to so many bytes, so that no memory is taken for all of a large file to check it. */
const MOST_TOGETHER = 1 << 26;

export interface DecodeOptions extends CodingOptions, ViewOptions {}

/** What is known of a file before its metadata are inflated. */
export interface Announced extends Pick<Head, 'width' | 'height' | 'channels' | 'maxval'> {
  /** Bytes that palette and metadata are inflated to. */
  readonly metadataBytes: number;
}

/** An image, and at which scale it shows its file's. */
export interface ScaledImage {
  readonly scale: number;
  readonly image: Image;
}

/**
 * Opens a `.cnfz` file: reads its head and metadata, no more.
 *
 * @param given its bytes, a Blob, or a source such as `httpSource` makes
 * @param admit throws if that would be too much
 * @throws CnfzipError `usage`, `bad-input`, `corrupt` or `unsupported` as `info`; what the source throws
 * @example
 * ```js
 * import { readFile } from 'node:fs/promises';
 * import { openImage } from 'cnfzip/codec';
 *
 * const file = await openImage(new Blob([await readFile('photo.cnfz')]));
 * console.log(file.info.width, file.info.layers[0].modelHash, file.metadata);
 * ```
 */
export async function openImage(
  given: Uint8Array | Blob | Source,
  admit?: (announced: Announced) => void,
): Promise<OpenedImage> {
  const source = toSource(given);
  const { head, bytes } = await loadHead(source);
  if (source.size !== undefined) checkEnd(head, source.size);
  // A small file is checked as a whole, and at hand.
  const small = head.samplesChecksum === undefined;
  if (small) checkEnd(head, bytes.length);
  const parts = new Parts(small ? toSource(bytes) : source);
  if (head.attachments) {
    checkAttachedLength(head.attachments);
    await parts.load([head.attachments]);
  }
  const container = parts.of(head);
  const { width, height, channels, maxval } = head;
  admit?.({ width, height, channels, maxval, metadataBytes: attachedBytes(container) });
  return new OpenedImage(head, parts, readAttachments(container));
}

async function loadHead(source: Source): Promise<{ head: Head; bytes: Uint8Array }> {
  for (let wanted = FIRST_READ; ; wanted *= 2) {
    const bytes = await source.read(0, wanted);
    try {
      return { head: readHead(bytes), bytes };
    } catch (error) {
      if (!(error instanceof CutShortError) || bytes.length < wanted) throw error;
    }
  }
}

/** Parts of a file that were read and checked. */
class Parts {
  readonly #loaded = new Map<Part, Uint8Array>();

  constructor(readonly source: Source) {}

  /** Reads those that are not there yet. */
  async load(parts: readonly Part[], signal?: AbortSignal): Promise<void> {
    for await (const [part, bytes] of this.read(parts, signal)) this.#loaded.set(part, bytes);
  }

  /** Those that are not there yet, checked, with their bytes, which are not kept; neighbours are read together. */
  async *read(parts: readonly Part[], signal?: AbortSignal): AsyncGenerator<[Part, Uint8Array], void, undefined> {
    const missing = parts.filter((part) => !this.#loaded.has(part)).sort((a, b) => a.offset - b.offset);
    for (let from = 0, to = 0; from < missing.length; from = to) {
      const { offset } = missing[from];
      let end = offset;
      const follows = (part: Part) => part.offset === end && end + part.length - offset <= MOST_TOGETHER;
      do end += missing[to++].length;
      while (to < missing.length && follows(missing[to]));
      signal?.throwIfAborted();
      const bytes = end > offset ? await this.source.read(offset, end - offset) : new Uint8Array();
      for (const part of missing.slice(from, to)) {
        const start = part.offset - offset;
        yield [part, checkPart(part, bytes.subarray(start, start + part.length))];
      }
    }
  }

  /** A file's container, in which what was not read is empty. */
  of(head: Head): SealedContainer {
    const container = mapParts(head, (part) => this.#loaded.get(part) ?? new Uint8Array());
    return { ...container, samplesChecksum: head.samplesChecksum };
  }

  /** The same parts, to which more may come that these need not keep. */
  copy(): Parts {
    const copy = new Parts(this.source);
    for (const [part, bytes] of this.#loaded) copy.#loaded.set(part, bytes);
    return copy;
  }
}

/** A `.cnfz` file that is open: `openImage` makes it. */
export class OpenedImage {
  readonly info: FileInfo;
  readonly palette: Image['palette'];
  readonly metadata: Image['metadata'];
  readonly #head: Head;
  readonly #attached: Attachments;
  readonly #parts: Parts;
  readonly #keeps: boolean;

  /** @internal */
  constructor(head: Head, parts: Parts, attached: Attachments, keeps = false) {
    this.info = describe(head, attached);
    this.palette = attached.palette;
    this.metadata = attached.metadata;
    this.#head = head;
    this.#attached = attached;
    this.#parts = parts;
    this.#keeps = keeps;
  }

  /** The same file, which keeps all that it reads, for what is to be decoded of it several times. */
  keeping(): OpenedImage {
    return new OpenedImage(this.#head, this.#parts.copy(), this.#attached, true);
  }

  /**
   * Decodes the image, a smaller one, a region, or a region of a smaller one, and reads no more of the file than that needs (see
   * `FileInfo.scales`). A smaller image is exactly those pixels whose rows and columns are multiples of 1/scale: nothing is averaged.
   * What WebP or deflate have coded is decoded as a whole for any scale: a tile, or a layer that has no tiles.
   *
   * @param models the models at hand
   * @throws CnfzipError as `decodeImage`; `usage` if there is no such scale or region; what the source throws
   */
  async decode(models: readonly Model[], options: DecodeOptions = {}): Promise<Image> {
    const view = viewOf(this.info, options);
    const parts = this.#keeps ? this.#parts : this.#parts.copy();
    await parts.load(this.#wanted(view), options.signal);
    return decodeContainer(parts.of(this.#head), models, options, view);
  }

  /**
   * The image in bands of whole rows, from the top, each of one row of tiles: what `decode` takes the least memory for. One band if
   * a layer has no tiles.
   */
  bands(): Region[] {
    const { width, height, layers } = this.#head;
    if (layers.some(({ method }) => method !== 'tiles')) return [{ x: 0, y: 0, width, height }];
    return tileLayout(width, height).flatMap(({ x, y, height }) => (x === 0 ? [{ x, y, width, height }] : []));
  }

  /**
   * Checks what all bands were decoded to.
   *
   * @param checksum CRC-32 of the samples of all of them, in their order
   * @throws CnfzipError `corrupt`
   */
  checkBands(checksum: number): void {
    checkChecksum(this.#head, checksum);
  }

  /**
   * Ever finer images, each as soon as its part of the file is there: the scales of `FileInfo.scales`. Each is decoded from the
   * beginning, which in all takes a third longer than the finest alone. Where the file is cut short or damaged the images before
   * that still come, then the error.
   *
   * @param options.scale with which to end
   */
  async *finer(models: readonly Model[], options: DecodeOptions = {}): AsyncGenerator<ScaledImage, void, undefined> {
    const file = this.keeping();
    for (const scale of this.scalesTo(options)) {
      yield { scale, image: await file.decode(models, { ...options, scale }) };
    }
  }

  /**
   * The finest scale for which all that is needed is there and undamaged, as its checksums say: 1 for a whole file; nothing if there
   * is none. Reads that much.
   *
   * @throws what the source throws, other than `corrupt`
   */
  async available(region?: Region): Promise<number | undefined> {
    const checked = new Set<Part>();
    let found: number | undefined;
    for (const scale of this.scalesTo({ region })) {
      try {
        const parts = this.#wanted(viewOf(this.info, { scale, region })).filter((part) => !checked.has(part));
        for await (const [part] of this.#parts.read(parts)) checked.add(part);
      } catch (error) {
        if (error instanceof CnfzipError && error.code === 'corrupt') break;
        throw error;
      }
      found = scale;
    }
    return found;
  }

  /**
   * The scales of `FileInfo.scales` at which there is anything of a region, the coarsest first, to the one that is wanted.
   *
   * @throws CnfzipError `usage` if there is no such scale or region
   */
  scalesTo({ scale: finest = 1, region }: ViewOptions): number[] {
    const view = viewOf(this.info, { scale: finest, region });
    const coarser = this.info.scales.map(({ scale }) => scale).filter((scale) => scale < finest);
    return [...coarser.filter((scale) => hasPixels({ ...view, level: levelOf(scale) })), finest];
  }

  #wanted(view: View): Part[] {
    return this.#head.layers.flatMap((layer) => [
      ...(layer.alphabet ? [layer.alphabet] : []),
      ...wantedTiles(layer, this.#head, view).flatMap(({ index, level }) => stagesFor(layer.tiles[index], level)),
    ]);
  }
}
