/** Tar shards, as WebDataset has them: a tar file of small images becomes an archive, and an archive a tar file. */

import { sameValues } from '../../codec/image.js';
import { extractedFile } from '../archive/extract.js';
import { filesOfTar, readInputImage } from '../archive/input.js';
import { buildArchive, openArchive } from '../archive/library.js';
import { CnfzipError, type CodecOptions } from '../index.js';
import { readImage } from '../io/formats.js';
import { readTar, type TarFile, writeTar } from '../io/tar.js';
import { SetChecksum } from './checksum.js';
import type { BulkSource, Compression, Decompression, Result } from './coding.js';

/**
 * @returns an archive, proven to decode to the images of the tar file
 * @throws CnfzipError `file` without images; as `createArchive`
 */
export async function archiveOfTar(
  { name, bytes }: BulkSource,
  { model, learning, effort, strip }: Compression,
  options: CodecOptions,
): Promise<Result> {
  const input = filesOfTar(name, () => [bytes]);
  const checksum = new SetChecksum();
  const told = new Counts();
  let found = 0;
  async function* images() {
    for await (const file of input.files()) {
      const { named, warnings } = await readInputImage(file, { ...options, strip });
      found++;
      checksum.add(named);
      told.add(warnings);
      yield named;
    }
    if (found === 0) throw new CnfzipError('file', 'it holds no images');
  }
  const archive = await buildArchive(images(), { ...options, model, learning, effort });
  const others = input.others() > 0 ? [`${input.others()} files that are no images are left out`] : [];
  return {
    bytes: archive.bytes,
    samplesCrc32: checksum.digits(),
    extension: '.cnfa',
    warnings: [...others, ...told.texts()],
  };
}

/**
 * @returns a tar file, proven to hold the images of the archive
 * @throws CnfzipError as `openArchive` and `writeProven`
 */
export async function tarOfArchive(
  { bytes }: BulkSource,
  { format }: Decompression,
  options: CodecOptions,
): Promise<Result> {
  const archive = await openArchive(bytes, options);
  const checksum = new SetChecksum();
  const told = new Counts();
  const held: TarFile[] = [];
  async function* files() {
    for await (const named of archive.decodeAll()) {
      const file = await extractedFile(named, format);
      checksum.add(named);
      told.add(file.warnings);
      held.push(file);
      yield file;
    }
  }
  try {
    const pieces: Uint8Array[] = [];
    for await (const piece of writeTar(files())) pieces.push(piece);
    const tar = Buffer.concat(pieces);
    await proveTar(tar, held);
    return { bytes: tar, samplesCrc32: checksum.digits(), extension: '.tar', warnings: told.texts() };
  } finally {
    await archive.close();
  }
}

/** The checksum of the images of an archive. */
export async function checksumOfArchive(bytes: Uint8Array, options: CodecOptions): Promise<string> {
  const archive = await openArchive(bytes, options);
  const checksum = new SetChecksum();
  try {
    for await (const named of archive.decodeAll()) checksum.add(named);
    return checksum.digits();
  } finally {
    await archive.close();
  }
}

/** The checksum of the images of a tar file that `tarOfArchive` made. */
export async function checksumOfTar(bytes: Uint8Array, options: CodecOptions): Promise<string> {
  const checksum = new SetChecksum();
  for await (const file of readTar([bytes])) {
    checksum.add({ name: file.name, image: (await readImage(file.bytes, options)).image });
  }
  return checksum.digits();
}

async function proveTar(tar: Uint8Array, held: readonly TarFile[]): Promise<void> {
  let found = 0;
  for await (const { name, bytes } of readTar([tar])) {
    const file = held[found++];
    if (file?.name === name && sameValues(file.bytes, bytes)) continue;
    throw new CnfzipError('corrupt', `the tar file does not hold ${name} as it was decoded`);
  }
  if (found !== held.length) throw new CnfzipError('corrupt', 'the tar file does not hold all images');
}

/** Warnings, each once, and of how many images. */
class Counts {
  readonly #counts = new Map<string, number>();

  add(warnings: readonly string[]): void {
    for (const warning of warnings) this.#counts.set(warning, (this.#counts.get(warning) ?? 0) + 1);
  }

  texts(): string[] {
    return [...this.#counts].map(([warning, count]) => `of ${count === 1 ? '1 image' : `${count} images`}: ${warning}`);
  }
}
