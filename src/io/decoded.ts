import { CnfzipError } from '../../codec/error.js';
import type { Image, Metadata } from '../../codec/image.js';
import type { Source } from '../../codec/source.js';
import { BLOCK, Sequence } from './files/sequence.js';

/** What a reader makes of a file. */
export interface Decoded {
  readonly image: Image;
  /** What of the file is not in the image, for people: a line each. */
  readonly lost: readonly string[];
}

/** What is said of a file apart from its samples. */
export interface Remarks extends Pick<Decoded, 'lost'> {
  readonly metadata?: readonly Metadata[];
}

/** A line for bytes that belong to nothing; zeros tell nothing, and many programs fill up with them. */
export function unused(bytes: Uint8Array, where: string): string[] {
  return bytes.some((byte) => byte !== 0) ? [notKept(bytes.length, where)] : [];
}

/** As `unused`, of all bytes of a file from a place on. */
export async function unusedFrom(source: Source, at: number, where: string): Promise<string[]> {
  const input = new Sequence(source, at);
  let used = false;
  for (let bytes = await input.some(BLOCK); bytes.length > 0; bytes = await input.some(BLOCK)) {
    used ||= bytes.some((byte) => byte !== 0);
  }
  return used ? [notKept(input.at - at, where)] : [];
}

function notKept(count: number, where: string): string {
  return `${count} bytes ${where} are not kept`;
}

export function damaged(kind: string, what: string, cause?: unknown): CnfzipError {
  return new CnfzipError('bad-input', `damaged ${kind}: ${what}`, { cause });
}
