/** Options of the commands that compress. */

import type { Command } from 'commander';
import type { CodecOptions, EncodeOptions, Image } from '../index.js';
import { addLevels, choiceOf } from './levels.js';
import { addAdapt, type CommonOptions, codecOptions } from './options.js';

export interface EncodingOptions extends CommonOptions {
  adapt: boolean;
  strip?: boolean;
}

/** Metadata that `--strip` keeps: without it the samples would look different. */
const PART_OF_THE_PICTURE = ['tRNS'];

export function addEncoding(command: Command): void {
  addLevels(command);
  addAdapt(command).option('--strip', 'leave out colour profiles, EXIF, text and all else that is no sample');
}

/** The library's options, with what a level stands for: those of all images, and of each. */
export function encodingOptions(
  command: Command,
  options: EncodingOptions,
): { all: CodecOptions & { model?: string }; each: Pick<EncodeOptions, 'adapt' | 'effort'> } {
  const { model, ...each } = choiceOf(command, options);
  return { all: { ...codecOptions(options), model }, each };
}

/** What of an image is compressed: with `--strip` what changes its picture. */
export function imageToEncode<T extends Pick<Image, 'metadata'>>(
  image: T,
  { strip }: Pick<EncodingOptions, 'strip'>,
): T {
  if (!strip) return image;
  return { ...image, metadata: image.metadata?.filter(({ type }) => PART_OF_THE_PICTURE.includes(type)) };
}
