/** Reads archives: what is in them, and their images. */

import { readArchive, readPart, type Shard } from '../../codec/archive/directory.js';
import { flowOf } from '../../codec/codec.js';
import type { FlowId } from '../../codec/container/contents.js';
import { CnfzipError } from '../../codec/error.js';
import type { Flow, Model } from '../../codec/flow/model.js';
import { type Image, maxvalOf } from '../../codec/image.js';
import { once } from '../../codec/once.js';
import type { Source } from '../../codec/source.js';
import { type Sequences, sequencesHere } from './sequences.js';

/** What decodes an archive's images. */
export interface ArchiveDecoding {
  /** Decodes a `.cnfz` file. */
  decode(bytes: Uint8Array): Promise<Image>;
  /** The model with a hash. */
  modelOf(hash: string): Promise<Model>;
  /** What decodes sequences; without it this thread. */
  readonly sequences?: Sequences;
}

export class Archive {
  readonly #sequences: Sequences;
  readonly #modelOf: (hash: string) => Promise<Model>;

  private constructor(
    readonly source: Source,
    readonly shards: readonly Shard[],
    readonly decoding: ArchiveDecoding,
  ) {
    this.#sequences = decoding.sequences ?? sequencesHere();
    this.#modelOf = once(decoding.modelOf);
  }

  /** @throws CnfzipError as `readArchive` */
  static async open(source: Source & { readonly size: number }, decoding: ArchiveDecoding): Promise<Archive> {
    return new Archive(source, await readArchive(source), decoding);
  }

  /**
   * The first of a shard's images.
   *
   * @param count of those that are wanted; no more are decoded
   * @throws CnfzipError `corrupt`, `unknown-model`, `unsupported`; what the source throws
   */
  async decode(shard: Shard, count = shard.names.length): Promise<Image[]> {
    const part = await readPart(this.source, shard);
    const { flow, names } = shard;
    if (flow) {
      const { width, height, channels, maxval } = shard;
      const shape = { width, height, channels, maxval };
      return this.#sequences.decode(await this.#flowOf(flow, shard), {
        part,
        shape,
        count: names.length,
        first: count,
      });
    }
    const image = await this.decoding.decode(part);
    const { width, height, channels } = image;
    const found = [width, height, channels, maxvalOf(image)];
    if (found.join() === [shard.width, shard.height, shard.channels, shard.maxval].join()) return [image];
    throw new CnfzipError('corrupt', `damaged: ${names[0]} is not what the directory says`);
  }

  async #flowOf(id: FlowId, { channels }: Shard): Promise<Flow> {
    const flow = flowOf(id, [await this.#modelOf(id.modelHash)]);
    if (flow.model.definition.channels === channels) return flow;
    throw new CnfzipError('corrupt', `damaged: a sequence needs a flow of ${channels} channels`);
  }
}
