import { execFileSync, spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { CnfzipError } from '../../codec/error.js';
import { type Image, sameImage } from '../../codec/image.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { randomImage } from '../../src/fuzz/random-image.js';
import { expand } from '../../src/io/expand.js';
import { decodeNetpbm, encodeNetpbm } from '../../src/io/netpbm.js';

const text = (string: string) => Buffer.from(string, 'latin1');
const installed = (program: string) => spawnSync(program, ['--version']).error === undefined;
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

test.each([
  ['P2 2 1 255\n000255 5', [255, 5]],
  ['P2 2 1 255 # above\n12 # beside\n7 # behind', [12, 7]],
  ['P2 2 1 255#c\n0000000000000000012#c\n7', [12, 7]],
  ['P2 2 1 255\r\n1\r\n2\r\n', [1, 2]],
  ['P1 3 1 # c\n10#x\n1', [0, 1, 0]],
  // One space ends the header of binary samples, or a comment in its place; another # is a sample.
  ['P5 2 1 255#c\n\x07\x08', [7, 8]],
  ['P5 2 1 255\n#c', [35, 99]],
  ['P5 # a\n2 # b\n1 # c\n255\n\x20\x0a', [32, 10]],
  ['P7\n# c\nWIDTH 1\n\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n\x01', [1]],
  ['P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nENDHDR\nab', [97, 98]],
])('%j: whole words, comments between them', (file, samples) => {
  expect([...decode(file).samples]).toEqual(samples);
});

test.each([
  ['P2 2 1 255\n300 1', /above 255/],
  ['P2 1 1 300\n65536', /above 65535/],
  ['P2 2 1 9\n10 1', /above its largest value, 9/],
  ['P2 2 1 255\n12x 7', /something else than numbers at byte 13/],
  ['P2 2 1 255\n-3 1', /something else than numbers at byte 11/],
  ['P2 2x1 255\n3 1', /something else than numbers/],
  ['P1 2 1\n1 2', /something else than 0 and 1/],
  ['P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\nabcd', /4 channels and the tuple type CMYK/],
  ['P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\nabcd', /4 channels and the tuple type RGB$/],
  ['P7\nWIDTH 1\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\na', /WIDTH twice/],
  ['P7\nWIDTH 1\nFOO 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\na', /not known: FOO 2/],
])('%j is refused', (file, message) => {
  expect(() => decode(file)).toThrow(message);
  expect(() => decode(file)).toThrow(CnfzipError);
});

test('comments are told of', () => {
  expect(decodeNetpbm(text('P2 # c\n1 1 255 7\n')).lost).toEqual(['its comments are not kept']);
  expect(decodeNetpbm(text('P7\n#c\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 9\nENDHDR\n\0')).lost).toHaveLength(1);
});

test('random text, with random spaces, comments and zeros in front, gives the numbers that are in it', () => {
  const random = randomIntegers(16);
  const space = () => [' ', '\n', '\t ', '\r\n', ' # 12\n', '#\n'][random(6)];
  for (let seed = 0; seed < 200; seed++) {
    const maxval = [1, 9, 255, 256, 65535][random(5)];
    const values = Array.from({ length: 6 }, () => random(maxval + 1));
    const digits = values.map((value) => '0'.repeat(random(4)) + value + space()).join('');
    const file = `P2${space()}3${space()}2${space()}${maxval}${space()}${digits}`;
    expect([...decode(file).samples], JSON.stringify(file)).toEqual(values);
  }
});

test.skipIf(!installed('pnmtoplainpnm'))('netpbm reads the same (skipped where its tools are not installed)', () => {
  for (let seed = 0; seed < 40; seed++) {
    const image = { ...expand(randomImage(seed)), metadata: [] };
    if (image.channels % 2 === 0) continue;
    const plain = execFileSync('pnmtoplainpnm', { input: encodeNetpbm(image) });
    const { image: back } = decodeNetpbm(plain);
    expect(sameImage(back, image), `seed ${seed}`).toBe(true);
  }
});

test('limits act before memory is taken', () => {
  expect(() => decodeNetpbm(text('P5 9999 9999 255\n'), { maxPixels: 1e6 })).toThrow(/more than the limit/);
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
