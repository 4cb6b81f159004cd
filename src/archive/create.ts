/** Makes archives: images of one size and kind are coded in sequence, in shards of a bounded length, all others each by itself. */

import type { CodedShard } from '../../codec/archive/directory.js';
import { fitsSequence, type ShardShape, writeArchive } from '../../codec/archive/directory.js';
import { MAX_NAMES, nameProblem } from '../../codec/archive/names.js';
import { decodeSequence, encodeSequence } from '../../codec/archive/sequence.js';
import { writeAttachments } from '../../codec/container/attachments.js';
import { CnfzipError } from '../../codec/error.js';
import type { Flow } from '../../codec/flow/model.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { type Image, maxvalOf, sameImage } from '../../codec/image.js';
import { KERNEL_VERSION } from '../../codec/kernels/kernels.js';
import { repeats } from '../../codec/layers/repetition.js';

/** Pixels of a shard, without another wish: 128 images of 32 x 32, in which learning anew costs 0.02 %. */
export const SHARD_PIXELS = 1 << 17;

/** Most pixels that wait for others of their kind; beyond it the longest shard is coded as it is. */
const MOST_WAITING = 1 << 24;

/** Where so many pixels of a shard repeat a neighbour, its images may be smaller each by itself. */
const GRAPHIC = 0.5;

/** Most bytes of an archive. */
const MOST_BYTES = 2 ** 31 - 1;

export interface NamedImage {
  /** Path with `/` between its parts. */
  readonly name: string;
  readonly image: Image;
}

/** How an archive's images are coded. */
export interface ArchiveCoding {
  /** Codes an image by itself, to a `.cnfz` file that is proven to decode to it. */
  encode(image: Image): Promise<Uint8Array>;
  /** What codes sequences of images of so many channels. */
  flowFor(channels: 1 | 3): Promise<Flow>;
  /** Most pixels of a shard, unless one image has more. */
  readonly shardPixels: number;
}

interface Waiting extends ShardShape {
  readonly images: NamedImage[];
}

/** Builds one archive. */
export class ArchiveBuilder {
  readonly #shards: CodedShard[] = [];
  /** Images that wait for others of their kind, by what these must have in common. */
  readonly #waiting = new Map<string, Waiting>();
  /** By channels. */
  readonly #codecs = new Map<number, Promise<{ flow: Flow; codec: TileCodec }>>();
  /** Names without their extensions: those of what is extracted. */
  readonly #stems = new Map<string, string>();
  #waitingPixels = 0;
  #bytes = 0;
  #characters = 0;

  constructor(readonly coding: ArchiveCoding) {}

