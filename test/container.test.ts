import { expect, test } from 'vitest';
import { type Container, FORMAT_VERSION, readContainer, writeContainer } from '../codec/container.js';
import { crc32 } from '../codec/crc32.js';
import { CnfzipError } from '../codec/error.js';
import { tileCount } from '../codec/tiles.js';
import { randomBytes, randomIntegers } from './random-bytes.js';

function container(width: number, height: number, payloadBytes: number, seed = 1): Container {
  return {
    kernelVersion: 1,
    modelHash: '0123456789abcdef',
    width,
    height,
    channels: 3,
    bitDepth: 8,
    payloads: Array.from({ length: tileCount(width, height) }, (_, i) => randomBytes(payloadBytes, seed + i)),
    samplesCrc: 0xdeadbeef,
  };
}

/** The error that reading these bytes gives. */
function failure(bytes: Uint8Array): CnfzipError {
  try {
    readContainer(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(CnfzipError);
    return error as CnfzipError;
  }
  throw new Error('it was read without an error');
}

/** A header with its own checksum made right again, so that what is behind the checksum is tested. */
function withHeader(change: (header: number[]) => void): Uint8Array {
  const header = [...writeContainer(container(32, 32, 10)).subarray(0, 17)];
  change(header);
  const bytes = new Uint8Array(header.length + 4 + 1000);
  bytes.set(header);
  new DataView(bytes.buffer).setUint32(header.length, crc32(Uint8Array.from(header)), true);
  return bytes;
}

test('random containers come back', () => {
  const random = randomIntegers(5);
  for (let i = 0; i < 50; i++) {
    const original: Container = {
      ...container(1 + random(2000), 1 + random(2000), random(300), i),
      channels: random(2) ? 1 : 3,
      kernelVersion: random(256),
      modelHash: Buffer.from(randomBytes(8, i)).toString('hex'),
      samplesCrc: random(2 ** 32),
    };
    expect(readContainer(writeContainer(original))).toEqual(original);
  }
});

test('the bytes are those that are documented', () => {
  const bytes = writeContainer({ ...container(300, 2, 0), payloads: [Uint8Array.of(9, 8, 7)] });
  expect(Buffer.from(bytes).toString('hex')).toBe(
    'cf5a0d0a' +
      '01' +
      '01' +
      '0123456789abcdef' +
      'ac02' +
      '02' +
      '73' +
      '4e2806e6' +
      '03' +
      '090807' +
      'd6549d6a' +
      'efbeadde',
  );
});

test('a file of one tile costs at most 36 bytes beside its payload', () => {
  expect(writeContainer(container(32, 32, 1500)).length - 1500).toBe(31);
  expect(writeContainer(container(512, 512, 400_000)).length - 400_000).toBe(34);
});

test('every flipped bit up to the trailer is refused', () => {
  const bytes = writeContainer(container(700, 3, 20));
  for (let bit = 0; bit < 8 * (bytes.length - 4); bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    const expected = bit < 32 ? 'bad-input' : bit < 40 && flipped[4] !== 0 ? 'unsupported' : 'corrupt';
    expect(failure(flipped).code, `bit ${bit}`).toBe(expected);
  }
});

test('every truncation is refused', () => {
  const bytes = writeContainer(container(700, 3, 20));
  for (let length = 0; length < bytes.length; length++) {
    expect(failure(bytes.subarray(0, length)).code, `${length} bytes`).toBe(length === 0 ? 'bad-input' : 'corrupt');
  }
});

test('trailing rubbish is refused', () => {
  const bytes = writeContainer(container(32, 32, 20));
  expect(failure(Uint8Array.from([...bytes, 0])).message).toMatch(/1 bytes? follow/);
});

test('what is no cnfz file, damaged by a text mode, or written by a newer version has its own message', () => {
  const bytes = writeContainer(container(32, 32, 20));
  expect(failure(new TextEncoder().encode('<!doctype html>'))).toMatchObject({
    code: 'bad-input',
    message: 'not a cnfz file',
  });
  const text = Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
  expect(failure(text).code).toBe('bad-input');
  const newer = bytes.slice();
  newer[4] = FORMAT_VERSION + 1;
  expect(failure(newer)).toMatchObject({ code: 'unsupported', message: expect.stringContaining('format version 2') });
});

test('impossible or unknown headers are refused before memory is taken', () => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
  expect(failure(withHeader((h) => h.splice(14, 2, ...huge, ...huge))).message).toMatch(/impossible image size/);
  expect(failure(withHeader((h) => h.splice(14, 1, 0))).message).toMatch(/impossible image size 0 x 32/);
  // 16,384 x 16,384: within the bounds, but 1,024 tiles do not fit in the file.
  expect(failure(withHeader((h) => h.splice(14, 2, 0x80, 0x80, 1, 0x80, 0x80, 1))).message).toMatch(/cut short/);
  expect(failure(withHeader((h) => h.splice(14, 1, 0xa0, 0))).message).toMatch(/malformed number/);
  expect(failure(withHeader((h) => h.splice(14, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 1))).message).toMatch(/malformed/);
  expect(failure(withHeader((h) => h.splice(16, 1, 0xf4))).message).toMatch(/4 channels of 16 bits/);
});

test('a chunk cannot claim more than the file holds', () => {
  const bytes = writeContainer(container(32, 32, 20));
  bytes[21] = 127;
  expect(failure(bytes).message).toMatch(/cut short/);
});

test('random bytes behind a magic never give anything but a CnfzipError', () => {
  for (let seed = 0; seed < 500; seed++) {
    const bytes = randomBytes(60, seed);
    bytes.set([0xcf, 0x5a, 0x0d, 0x0a, 1]);
    failure(bytes);
  }
});
