/** Proves a folder of results by its manifest. */

import { join } from 'node:path';
import { isArchive } from '../../codec/archive/directory.js';
import { CnfzipError, type Codec, type CodecOptions } from '../index.js';
import { readInput } from '../io/files/read.js';
import { isCnfz, readImage } from '../io/formats.js';
import { isTarName } from '../io/tar.js';
import { samplesCrc32 } from './checksum.js';
import type { Success } from './manifest.js';
import { checksumOfArchive, checksumOfTar } from './tar-shards.js';
import { sha256 } from './work.js';

export interface VerifyFolders {
  /** Of the results. */
  readonly to: string;
  /** Of the sources, where these are to be compared, too. */
  readonly from?: string;
}

/**
 * Proves that a result is what the manifest says, that it decodes to the image that was coded, and that its source is what it was.
 *
 * @param options those of the codec, for archives
 * @throws CnfzipError `corrupt`, `file`, or what decoding throws
 */
export async function verifyEntry(
  entry: Success,
  { to, from }: VerifyFolders,
  codec: Codec,
  options: CodecOptions,
): Promise<void> {
  const bytes = await readInput(join(to, entry.target));
  if (sha256(bytes) !== entry.targetSha256) throw new CnfzipError('corrupt', 'it is not what was written');
  if ((await checksumOf(entry.target, bytes, codec, options)) !== entry.samplesCrc32)
    throw new CnfzipError('corrupt', 'its samples are not those of the source');
  if (from === undefined) return;
  const source = join(from, entry.source);
  const found = await readInput(source).catch((error) => {
    throw new CnfzipError('file', `its source ${source}: ${(error as Error).message}`, { cause: error });
  });
  if (sha256(found) !== entry.sourceSha256) throw new CnfzipError('corrupt', `its source ${source} is not what it was`);
}

/** Of the image of a result, or of its images. */
async function checksumOf(name: string, bytes: Uint8Array, codec: Codec, options: CodecOptions): Promise<string> {
  if (isTarName(name)) return checksumOfTar(bytes, options);
  if (isArchive(bytes)) return checksumOfArchive(bytes, options);
  return samplesCrc32(isCnfz(bytes) ? await codec.decode(bytes) : (await readImage(bytes, options)).image);
}