  /**
   * Adds an image; it is coded at once or later.
   *
   * @throws CnfzipError `usage` if its name cannot be in the archive; what coding throws
   */
  async add(named: NamedImage): Promise<void> {
    const { name, image } = named;
    this.#checkName(name);
    const { width, height, channels } = image;
    const shape: ShardShape = { width, height, channels, maxval: maxvalOf(image) };
    const pixels = width * height;
    // Where not even two fit into a shard nothing is learned on.
    const alone = image.palette || 2 * pixels > this.coding.shardPixels || !fitsSequence(shape, 2);
    if (alone) return this.#addFile(named);
    const key = `${width} ${height} ${channels} ${writeAttachments(image)?.join() ?? ''}`;
    const group = this.#waiting.get(key) ?? { ...shape, images: [] };
    this.#waiting.set(key, group);
    group.images.push(named);
    this.#waitingPixels += pixels;
    const full = fitsSequence(shape, group.images.length + 1) && pixelsOf(group) + pixels <= this.coding.shardPixels;
    if (!full) await this.#flush(key);
    while (this.#waitingPixels > MOST_WAITING) await this.#flush(this.#longest());
  }

  /**
   * Codes what is still waiting.
   *
   * @returns the archive
   */
  async finish(): Promise<{ bytes: Uint8Array<ArrayBuffer>; shards: readonly CodedShard[] }> {
    for (const key of [...this.#waiting.keys()]) await this.#flush(key);
    return { bytes: writeArchive(this.#shards), shards: this.#shards };
  }

  #checkName(name: string): void {
    const problem = nameProblem(name);
    if (problem) throw new CnfzipError('usage', `its name cannot be in an archive: ${problem}`);
    const stem = name.replace(/\.[^./]*$/, '');
    const other = this.#stems.get(stem);
    if (other !== undefined) throw new CnfzipError('usage', `it would be extracted to the same file as ${other}`);
    this.#stems.set(stem, name);
    this.#characters += name.length;
    if (this.#characters > MAX_NAMES) throw tooMuch(`names of more than ${MAX_NAMES} characters`);
  }

  #longest(): string {
    const groups = [...this.#waiting];
    const [key] = groups.reduce((a, b) => (pixelsOf(b[1]) > pixelsOf(a[1]) ? b : a));
    return key;
  }

  async #flush(key: string): Promise<void> {
    const group = this.#waiting.get(key)!;
    this.#waiting.delete(key);
    this.#waitingPixels -= pixelsOf(group);
    const { images } = group;
    if (images.length === 1) return this.#addFile(images[0]);
    const sequence = await this.#sequence(group);
    const repeated = images.reduce((sum, { image }) => sum + repeats({ ...group, samples: image.samples }), 0);
    if (repeated >= GRAPHIC * images.length) {
      const files: CodedShard[] = [];
      for (const image of images) files.push(await this.#file(image));
      if (bytesOf(files) < bytesOf([sequence])) return this.#push(files);
    }
    this.#push([sequence]);
  }

  async #sequence({ width, height, channels, maxval, images }: Waiting): Promise<CodedShard> {
    const { flow, codec } = await this.#codecFor(channels as 1 | 3);
    const all = images.map(({ image }) => image);
    const part = encodeSequence(all, codec);
    const shape = { width, height, channels, maxval };
    const decoded = decodeSequence(part, shape, all.length, codec);
    if (!decoded.every((image, i) => sameImage(image, all[i]))) {
      throw new CnfzipError('corrupt', 'a shard does not decode to the images that were coded');
    }
    const { model, adapts } = flow;
    const id = { kernelVersion: KERNEL_VERSION, modelHash: model.hash, adapts };
    return { ...shape, flow: id, names: images.map(({ name }) => name), part };
  }

  #codecFor(channels: 1 | 3): Promise<{ flow: Flow; codec: TileCodec }> {
    const make = async () => {
      const flow = await this.coding.flowFor(channels);
      return { flow, codec: await TileCodec.create(flow) };
    };
    const made = this.#codecs.get(channels) ?? make();
    this.#codecs.set(channels, made);
    return made;
  }

  async #addFile(image: NamedImage): Promise<void> {
    this.#push([await this.#file(image)]);
  }

  async #file({ name, image }: NamedImage): Promise<CodedShard> {
    const { width, height, channels } = image;
    return { width, height, channels, maxval: maxvalOf(image), names: [name], part: await this.coding.encode(image) };
  }

  #push(shards: readonly CodedShard[]): void {
    this.#bytes += bytesOf(shards);
    if (this.#bytes > MOST_BYTES) throw tooMuch(`more than ${MOST_BYTES} bytes`);
    this.#shards.push(...shards);
  }
}

function tooMuch(what: string): CnfzipError {
  return new CnfzipError('unsupported', `the archive has ${what}: make several of parts of the folder`);
}

function pixelsOf({ width, height, images }: Waiting): number {
  return width * height * images.length;
}

/** With what the directory has of each. */
function bytesOf(shards: readonly CodedShard[]): number {
  const entry = 10;
  return shards.reduce((sum, { part }) => sum + part.length + entry, 0);
}
