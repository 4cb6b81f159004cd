/** Runs a codec on files and checks every decoded sample. */

import { spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Image, readImage } from '../index.js';
import { expand } from '../io/expand.js';
import { sameColours } from '../io/prove.js';
import { isInstalled } from '../package/packages.js';
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

/** What a codec needs and is not there: programs that cannot be started, a package that is not installed. */
export function missing({ programs, package: needed }: Codec): string[] {
  const absent = programs.filter((program) => spawnSync(program, ['--version']).error !== undefined);
  return needed && !isInstalled(needed) ? [...absent, needed] : absent;
}

/**
 * Compresses and decompresses a PNG file.
 *
 * @param folder for the files in between
 * @throws ChangedError if a sample comes back changed
 * @throws Error if a command fails
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
  // Others may spell out palettes and grays.
  if (!sameColours(expand(image), expand(original))) throw new ChangedError(`${codec.name} changed ${basename(file)}`);
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

/** What came back is not what was compressed. */
export class ChangedError extends Error {}

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
