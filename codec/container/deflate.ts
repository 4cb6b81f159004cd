/** Deflate (RFC 1951) of data whose length the decoder knows. */
import { deflateSync, inflateSync } from 'fflate';
import { CnfzipError } from '../error.js';

/** Deflate makes at most this many bytes of one. */
const MAX_INFLATION = 1032;

export function deflate(bytes: Uint8Array): Uint8Array {
  return deflateSync(bytes, { level: 9 });
}

/**
 * Undoes `deflate`.
 *
 * @param length of the result; no more memory is taken than this, nor before it is possible
 * @throws {CnfzipError} `corrupt` if the data is damaged or of another length
 */
export function inflate(bytes: Uint8Array, length: number): Uint8Array {
  const damaged = (cause?: unknown) => new CnfzipError('corrupt', 'damaged: deflated data is malformed', { cause });
  if (length > bytes.length * MAX_INFLATION) throw damaged();
  // One byte of room more than needed shows data that is too long; fflate itself writes nothing behind the end.
  const out = new Uint8Array(length + 1);
  let found: Uint8Array;
  try {
    found = inflateSync(bytes, { out });
  } catch (cause) {
    throw damaged(cause);
  }
  if (found.length !== length) throw damaged();
  return found;
}
