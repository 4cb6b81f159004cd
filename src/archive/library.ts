/** Archives in the library: many small images in one file. */

import type { CodedShard } from '../../codec/archive/directory.js';
import { CnfzipError } from '../../codec/error.js';
import { USUAL_LEARNING } from '../../codec/flow/learning.js';
import { type Channels, checkImage, type Image } from '../../codec/image.js';
import { type Source, toSource } from '../../codec/source.js';
import { Codec } from '../session/codec.js';
import { modelForDecoding, modelsForEncoding } from '../session/models.js';
import { openSource } from '../session/open.js';
import { type CodecOptions, checkOptions, type EncodeCallOptions, threadsOf } from '../session/options.js';
import { ahead } from './ahead.js';
import { ArchiveBuilder, type NamedImage, SHARD_PIXELS } from './create.js';
import { Archive } from './open.js';
import { sequencesIn } from './sequences.js';

export interface ArchiveOptions extends CodecOptions, Pick<EncodeCallOptions, 'learning' | 'effort'> {
  /** Pixels that are coded in sequence, and decoded to get at the last of them; 2^17 without it. */
  shardPixels?: number;
}

/** An image of an archive, as its directory describes it. */
export interface ArchivedImage {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  readonly maxval: number;
}

/** An archive that is open. */
export interface OpenArchive {
  /** In their order in the archive. */
  readonly images: readonly ArchivedImage[];
  /**
   * Decodes an image, and those before it in its shard; nothing else is read.
   *
   * @throws CnfzipError `usage` if there is none of that name; `corrupt`, `unknown-model`, `unsupported`
   */
  decode(name: string): Promise<Image>;
  /**
   * All images in their order, several shards at the same time.
   *
   * @throws CnfzipError `corrupt`, `unknown-model`, `unsupported`
   */
  decodeAll(): AsyncGenerator<NamedImage, void, undefined>;
  /** Ends the threads, and closes a file that was opened by its path. */
  close(): Promise<void>;
}

/**
 * Codes images as one archive, a `.cnfa` file; those of one size and kind learn from each other. All are decoded and compared.
 *
 * @param images with names like `2024/cat.png`, which differ also without what is behind the last dot
 * @throws CnfzipError as `encode`; `usage` (a name, or no images)
 * @example
 * ```js
 * import { createArchive, openArchive, readImage } from 'cnfzip';
 *
 * const image = await readImage('photo.png');
 * const bytes = await createArchive([{ name: 'a/photo.png', image }, { name: 'b.png', image }], { model: 'fast' });
 *
 * const archive = await openArchive(bytes);
 * console.log(archive.images.map(({ name }) => name), (await archive.decode('b.png')).width);
 * for await (const { name, image } of archive.decodeAll()) console.log(name, image.samples.length);
 * await archive.close();
 * ```
 */
export async function createArchive(
  images: Iterable<NamedImage> | AsyncIterable<NamedImage>,
  options: ArchiveOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  checkOptions(options, 'createArchive');
  const given = images as Partial<Iterable<NamedImage> & AsyncIterable<NamedImage>> | undefined | null;
  if (!given?.[Symbol.iterator] && !given?.[Symbol.asyncIterator])
    throw new CnfzipError('usage', 'an archive is made of images one after the other: [{ name, image }, ...]');
  return (await buildArchive(images, options)).bytes;
}

/** As `createArchive`, which tells of the shards. */
export async function buildArchive(
  images: Iterable<NamedImage> | AsyncIterable<NamedImage>,
  { learning = USUAL_LEARNING, effort, shardPixels = SHARD_PIXELS, ...options }: ArchiveOptions,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; shards: readonly CodedShard[] }> {
  const concurrency = threadsOf(options);
  const codec = new Codec(options);
  const sequences = sequencesIn(concurrency);
  const builder = new ArchiveBuilder({
    shardPixels,
    sequences,
    concurrency,
    encode: (image) => codec.encode(image, { learning, effort }),
    flowFor: async (channels) => {
      const [model] = await modelsForEncoding(channels, options.model);
      return { model, learning };
    },
  });
  try {
    for await (const named of images) {
      checkImage(named.image);
      await builder.add(named);
    }
    return await builder.finish();
  } finally {
    await Promise.all([codec.close(), sequences.close()]);
  }
}

/**
 * Opens an archive, a `.cnfa` file: reads its directory, and later what each image needs.
 *
 * @param from its path, its bytes, a Blob, or a source of one's own that tells its size
 * @throws CnfzipError `bad-input` (no archive), `corrupt`, `unsupported`, `file`; `usage`
 */
export async function openArchive(
  from: string | Uint8Array | Blob | Source,
  options: CodecOptions = {},
): Promise<OpenArchive> {
  checkOptions(options, 'codec');
  const { archive, close } = await openShards(from, options);
  const { shards } = archive;
  const describe = ({ names, width, height, channels, maxval }: (typeof shards)[number]) =>
    names.map((name): ArchivedImage => ({ name, width, height, channels, maxval }));
  return {
    images: shards.flatMap(describe),
    async decode(name) {
      const shard = shards.find(({ names }) => names.includes(name));
      if (!shard) throw new CnfzipError('usage', `the archive holds no image ${name}`);
      const count = shard.names.indexOf(name) + 1;
      return (await archive.decode(shard, count))[count - 1];
    },
    async *decodeAll() {
      const decode = async (shard: (typeof shards)[number]) => ({ shard, images: await archive.decode(shard) });
      for await (const { shard, images } of ahead(shards, threadsOf(options), decode)) {
        for (const [i, image] of images.entries()) yield { name: shard.names[i], image };
      }
    },
    close,
  };
}

/** As `openArchive`, by shards. */
export async function openShards(
  from: string | Uint8Array | Blob | Source,
  options: CodecOptions,
): Promise<{ archive: Archive; close: () => Promise<void> }> {
  const { source, close: closeSource } = await openSource(from);
  const codec = new Codec(options);
  const sequences = sequencesIn(threadsOf(options));
  const close = async () => {
    await Promise.all([codec.close(), sequences.close(), closeSource()]);
  };
  try {
    const { size, read } = toSource(source);
    if (size === undefined) throw new CnfzipError('usage', 'an archive is read from its end: its size must be known');
    const archive = await Archive.open(
      { size, read },
      {
        decode: (bytes) => codec.decode(bytes),
        modelOf: (hash) => modelForDecoding(hash, options.model),
        sequences,
      },
    );
    return { archive, close };
  } catch (error) {
    await close();
    throw error;
  }
}
