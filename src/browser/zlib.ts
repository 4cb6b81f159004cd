/** The zlib streams of PNG files (RFC 1950) by fflate: what builds for browsers have in place of `src/io/zlib.ts`. */
import { inflateSync, zlibSync } from 'fflate';

const HEADER = 2;
const CHECKSUM = 4;

/** Most additions of bytes until a sum of 32 bits is reduced (RFC 1950, 9). */
const ADLER_RUN = 3800;
const ADLER_BASE = 65521;

/** As that of `src/io/zlib.ts`. */
export function inflateZlib(compressed: Uint8Array, size: number): { inflated: Uint8Array; behind: number } {
  const [method, flags] = compressed;
  if ((method & 15) !== 8 || (method * 256 + flags) % 31 !== 0 || flags & 32) throw new Error('no zlib stream');
  const stream = compressed.subarray(HEADER);
  // One byte of room more than allowed shows what is too long; fflate itself writes nothing behind the end.
  const out = new Uint8Array(size + 1);
  const inflated = inflateSync(stream, { out });
  if (inflated.length > size) throw new Error('too long');
  const checksum = adler32(inflated);
  const tells = (end: number) => end >= 0 && checksumAt(stream, end) === checksum;
  if (tells(stream.length - CHECKSUM)) return { inflated, behind: 0 };
  const end = endOf(stream, inflated.length);
  if (!tells(end)) throw new Error('the checksum does not match');
  return { inflated, behind: stream.length - end - CHECKSUM };
}

/** As that of `src/io/zlib.ts`, if some per cent larger. */
export function deflateZlib(bytes: Uint8Array): Uint8Array {
  return zlibSync(bytes, { level: 9 });
}

/** Where the deflated data ends, of which fflate tells nothing: the fewest bytes that inflate to as many as all do. */
function endOf(stream: Uint8Array, size: number): number {
  const whole = (end: number) => {
    try {
      return inflateSync(stream.subarray(0, end), { out: new Uint8Array(size + 1) }).length === size;
    } catch {
      return false;
    }
  };
  let [low, high] = [1, stream.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (whole(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function checksumAt(bytes: Uint8Array, at: number): number | undefined {
  if (at + CHECKSUM > bytes.length) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);
}

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (let from = 0; from < bytes.length; from += ADLER_RUN) {
    const to = Math.min(from + ADLER_RUN, bytes.length);
    for (let i = from; i < to; i++) {
      a += bytes[i];
      b += a;
    }
    a %= ADLER_BASE;
    b %= ADLER_BASE;
  }
  return b * 65536 + a;
}
