/** What is done with the sources of a folder, in words that travel from one process to another. */

import { crc32 } from '../../codec/container/crc32.js';
import { type Learning, USUAL_LEARNING } from '../../codec/flow/learning.js';
import type { Image } from '../../codec/image.js';
import type { Codec, Effort, Limits, OutputFormat } from '../index.js';
import { extensionOf, INPUT_EXTENSIONS, naturalFormat, readImage } from '../io/formats.js';
import { writeProven } from '../io/prove.js';
import { imageToEncode } from '../io/strip.js';

export type Coding =
  | {
      readonly verb: 'compress';
      /** A shipped model's name, or the path of a model's file. */
      readonly model?: string;
      readonly learning?: Learning;
      readonly effort?: Effort;
      readonly strip?: boolean;
    }
  | { readonly verb: 'decompress'; readonly format?: OutputFormat };

/** What becomes of a source. */
export interface Result {
  /** Proven to hold the image. */
  readonly bytes: Uint8Array;
  /** Of the image. */
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

/** Of sources, in lower case with their dots. */
export function extensionsFor({ verb }: Coding): readonly string[] {
  return verb === 'compress' ? INPUT_EXTENSIONS : ['.cnfz'];
}

/**
 * Makes a result of a source's bytes, and proves it.
 *
 * @param codec of the coding's model
 * @throws CnfzipError if they are no such file, or one that cannot be coded
 */
export async function makeResultOf(bytes: Uint8Array, coding: Coding, codec: Codec, limits: Limits): Promise<Result> {
  if (coding.verb === 'compress') {
    const { learning, effort } = coding;
    const read = await readImage(bytes, limits);
    const image = imageToEncode(read.image, coding);
    const encoded = await codec.encode(image, { learning, effort });
    return { bytes: encoded, samplesCrc32: samplesCrc32(image), extension: '.cnfz', warnings: read.warnings };
  }
  const file = await codec.open(bytes);
  const format = coding.format ?? naturalFormat(file.info);
  const image = await file.decode();
  const written = await writeProven(image, format);
  return { ...written, samplesCrc32: samplesCrc32(image), extension: extensionOf(file.info, format) };
}

/** Eight hexadecimal digits, of the samples as bytes, those of 16 bits lower byte first. */
export function samplesCrc32({ samples }: Image): string {
  return crc32(samples).toString(16).padStart(8, '0');
}
