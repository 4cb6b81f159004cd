/** The zlib streams of PNG files by Node's zlib. Builds for browsers put `src/browser/zlib.ts` in its place. */
import { deflateSync, inflateSync } from 'node:zlib';

/** Bytes of a buffer for inflated data beyond its size: with them it is one of its own and the only one. */
const SPARE = 16384;

/** What Node returns with the option `info`, of which its types do not know; `bytesWritten` counts the bytes that were read. */
interface Inflated {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

/**
 * Inflates a zlib stream, whose checksum must be right.
 *
 * @param size bytes that it may come to: more are an error, fewer are not
 * @returns also how many of `compressed` are behind the stream's end
 */
export function inflateZlib(compressed: Uint8Array, size: number): { inflated: Uint8Array; behind: number } {
  const options = { maxOutputLength: size, chunkSize: size + SPARE, info: true };
  const { buffer, engine } = inflateSync(compressed, options) as unknown as Inflated;
  const inflated = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
  return { inflated, behind: compressed.length - engine.bytesWritten };
}

/** As small a zlib stream as there is. */
export function deflateZlib(bytes: Uint8Array): Uint8Array {
  return deflateSync(bytes, { level: 9 });
}
