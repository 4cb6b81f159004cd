import { CnfzipError } from '../../codec/error.js';
import type { Image, Metadata } from '../../codec/image.js';

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
  return bytes.some((byte) => byte !== 0) ? [`${bytes.length} bytes ${where} are not kept`] : [];
}

export function damaged(kind: string, what: string, cause?: unknown): CnfzipError {
  return new CnfzipError('bad-input', `damaged ${kind}: ${what}`, { cause });
}
