/** The codecs that the benchmark runs, each as the commands that a user would type. */

import { fileURLToPath } from 'node:url';
import { LIBJXL_PACKAGE } from '../package/libjxl.js';
import { MAIN } from '../package/packages.js';

export interface Codec {
  readonly name: string;
  /** Whether it is this project's: it must not change an image. */
  readonly own?: boolean;
  /** Programs that must be there. */
  readonly programs: readonly string[];
  /** The npm package that must be there, if it needs one. */
  readonly package?: string;
  readonly extension: string;
  /** Writes `output` from the PNG file `input`. */
  encode(input: string, output: string): string[];
  /** Writes the PNG file `output` from `input`. Without it the compressed file is a PNG itself. */
  decode?(input: string, output: string): string[];
}

/**
 * cnfzip without the check after writing, which other codecs do not make either.
 *
 * @param choice a level, or a model: as on the command line
 */
export function cnfzip(choice: readonly string[], threads: number): Codec {
  const node = [process.execPath, MAIN];
  const common = ['-q', '-T', String(threads)];
  return {
    name: ['cnfzip', ...choice].join(' '),
    own: true,
    programs: [],
    extension: 'cnfz',
    encode: (input, output) => [
      ...node,
      'compress',
      '--strip',
      '--no-verify',
      ...common,
      ...choice,
      input,
      '-o',
      output,
    ],
    decode: (input, output) => [...node, 'decompress', ...common, input, '-o', output],
  };
}

function jpegXl(effort: number, threads: number): Codec {
  // cjxl counts threads beside the main one.
  const workers = `--num_threads=${threads === 1 ? 0 : threads}`;
  return {
    name: `cjxl -d 0 -e ${effort}`,
    programs: ['cjxl', 'djxl'],
    extension: 'jxl',
    encode: (input, output) => ['cjxl', '-d', '0', '-e', String(effort), workers, '--quiet', input, output],
    decode: (input, output) => ['djxl', workers, '--quiet', input, output],
  };
}

const MAGICK = fileURLToPath(new URL('./magick.js', import.meta.url));

/** The newest libjxl that npm has. */
function newestJpegXl(effort: number): Codec {
  const node = [process.execPath, MAGICK];
  return {
    name: `newest libjxl -e ${effort}`,
    programs: [],
    package: LIBJXL_PACKAGE,
    extension: 'jxl',
    encode: (input, output) => [...node, 'encode', String(effort), input, output],
    decode: (input, output) => [...node, 'decode', input, output],
  };
}

const WEBP: Codec = {
  name: 'cwebp -lossless -z 9',
  programs: ['cwebp', 'dwebp'],
  extension: 'webp',
  encode: (input, output) => ['cwebp', '-quiet', '-lossless', '-exact', '-z', '9', input, '-o', output],
  decode: (input, output) => ['dwebp', '-quiet', input, '-o', output],
};

const PNG: Codec = {
  name: 'optipng -o2',
  programs: ['optipng'],
  extension: 'png',
  encode: (input, output) => ['optipng', '-quiet', '-o2', input, '-out', output],
};

/** The codecs that cnfzip is held against. */
export function peers(threads: number): Codec[] {
  return [jpegXl(3, threads), jpegXl(7, threads), jpegXl(9, threads), newestJpegXl(7), newestJpegXl(9), WEBP, PNG];
}
