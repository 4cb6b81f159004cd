/** Makes archives: images of one size and kind are coded in sequence, in shards of a bounded length, all others each by itself. */

import type { CodedShard } from '../../codec/archive/directory.js';
import { fitsSequence, readArchive, type ShardShape, writeArchive } from '../../codec/archive/directory.js';
import { MAX_NAMES, nameProblem } from '../../codec/archive/names.js';
import { writeAttachments } from '../../codec/container/attachments.js';
import { CnfzipError } from '../../codec/error.js';
import type { Flow } from '../../codec/flow/model.js';
import { type Image, maxvalOf, sameValues } from '../../codec/image.js';
import { KERNEL_VERSION } from '../../codec/kernels/kernels.js';
import { repeats } from '../../codec/layers/repetition.js';
import { toSource } from '../../codec/source.js';
import { errorAbout } from '../io/files/errors.js';
import { type Sequences, sequencesHere } from './sequences.js';

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
  /** What codes sequences, and how many shards are coded at the same time; without them: this thread, one. */
  readonly sequences?: Sequences;
  readonly concurrency?: number;
}

interface Waiting extends ShardShape {
  readonly images: NamedImage[];
}

/** Builds one archive. */
export class ArchiveBuilder {
  readonly #shards: CodedShard[] = [];
  /** Shards that are being coded, in their order. */
  readonly #underWay: Promise<CodedShard[]>[] = [];
  readonly #sequences: Sequences;
  /** Images that wait for others of their kind, by what these must have in common. */
  readonly #waiting = new Map<string, Waiting>();
  /** Names without their extensions: those of what is extracted. */
  readonly #stems = new Map<string, string>();
  #waitingPixels = 0;
  #bytes = 0;
  #characters = 0;

  constructor(readonly coding: ArchiveCoding) {
    this.#sequences = coding.sequences ?? sequencesHere();
  }

  /**
   * Adds an image; it is coded at once or later.
   *
   * @throws CnfzipError `usage` if its name cannot be in the archive; what coding throws, also of images before. The message names the image.
   */
  async add(named: NamedImage): Promise<void> {
    const { name, image } = named;
    await inImage(name, () => this.#checkName(name));
    const { width, height, channels } = image;
    const shape: ShardShape = { width, height, channels, maxval: maxvalOf(image) };
    const pixels = width * height;
    // Where not even two fit into a shard nothing is learned on.
    const alone = image.palette || 2 * pixels > this.coding.shardPixels || !fitsSequence(shape, 2);
    if (alone) return this.#begin(this.#file(named));
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
   * @returns the archive, proven to have all shards where its directory says
   */
  async finish(): Promise<{ bytes: Uint8Array<ArrayBuffer>; shards: readonly CodedShard[] }> {
    for (const key of [...this.#waiting.keys()]) await this.#flush(key);
    while (this.#underWay.length > 0) await this.#keepFirst();
    const bytes = writeArchive(this.#shards);
    await proveDirectory(bytes, this.#shards);
    return { bytes, shards: this.#shards };
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
    return this.#begin(this.#coded(group));
  }

  /** Waits until there is room for one more. */
  async #begin(coded: Promise<CodedShard[]>): Promise<void> {
    // It is awaited when it is its turn.
    coded.catch(() => {});
    this.#underWay.push(coded);
    while (this.#underWay.length >= (this.coding.concurrency ?? 1)) await this.#keepFirst();
  }

  async #keepFirst(): Promise<void> {
    this.#push(await this.#underWay.shift()!);
  }

  async #coded(group: Waiting): Promise<CodedShard[]> {
    const { images } = group;
    if (images.length === 1) return this.#file(images[0]);
    const sequence = await this.#sequence(group);
    const repeated = images.reduce((sum, { image }) => sum + repeats({ ...group, samples: image.samples }), 0);
    if (repeated >= GRAPHIC * images.length) {
      const files: CodedShard[] = [];
      for (const image of images) files.push(...(await this.#file(image)));
      if (bytesOf(files) < bytesOf([sequence])) return files;
    }
    return [sequence];
  }

  async #sequence({ width, height, channels, maxval, images }: Waiting): Promise<CodedShard> {
    const flow = await this.coding.flowFor(channels as 1 | 3);
    const all = images.map(({ image }) => image);
    const part = await this.#sequences.encode(flow, all);
    const { model, learning } = flow;
    const id = { kernelVersion: KERNEL_VERSION, modelHash: model.hash, learning };
    return { width, height, channels, maxval, flow: id, names: images.map(({ name }) => name), part };
  }

  async #file({ name, image }: NamedImage): Promise<CodedShard[]> {
    const { width, height, channels } = image;
    const part = await inImage(name, () => this.coding.encode(image));
    return [{ width, height, channels, maxval: maxvalOf(image), names: [name], part }];
  }

  #push(shards: readonly CodedShard[]): void {
    this.#bytes += bytesOf(shards);
    if (this.#bytes > MOST_BYTES) throw tooMuch(`more than ${MOST_BYTES} bytes`);
    this.#shards.push(...shards);
  }
}

/** The shards were decoded and compared before. @throws CnfzipError `corrupt` */
async function proveDirectory(bytes: Uint8Array, shards: readonly CodedShard[]): Promise<void> {
  const found = await readArchive({ ...toSource(bytes), size: bytes.length });
  const isTrue =
    found.length === shards.length &&
    found.every(({ names, offset, length }, i) => {
      const { names: expected, part } = shards[i];
      return names.join('\n') === expected.join('\n') && sameValues(bytes.subarray(offset, offset + length), part);
    });
  if (!isTrue) throw new CnfzipError('corrupt', 'the archive does not hold what was coded');
}

/** Names the image that an error is about. */
async function inImage<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw errorAbout(name, error);
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
