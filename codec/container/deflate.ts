/** Deflate (RFC 1951) of data whose length the decoder knows. */
import { deflateSync, inflateSync } from 'fflate';
import { CnfzipError } from '../error.js';

/** Deflate makes at most this many bytes of one. */
export const MAX_INFLATION = 1032;

export function deflate(bytes: Uint8Array): Uint8Array {
  return deflateSync(bytes, { level: 9 });
}

/** Bytes that a quick try deflates to, for comparison. */
export function deflatedLength(bytes: Uint8Array): number {
  return deflateSync(bytes, { level: 4 }).length;
}

/**
 * Undoes `deflate`.
 *
 * @param length of the result; no more memory is taken than this, nor before it is possible
 * @throws {CnfzipError} `corrupt` if the data is damaged, of another length, or bytes follow its end
 */
export function inflate(bytes: Uint8Array, length: number): Uint8Array {
  const damaged = (cause?: unknown) => new CnfzipError('corrupt', 'damaged: deflated data is malformed', { cause });
  if (length > bytes.length * MAX_INFLATION) throw damaged();
  // One byte of room more than needed shows data that is too long; fflate itself writes nothing behind the end.
  const out = new Uint8Array(length + 1);
  // fflate does not tell where the data ends: it does with its last byte if it is not whole without that.
  if (tryInflate(bytes.subarray(0, -1), out).found) throw damaged();
  const { found, error } = tryInflate(bytes, out);
  if (found?.length !== length) throw damaged(error);
  return found;
}

function tryInflate(bytes: Uint8Array, out: Uint8Array): { found?: Uint8Array; error?: unknown } {
  // Of no bytes fflate makes a result.
  if (bytes.length === 0) return {};
  try {
    return { found: inflateSync(bytes, { out }) };
  } catch (error) {
    return { error };
  }
}
