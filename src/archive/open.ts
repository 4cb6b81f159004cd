/** Reads archives: what is in them, and their images. */

import { readArchive, readPart, type Shard } from '../../codec/archive/directory.js';
import { decodeSequence } from '../../codec/archive/sequence.js';
import { flowOf } from '../../codec/codec.js';
import type { FlowId } from '../../codec/container/contents.js';
import { CnfzipError } from '../../codec/error.js';
import type { Model } from '../../codec/flow/model.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { type Image, maxvalOf } from '../../codec/image.js';
import type { Source } from '../../codec/source.js';

/** What decodes an archive's images. */
export interface ArchiveDecoding {
  /** Decodes a `.cnfz` file. */
  decode(bytes: Uint8Array): Promise<Image>;
  /** The model with a hash. */
  modelOf(hash: string): Promise<Model>;
}

export class Archive {
  /** By what the shards say of their flows. */
  readonly #codecs = new Map<string, Promise<TileCodec>>();

  private constructor(
    readonly source: Source,
    readonly shards: readonly Shard[],
    readonly decoding: ArchiveDecoding,
  ) {}

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
    if (flow) return decodeSequence(part, shard, names.length, await this.#codecOf(flow, shard), count);
    const image = await this.decoding.decode(part);
    const { width, height, channels } = image;
    const found = [width, height, channels, maxvalOf(image)];
    if (found.join() === [shard.width, shard.height, shard.channels, shard.maxval].join()) return [image];
    throw new CnfzipError('corrupt', `damaged: ${names[0]} is not what the directory says`);
  }

  async #codecOf(id: FlowId, { channels }: Shard): Promise<TileCodec> {
    const key = `${id.kernelVersion} ${id.modelHash} ${id.adapts} ${channels}`;
    const make = async () => {
      const flow = flowOf(id, [await this.decoding.modelOf(id.modelHash)]);
      if (flow.model.definition.channels === channels) return TileCodec.create(flow);
      throw new CnfzipError('corrupt', `damaged: a sequence needs a flow of ${channels} channels`);
    };
    const codec = this.#codecs.get(key) ?? make();
    this.#codecs.set(key, codec);
    return codec;
  }
}
