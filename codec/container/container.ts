/** Whole `.cnfz` files: a head (`head.ts`), and the parts that it tells of. */

import { CnfzipError } from '../error.js';
import type { Image } from '../image.js';
import { CutShortError, concatenate } from './bytes.js';
import { type ContentsOf, type LayerOf, mapParts, partsOf, type TileOf } from './contents.js';
import { crc32 } from './crc32.js';
import { type Head, isSmall, type Part, readHead, uint32, writeHead } from './head.js';

/** What a file holds, its parts at hand. */
export type Container = ContentsOf<Uint8Array>;
export type CodedLayer = LayerOf<Uint8Array>;
export type CodedTile = TileOf<Uint8Array>;

/** A file's container, whose samples are still to be checked. */
export interface SealedContainer extends Container {
  /** Of the samples; small files have none. */
  readonly samplesChecksum?: number;
}

/**
 * Writes a whole file.
 *
 * @param samples those that the layers decode to
 */
export function writeContainer(container: Container, samples: Image['samples']): Uint8Array<ArrayBuffer> {
  const parts = [...partsOf(container)];
  const head = writeHead(
    container,
    () => crc32(samples),
    (part) => crc32(part),
  );
  return isSmall(parts) ? seal(concatenate([head, ...parts])) : concatenate([seal(head), ...parts]);
}

/** Bytes, and behind them their checksum. */
export function seal(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatenate([bytes, uint32(crc32(bytes))]);
}

/**
 * Reads a whole file and checks everything that can be checked without decoding. The parts are views of `bytes`.
 *
 * @throws CnfzipError `usage` if it is no Uint8Array; `bad-input` if it is no `.cnfz` file; `unsupported` if another version of
 *   cnfzip wrote it; `corrupt` if it is damaged, cut short, or something follows its end
 */
export function readContainer(bytes: Uint8Array): SealedContainer {
  checkBytes(bytes);
  return readParts(readHead(bytes), bytes);
}

/**
 * Reads and checks the parts of a whole file whose head was read. They are views of `bytes`.
 *
 * @throws CnfzipError `corrupt`
 */
export function readParts(head: Head, bytes: Uint8Array): SealedContainer {
  const container = mapParts(head, (part) => checkPart(part, bytes.subarray(part.offset, part.offset + part.length)));
  checkEnd(head, bytes.length);
  return { ...container, samplesChecksum: head.samplesChecksum };
}

/**
 * @param bytes of the part; fewer where the file ends in it
 * @returns the bytes
 * @throws CnfzipError `corrupt` if they are not what the head says
 */
export function checkPart({ name, length, checksum }: Part, bytes: Uint8Array): Uint8Array {
  if (bytes.length < length) throw new CutShortError();
  if (checksum !== undefined && crc32(bytes) !== checksum) {
    throw new CnfzipError('corrupt', `damaged: the checksum of the ${name} does not match`);
  }
  return bytes;
}

/**
 * @param size bytes of the file
 * @throws CnfzipError `corrupt` if it goes on behind its end
 */
export function checkEnd({ bytes }: Head, size: number): void {
  if (size > bytes) throw new CnfzipError('corrupt', `${size - bytes} bytes follow the end of the file's data`);
}

/**
 * Checks what a file's layers were decoded to.
 *
 * @throws CnfzipError `corrupt`
 */
export function checkSamples(container: SealedContainer, samples: Image['samples']): void {
  if (container.samplesChecksum !== undefined) checkChecksum(container, crc32(samples));
}

/**
 * As `checkSamples`, by the samples' checksum.
 *
 * @throws CnfzipError `corrupt`
 */
export function checkChecksum({ samplesChecksum }: Pick<SealedContainer, 'samplesChecksum'>, found: number): void {
  if (samplesChecksum === undefined || found === samplesChecksum) return;
  throw new CnfzipError('corrupt', 'damaged: the checksum of the decoded samples does not match');
}

/** @throws CnfzipError `usage` if it is no Uint8Array */
export function checkBytes(bytes: unknown): asserts bytes is Uint8Array {
  if (!(bytes instanceof Uint8Array)) throw new CnfzipError('usage', 'the bytes of a cnfz file must be a Uint8Array');
}
