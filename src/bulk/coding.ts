/** What is done with the sources of a folder, in words that travel from one process to another. */

import { isArchive } from '../../codec/archive/directory.js';
import { type Learning, USUAL_LEARNING } from '../../codec/flow/learning.js';
import type { Codec, CodecOptions, Effort, OutputFormat } from '../index.js';
import { extensionOf, INPUT_EXTENSIONS, naturalFormat, readImage } from '../io/formats.js';
import { writeProven } from '../io/prove.js';
import { imageToEncode } from '../io/strip.js';
import { isTarName } from '../io/tar.js';
import { samplesCrc32 } from './checksum.js';
import { archiveOfTar, tarOfArchive } from './tar-shards.js';

export interface Compression {
  readonly verb: 'compress';
  /** A shipped model's name, or the path of a model's file. */
  readonly model?: string;
  readonly learning?: Learning;
  readonly effort?: Effort;
  readonly strip?: boolean;
}

export interface Decompression {
  readonly verb: 'decompress';
  readonly format?: OutputFormat;
}

export type Coding = Compression | Decompression;

/** What a result is made of. */
export interface BulkSource {
  /** For people; its extension tells tar files. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What becomes of a source. */
export interface Result {
  /** Proven to hold the image, or the images. */
  readonly bytes: Uint8Array;
  /** Of the image, or of all, as `SetChecksum` has it. */
  readonly samplesCrc32: string;
  /** Of the result's name, with its dot. */
  readonly extension: string;
  readonly warnings: readonly string[];
}

/** All that results depend on, as the manifest has it. */
export function describeCoding(coding: Coding): string {
  if (coding.verb === 'decompress') return ['decompress', ...(coding.format ? [coding.format] : [])].join(' ');
  const { model = 'default', learning = USUAL_LEARNING, effort, strip } = coding;
  const how = ['compress', model, learning];
  if (effort) how.push(effort);
  if (strip) how.push('strip');
  return how.join(' ');
}

/** What a description begins with. */
export function verbOf(description: string): Coding['verb'] {
  return description.startsWith('decompress') ? 'decompress' : 'compress';
}

/** Of sources, in lower case with their dots. */
export function extensionsFor(verb: Coding['verb']): readonly string[] {
  return verb === 'compress' ? [...INPUT_EXTENSIONS, '.tar'] : ['.cnfz', '.cnfa'];
}

/**
 * Makes a result of a source, and proves it: a file of an image, and of a tar file of images an archive, of an archive a tar file.
 *
 * @param codec of the coding's model
 * @param options those of the codec, for archives
 * @throws CnfzipError if it is no such file, or one that cannot be coded
 */
export async function makeResultOf(
  source: BulkSource,
  coding: Coding,
  codec: Codec,
  options: CodecOptions,
): Promise<Result> {
  const { name, bytes } = source;
  if (coding.verb === 'compress') {
    if (isTarName(name)) return archiveOfTar(source, coding, options);
    const { learning, effort } = coding;
    const read = await readImage(bytes, options);
    const image = imageToEncode(read.image, coding);
    const encoded = await codec.encode(image, { learning, effort });
    return { bytes: encoded, samplesCrc32: samplesCrc32(image), extension: '.cnfz', warnings: read.warnings };
  }
  if (isArchive(bytes)) return tarOfArchive(source, coding, options);
  const file = await codec.open(bytes);
  const format = coding.format ?? naturalFormat(file.info);
  const image = await file.decode();
  const written = await writeProven(image, format);
  return { ...written, samplesCrc32: samplesCrc32(image), extension: extensionOf(file.info, format) };
}
