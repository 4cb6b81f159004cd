/** Runs a codec on files and checks every decoded sample. */

import { spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sameImage } from '../../codec/image.js';
import { type Image, readImage } from '../index.js';
import type { Codec } from './codecs.js';

export interface Measurement {
  readonly codec: string;
  readonly file: string;
  readonly pixels: number;
  readonly samples: number;
  /** Size of the compressed file, which has been decoded again and compared. */
  readonly bytes: number;
  /** Wall time of the whole processes, in seconds. */
  readonly encodeSeconds: number;
  readonly decodeSeconds: number;
}

/** True if all programs of a codec can be started. */
export function available({ programs }: Codec): boolean {
  return programs.every((program) => spawnSync(program, ['--version']).error === undefined);
}

/**
 * Compresses and decompresses a PNG file.
 *
 * @param folder for the files in between
 * @throws Error if a command fails or a sample comes back changed
 */
export async function measure(codec: Codec, file: string, original: Image, folder: string): Promise<Measurement> {
  const compressed = join(folder, `compressed.${codec.extension}`);
  const decoded = codec.decode ? join(folder, 'decoded.png') : compressed;
  // Some of the programs do not replace files.
  for (const left of [compressed, decoded]) rmSync(left, { force: true });
  const encodeSeconds = seconds(codec.encode(file, compressed));
  const commandSeconds = codec.decode ? seconds(codec.decode(compressed, decoded)) : 0;
  const began = performance.now();
  const image = await readImage(decoded);
  // Where reading the PNG file is all the decoding there is, that is timed.
  const decodeSeconds = codec.decode ? commandSeconds : since(began);
  if (!sameImage({ ...image, metadata: [] }, { ...original, metadata: [] }))
    throw new Error(`${codec.name} changed ${file}`);
  const { width, height, channels } = original;
  const pixels = width * height;
  const { size } = statSync(compressed);
  return {
    codec: codec.name,
    file,
    pixels,
    samples: pixels * channels,
    bytes: size,
    encodeSeconds,
    decodeSeconds,
  };
}

function since(began: number): number {
  return (performance.now() - began) / 1000;
}

/** Runs a command to its end; returns the wall time. */
function seconds([program, ...args]: string[]): number {
  const began = performance.now();
  const { status, stderr, error } = spawnSync(program, args);
  if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? stderr.toString().trim()}`);
  return since(began);
}
