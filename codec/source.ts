/** Where the bytes of a file come from, of which only some may be wanted. */

import { CnfzipError } from './error.js';

/** Bytes that can be read at any place. */
export interface Source {
  /** How many there are, if that is known. */
  readonly size?: number;
  /**
   * Reads from `offset` on; fewer than `length` bytes only where there are no more.
   *
   * @param length at least 1
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  /**
   * As `read`, into memory that is there already: what `read` gives would stay until garbage is looked for. Returns how many bytes.
   *
   * @internal
   */
  readInto?(offset: number, room: Uint8Array): Promise<number>;
}

/** @throws CnfzipError `usage` if it is nothing that can be read */
export function toSource(given: Uint8Array | Blob | Source): Source {
  if (given instanceof Uint8Array) {
    return { size: given.length, read: async (offset, length) => given.subarray(offset, offset + length) };
  }
  if (given instanceof Blob) {
    const read = async (offset: number, length: number) =>
      new Uint8Array(await given.slice(offset, offset + length).arrayBuffer());
    return { size: given.size, read };
  }
  if (typeof (given as Source | null | undefined)?.read === 'function') return given;
  throw new CnfzipError(
    'usage',
    'a file is read from a Uint8Array, a Blob or a source: { size?, read(offset, length) }',
  );
}

/**
 * A file on a server, of which only the ranges that are wanted are fetched; from a server that knows no ranges all of it, once.
 *
 * @param options.fetch instead of the global one
 */
export function httpSource(url: string | URL, options: { fetch?: typeof fetch } = {}): Source {
  const request = options.fetch ?? fetch;
  let whole: Uint8Array | undefined;
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    if (whole) return whole.subarray(offset, offset + length);
    const refuse = (why: string, cause?: unknown) => new CnfzipError('file', `cannot be fetched: ${why}`, { cause });
    let response: Response;
    try {
      response = await request(url, { headers: { Range: `bytes=${offset}-${offset + length - 1}` } });
      // Behind the end.
      if (response.status === 416) return new Uint8Array();
      if (!response.ok) throw refuse(`the server answers ${response.status}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status === 206) return bytes.subarray(0, length);
      whole = bytes;
    } catch (error) {
      throw error instanceof CnfzipError ? error : refuse((error as Error).message, error);
    }
    return whole.subarray(offset, offset + length);
  };
  return { read };
}

/** A stream, which is read as far as bytes are wanted; they are kept. */
export function streamSource(stream: AsyncIterable<Uint8Array>): Source {
  const pieces = stream[Symbol.asyncIterator]();
  let kept = new Uint8Array(1 << 16);
  let filled = 0;
  let ended = false;
  const fill = async (until: number) => {
    while (filled < until && !ended) {
      const { value, done } = await pieces.next();
      if (done) {
        ended = true;
        break;
      }
      if (filled + value.length > kept.length) {
        const larger = new Uint8Array(Math.max(2 * kept.length, filled + value.length));
        larger.set(kept.subarray(0, filled));
        kept = larger;
      }
      kept.set(value, filled);
      filled += value.length;
    }
  };
  let last: Promise<void> = Promise.resolve();
  const read = async (offset: number, length: number) => {
    last = last.then(() => fill(offset + length));
    await last;
    return kept.subarray(offset, Math.min(offset + length, filled));
  };
  return { read };
}
