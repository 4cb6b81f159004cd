import { expect, test } from 'vitest';
import { CnfzipError } from '../codec/error.js';
import { type Image, sameImage } from '../codec/image.js';
import { randomImage } from '../src/fuzz/random-image.js';
import { expand } from '../src/io/expand.js';
import { decodeNetpbm, encodeNetpbm } from '../src/io/netpbm.js';

const text = (string: string) => Buffer.from(string, 'latin1');
const decode = (string: string) => decodeNetpbm(text(string)).image;

test('random images of every kind come back, palettes spelled out', () => {
  for (let seed = 0; seed < 300; seed++) {
    const image = randomImage(seed);
    const { image: back, lost } = decodeNetpbm(encodeNetpbm(image));
    expect(sameImage(back, { ...expand(image), metadata: [] }), `seed ${seed}`).toBe(true);
    expect(lost).toEqual([]);
  }
});

test.each([
  ['P1', 'P1\n# a comment\n3 2\n1 0 1\n010', { channels: 1, maxval: 1, values: [0, 1, 0, 1, 0, 1] }],
  ['P2', 'P2 2 1 300\n7 300\n', { channels: 1, maxval: 300, values: [7, 300] }],
  ['P3', 'P3\n1\n#\n1 9 1 2 3', { channels: 3, maxval: 9, values: [1, 2, 3] }],
  [
    'P4',
    'P4 9 2\n\xaa\x80\x00\x7f',
    { channels: 1, maxval: 1, values: [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1] },
  ],
  ['P5', 'P5 1 2 256\n\x01\x00\x00\xff', { channels: 1, maxval: 256, values: [256, 255] }],
  ['P6', 'P6 1 1 255\nabc', { channels: 3, maxval: 255, values: [97, 98, 99] }],
  [
    'P7',
    'P7\n#x\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\nabcd',
    { channels: 4, maxval: 255, values: [97, 98, 99, 100] },
  ],
])('%s files', (_, file, { values, ...expected }) => {
  const { samples, ...image } = decode(file);
  expect(image).toMatchObject(expected);
  expect([...samples]).toEqual(values);
});

test.each([
  ['no size', 'P5 x 1 255\n', /something else than numbers/],
  ['no pixels', 'P5 0 1 255\n', /0 x 1 pixels/],
  ['no range', 'P5 1 1 0\n\0', /0 as the largest value/],
  ['too large a range', 'P5 1 1 65536\n\0\0', /65536 as the largest value/],
  ['a sample above the range', 'P5 1 1 9\n\x0a', /above its largest value/],
  ['a text sample above the range', 'P2 1 1 9 10', /above its largest value/],
  ['too few samples', 'P6 2 2 255\nabc', /cut short/],
  ['too few numbers', 'P3 2 1 255\n10 20 30 40 5', /end too early|cut short/],
  ['no end of the header', 'P7\nWIDTH 1\n', /does not end/],
  ['no depth', 'P7\nWIDTH 1\nHEIGHT 1\nMAXVAL 1\nENDHDR\n\0', /no DEPTH/],
])('a file with %s is refused', (_, file, message) => {
  expect(() => decode(file)).toThrow(message);
});

test('sizes are bounded before memory is taken', () => {
  expect(() => decode('P5 99999 99999 255\n')).toThrow(/too many/);
  expect(() => decode('P7\nWIDTH 2\nHEIGHT 2\nDEPTH 9\nMAXVAL 1\nENDHDR\n')).toThrow(/9 channels/);
});

test('a second image is told of, spaces at the end are not', () => {
  const one = encodeNetpbm({ width: 1, height: 1, channels: 1, samples: Uint8Array.of(9) });
  expect(decodeNetpbm(Buffer.concat([one, one]))).toMatchObject({
    lost: [`${one.length} bytes behind the first image are not kept`],
  });
  expect(decodeNetpbm(Buffer.concat([one, text('\n')]))).toMatchObject({ lost: [] });
});

test('truncated and damaged files give nothing but a CnfzipError', () => {
  const image: Image = randomImage(4);
  const file = encodeNetpbm(image);
  for (let length = 2; length < file.length; length++) {
    expect(() => decodeNetpbm(file.subarray(0, length)), `${length} bytes`).toThrow(CnfzipError);
  }
  for (let bit = 16; bit < 8 * file.length; bit++) {
    const flipped = Buffer.from(file);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    try {
      decodeNetpbm(flipped);
    } catch (error) {
      expect(error, `bit ${bit}`).toBeInstanceOf(CnfzipError);
    }
  }
});
