import { expect, test } from 'vitest';
import { CnfzipError } from '../../codec/error.js';
import { decodeBmp } from '../../src/io/bmp.js';

interface Fields {
  width: number;
  height: number;
  bits: number;
  compression?: number;
  palette?: number[];
  masks?: number[];
  rows: number[];
}

function bmp({ width, height, bits, compression = 0, palette = [], masks = [], rows }: Fields): Buffer {
  const start = 54 + 4 * masks.length + palette.length;
  const header = Buffer.alloc(54);
  header.write('BM');
  header.writeUInt32LE(start, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(bits, 28);
  header.writeUInt32LE(compression, 30);
  header.writeUInt32LE(palette.length / 4, 46);
  const words = Buffer.alloc(4 * masks.length);
  for (const [i, mask] of masks.entries()) words.writeUInt32LE(mask, 4 * i);
  return Buffer.concat([header, words, Uint8Array.from(palette), Uint8Array.from(rows)]);
}

test('24 bits, from the bottom up or, with a negative height, from the top down', () => {
  const rows = [3, 2, 1, 0, 6, 5, 4, 0];
  const { image: upwards } = decodeBmp(bmp({ width: 1, height: 2, bits: 24, rows }));
  expect(upwards).toMatchObject({ width: 1, height: 2, channels: 3, maxval: 255 });
  expect([...upwards.samples]).toEqual([4, 5, 6, 1, 2, 3]);
  expect([...decodeBmp(bmp({ width: 1, height: -2, bits: 24, rows })).image.samples]).toEqual([1, 2, 3, 4, 5, 6]);
});

test('palettes stay palettes', () => {
  const palette = [10, 20, 30, 0, 40, 50, 60, 0];
  const { image: one } = decodeBmp(bmp({ width: 3, height: 1, bits: 1, palette, rows: [0b01000000, 0, 0, 0] }));
  expect(one).toMatchObject({ channels: 1, maxval: 1 });
  expect([...one.samples]).toEqual([0, 1, 0]);
  expect([...one.palette!]).toEqual([30, 20, 10, 60, 50, 40]);
  const { image: four } = decodeBmp(bmp({ width: 3, height: 1, bits: 4, palette, rows: [0x10, 0x10, 0, 0] }));
  expect([...four.samples]).toEqual([1, 0, 1]);
  const { image: eight } = decodeBmp(bmp({ width: 2, height: 1, bits: 8, palette, rows: [1, 0, 0, 0] }));
  expect([...eight.samples]).toEqual([1, 0]);
});

test('16 and 32 bits by their masks', () => {
  const { image: plain } = decodeBmp(bmp({ width: 1, height: 1, bits: 16, rows: [0x1f, 0x7c, 0, 0] }));
  expect([...plain.samples]).toEqual([255, 0, 255]);
  const masks = [0xf800, 0x7e0, 0x1f];
  const { image: six } = decodeBmp(
    bmp({ width: 1, height: 1, bits: 16, compression: 3, masks, rows: [0xe0, 7, 0, 0] }),
  );
  expect([...six.samples]).toEqual([0, 255, 0]);
  const { image: wide } = decodeBmp(bmp({ width: 1, height: 1, bits: 32, rows: [3, 2, 1, 9] }));
  expect([...wide.samples]).toEqual([1, 2, 3]);
});

test.each([
  ['compression', bmp({ width: 1, height: 1, bits: 8, compression: 1, rows: [0, 0, 0, 0] }), /compression method 1/],
  ['too few rows', bmp({ width: 9, height: 9, bits: 24, rows: [1] }), /cut short/],
  ['a strange depth', bmp({ width: 1, height: 1, bits: 7, rows: [0, 0, 0, 0] }), /7 bits a pixel/],
  ['no pixels', bmp({ width: 0, height: 1, bits: 24, rows: [] }), /0 x 1 pixels/],
  [
    'scattered masks',
    bmp({ width: 1, height: 1, bits: 16, compression: 3, masks: [0x5, 2, 1], rows: [0, 0, 0, 0] }),
    /mask 5/,
  ],
  ['too many pixels', bmp({ width: 2 ** 20, height: 2 ** 20, bits: 1, rows: [] }), /too many/],
])('%s: refused', (_, file, message) => {
  expect(() => decodeBmp(file)).toThrow(message);
  expect(() => decodeBmp(file)).toThrow(CnfzipError);
});

test('truncations give nothing but a CnfzipError', () => {
  const file = bmp({ width: 5, height: 5, bits: 24, rows: Array(80).fill(7) });
  for (let length = 0; length < file.length; length++)
    expect(() => decodeBmp(file.subarray(0, length))).toThrow(CnfzipError);
});

test('what of a BMP is no sample is told of', () => {
  const pixels = (fourth: number) => bmp({ width: 2, height: 1, bits: 32, rows: [1, 2, 3, fourth, 4, 5, 6, 0] });
  expect(decodeBmp(pixels(0)).lost).toEqual([]);
  expect(decodeBmp(pixels(1)).lost).toEqual(['the bits of its pixels that are no colour are not kept']);
  const odd = bmp({ width: 1, height: 1, bits: 16, rows: [0x1f, 0xfc, 0, 0] });
  expect(decodeBmp(odd).lost).toHaveLength(1);
  const plain = bmp({ width: 1, height: 1, bits: 24, rows: [1, 2, 3, 0] });
  expect(decodeBmp(Buffer.concat([plain, Buffer.alloc(2)])).lost).toEqual([]);
  expect(decodeBmp(Buffer.concat([plain, Buffer.from('tail')])).lost).toEqual([
    '4 bytes behind the samples are not kept',
  ]);
  const gap = Buffer.concat([plain.subarray(0, 54), Buffer.from('gap!'), plain.subarray(54)]);
  gap.writeUInt32LE(58, 10);
  expect(decodeBmp(gap).lost).toEqual(['4 bytes before the samples are not kept']);
  const palette = [10, 20, 30, 0, 40, 50, 60, 7];
  expect(decodeBmp(bmp({ width: 1, height: 1, bits: 1, palette, rows: [0, 0, 0, 0] })).lost).toHaveLength(1);
});

test('alpha is read where a mask names it, and kept', () => {
  const masks = [0xff0000, 0xff00, 0xff, 0xff000000];
  const { image, lost } = decodeBmp(bmp({ width: 1, height: 1, bits: 32, compression: 6, masks, rows: [3, 2, 1, 9] }));
  expect(image.channels).toBe(4);
  expect([...image.samples]).toEqual([1, 2, 3, 9]);
  expect(lost).toEqual([]);
});

test('pixels per metre become those of a PNG; a colour space that is not kept is told of', () => {
  const file = bmp({ width: 1, height: 1, bits: 24, rows: [1, 2, 3, 0] });
  file.writeInt32LE(2835, 38);
  file.writeInt32LE(11811, 42);
  const [{ type, data }] = decodeBmp(file).image.metadata!;
  expect(type).toBe('pHYs');
  expect(Buffer.from(data).toString('hex')).toBe('00000b1300002e2301');
  const fifth = Buffer.concat([file.subarray(0, 54), Buffer.alloc(84), file.subarray(54)]);
  fifth.writeUInt32LE(138, 10);
  fifth.writeUInt32LE(124, 14);
  for (const [space, lost] of [
    ['BGRs', []],
    [' niW', []],
    ['DEBM', ['its colour space is not kept']],
  ] as const) {
    fifth.write(space, 70, 'latin1');
    expect(decodeBmp(fifth).lost, space).toEqual(lost);
  }
});

test('limits act before samples are looked at', () => {
  const file = bmp({ width: 2000, height: 2000, bits: 24, rows: [] });
  expect(() => decodeBmp(file, { maxPixels: 1e6 })).toThrow(/more than the limit of 1000000/);
});
