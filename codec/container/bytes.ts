/** Numbers in bytes: little-endian, and varints of 7 bits a byte, lowest first, the top bit set on all bytes but the last. */
import { CnfzipError } from '../error.js';

/** @param value an integer, 0 .. 2^35 - 1 */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
  return bytes;
}

/** Bytes that end too early: more of them may be at hand. */
export class CutShortError extends CnfzipError {
  constructor() {
    super('corrupt', 'cut short: the file ends before its data does');
  }
}

/** Reads bytes one after the other; throws `corrupt` where they end too early or are no number. */
export class ByteReader {
  at = 0;

  constructor(readonly bytes: Uint8Array) {}

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** A view of the next bytes. */
  take(count: number): Uint8Array {
    if (count > this.left) throw this.cutShort();
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  byte(): number {
    return this.take(1)[0];
  }

  uint32(): number {
    const [a, b, c, d] = this.take(4);
    return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  }

  /** At most five bytes in its shortest form, so below 2^35. */
  varint(): number {
    let value = 0;
    let unit = 1;
    for (let i = 0; i < 5; i++) {
      const byte = this.byte();
      value += (byte & 127) * unit;
      unit *= 128;
      if (byte < 128) {
        if (byte === 0 && i > 0) break;
        return value;
      }
    }
    throw new CnfzipError('corrupt', 'damaged: a malformed number');
  }

  cutShort(): CutShortError {
    return new CutShortError();
  }
}

/** All bytes one behind the other. */
export function concatenate(parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
