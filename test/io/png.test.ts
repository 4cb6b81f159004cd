import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { crc32 } from '../../codec/container/crc32.js';
import { type Image, sameImage } from '../../codec/image.js';
import { isPngImage, randomImage } from '../../src/fuzz/random-image.js';
import { decodePng, encodePng, readPng } from '../../src/io/png.js';
import { readPngStructure } from '../../src/io/png-chunks.js';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, -4)), data.length + 8);
  return out;
}

function header(width: number, height: number, depth: number, colourType: number, interlace = 0): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([depth, colourType, 0, 0, interlace], 8);
  return chunk('IHDR', data);
}

const END = chunk('IEND', new Uint8Array(0));

function png(...chunks: Uint8Array[]): Buffer {
  return Buffer.concat([Uint8Array.from(SIGNATURE), ...chunks]);
}

/** Rows of a 2 x 2 RGB image, unfiltered. */
const ROWS = [0, 1, 2, 3, 4, 5, 6, 0, 7, 8, 9, 10, 11, 12];
const DATA = chunk('IDAT', deflateSync(Uint8Array.from(ROWS)));
const SMALL: Image = {
  width: 2,
  height: 2,
  channels: 3,
  maxval: 255,
  samples: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
};

function refusal(bytes: Uint8Array): { code: string; message: string } {
  try {
    decodePng(bytes);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    expect(message).not.toContain('\n');
    return { code, message };
  }
  throw new Error('it was read without an error');
}

test('random images of every kind come back; ranges that no PNG has are scaled', async () => {
  for (let seed = 0; seed < 300; seed++) {
    const image = randomImage(seed);
    const file = encodePng(image);
    const back = decodePng(file);
    if (isPngImage(image)) {
      expect(sameImage(back, image), `seed ${seed}`).toBe(true);
      continue;
    }
    const [from, to] = [image.maxval!, back.maxval!];
    expect([...back.samples].map((sample) => Math.round((sample * from) / to))).toEqual([...image.samples]);
  }
});

test('libpng reads the same samples from what is written', async () => {
  for (let seed = 0; seed < 60; seed++) {
    const image = randomImage(seed);
    if (!isPngImage(image) || image.palette || image.maxval! < 255) continue;
    const deep = image.maxval! > 255;
    const { data } = await sharp(encodePng({ ...image, metadata: [] }))
      .toColourspace(deep ? (image.channels === 1 ? 'grey16' : 'rgb16') : image.channels === 1 ? 'b-w' : 'srgb')
      .raw({ depth: deep ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const samples = deep ? new Uint16Array(Uint8Array.from(data).buffer) : data;
    // Gray with alpha comes as RGBA.
    const wanted = image.channels === 2 ? [...samples].filter((_, i) => i % 4 === 0 || i % 4 === 3) : [...samples];
    expect(wanted).toEqual([...image.samples]);
  }
});

test('a file of plain rows, with pieces of image data and a view into a larger buffer', () => {
  expect(decodePng(png(header(2, 2, 8, 2), DATA, END))).toEqual(SMALL);
  const compressed = deflateSync(Uint8Array.from(ROWS));
  const pieces = [compressed.subarray(0, 5), compressed.subarray(5, 5), compressed.subarray(5)];
  const cut = png(header(2, 2, 8, 2), ...pieces.map((piece) => chunk('IDAT', piece)), END);
  expect(decodePng(Buffer.concat([Buffer.alloc(3), cut]).subarray(3))).toEqual(SMALL);
});

test('every filter type is undone, with samples that wrap', () => {
  const rows = [0, 250, 10, 1, 10, 10, 2, 10, 250, 3, 100, 100, 4, 200, 200];
  const { samples } = decodePng(png(header(2, 5, 8, 0), chunk('IDAT', deflateSync(Uint8Array.from(rows))), END));
  expect([...samples]).toEqual([250, 10, 10, 20, 20, 14, 110, 162, 54, 54]);
});

test('an interlaced file gives the same samples', () => {
  // Passes of a 2 x 2 image: (0, 0), then (1, 0), then row 1.
  const rows = [0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 10, 11, 12];
  const interlaced = png(header(2, 2, 8, 2, 1), chunk('IDAT', deflateSync(Uint8Array.from(rows))), END);
  expect(decodePng(interlaced)).toEqual(SMALL);
});

test('gamma and other metadata change no sample, and are kept in their places', () => {
  const gamma = chunk('gAMA', Uint8Array.of(0, 0, 0xb1, 0x8f));
  const text = chunk('tEXt', Buffer.from('Comment\0hello'));
  const file = png(header(2, 2, 8, 2), gamma, text, DATA, text, END);
  const image = decodePng(file);
  expect(image).toMatchObject(SMALL);
  expect(image.metadata!.map(({ type, place }) => `${type} ${place}`)).toEqual([
    'gAMA start',
    'tEXt start',
    'tEXt end',
  ]);
  const again = Buffer.from(encodePng(image));
  expect(again.subarray(33, 33 + gamma.length + text.length)).toEqual(Buffer.concat([gamma, text]));
  expect(again.subarray(-END.length - text.length)).toEqual(Buffer.concat([text, END]));
});

test('palette, transparency and what stands around them', () => {
  const palette = chunk('PLTE', Uint8Array.of(1, 2, 3, 4, 5, 6));
  const [before, after] = [chunk('gAMA', new Uint8Array(4)), chunk('tRNS', Uint8Array.of(7))];
  const data = chunk('IDAT', deflateSync(Uint8Array.of(0, 0b01000000)));
  const image = decodePng(png(header(3, 1, 1, 3), before, palette, after, data, END));
  expect([...image.samples]).toEqual([0, 1, 0]);
  expect([...image.palette!]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(image.metadata!.map(({ type, place }) => `${type} ${place}`)).toEqual(['gAMA start', 'tRNS after palette']);
  expect(decodePng(encodePng(image))).toEqual(image);
});

test('what follows the end of the PNG is no part of it', () => {
  const file = Buffer.concat([png(header(2, 2, 8, 2), DATA, END), Buffer.from('more')]);
  expect(decodePng(file)).toEqual(SMALL);
  expect(readPngStructure(file).trailing).toBe(4);
});

test.each([
  ['text', Buffer.from('hello, world'), /^not a PNG file$/],
  ['no header', png(DATA, END), /does not begin with a header/],
  ['a colour type that no PNG has', png(header(2, 2, 8, 5), DATA, END), /which no PNG has/],
  ['a depth that no PNG has', png(header(2, 2, 0, 2), DATA, END), /which no PNG has/],
  ['no pixels', png(header(0, 2, 8, 2), DATA, END), /0 x 2 pixels/],
  ['no palette', png(header(2, 2, 8, 3), DATA, END), /it has no palette/],
  ['a palette too large', png(header(2, 2, 1, 3), chunk('PLTE', new Uint8Array(9)), DATA, END), /a palette of 9 bytes/],
  ['two headers', png(header(2, 2, 8, 2), header(2, 2, 8, 2), DATA, END), /two headers/],
  ['scattered data', png(header(2, 2, 8, 2), DATA, chunk('tEXt', new Uint8Array(1)), DATA, END), /not in one piece/],
  ['no image data', png(header(2, 2, 8, 2), END), /no image data/],
  ['too few rows', png(header(2, 3, 8, 2), DATA, END), /ends too early/],
  ['too few rows, interlaced', png(header(9, 9, 8, 2, 1), DATA, END), /damaged PNG/],
  ['far too little data', png(header(16000, 16000, 8, 2), DATA, END), /too little image data/],
  ['rubbish as data', png(header(2, 2, 8, 2), chunk('IDAT', Uint8Array.of(1, 2, 3)), END), /cannot be decoded/],
  [
    'an unknown filter',
    png(header(1, 1, 8, 0), chunk('IDAT', deflateSync(Uint8Array.of(9, 9))), END),
    /no row filter 9/,
  ],
])('%s is refused', (_, bytes, message) => {
  expect(refusal(bytes)).toMatchObject({ code: 'bad-input', message: expect.stringMatching(message) });
});

test('a chunk that must be understood and is not is refused', () => {
  const file = png(header(2, 2, 8, 2), chunk('ABCD', new Uint8Array(1)), DATA, END);
  expect(refusal(file)).toMatchObject({ code: 'unsupported', message: expect.stringContaining('ABCD') });
});

test('no more chunks are kept than a cnfz file may hold', () => {
  const file = (pieces: number) => {
    const piece = chunk('teXt', new Uint8Array(0));
    return png(header(2, 2, 8, 2), Buffer.alloc(pieces * piece.length, piece), DATA, END);
  };
  expect(decodePng(file(65536)).metadata).toHaveLength(65536);
  expect(() => decodePng(file(65537))).toThrow(/more than 65536 chunks of metadata/);
});

test('too many pixels are refused before memory is taken', () => {
  expect(refusal(png(header(2 ** 31 - 1, 2 ** 31 - 1, 8, 2), DATA, END))).toMatchObject({ code: 'unsupported' });
  expect(refusal(png(header(2 ** 14, 2 ** 14 + 1, 8, 2), DATA, END))).toMatchObject({ code: 'unsupported' });
});

test('an interlaced file cannot inflate to more than its size', () => {
  const bomb = chunk('IDAT', deflateSync(new Uint8Array(50_000_000)));
  expect(refusal(png(header(2, 2, 8, 2, 1), bomb, END))).toMatchObject({ code: 'bad-input' });
});

test('every truncation and every flipped bit of a real file is refused', () => {
  const file = readFileSync(new URL('../../fixtures/tiny-5x3.png', import.meta.url));
  decodePng(file);
  for (let length = 0; length < file.length; length++) {
    expect(refusal(file.subarray(0, length)).code, `${length} bytes`).toBe('bad-input');
  }
  for (let bit = 0; bit < 8 * file.length; bit++) {
    const flipped = Buffer.from(file);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    expect(refusal(flipped).code, `bit ${bit}`).toMatch(/bad-input|unsupported/);
  }
});

test('bytes behind the stream of the samples, in the end chunk and behind it are told of', () => {
  const compressed = deflateSync(Uint8Array.from(ROWS));
  const behind = png(header(2, 2, 8, 2), chunk('IDAT', Buffer.concat([compressed, Buffer.from('more')])), END);
  expect(readPng(behind, {})).toEqual({
    image: SMALL,
    lost: ['4 bytes of image data behind the last row are not kept'],
  });
  const next = png(header(2, 2, 8, 2), DATA, chunk('IDAT', Buffer.from('more')), END);
  expect(readPng(next, {}).lost).toEqual(['4 bytes of image data behind the last row are not kept']);
  const inEnd = png(header(2, 2, 8, 2), DATA, chunk('IEND', Buffer.from('more')));
  expect(readPng(inEnd, {}).lost).toEqual(['4 bytes behind the end of the PNG are not kept']);
  expect(readPng(png(header(2, 2, 8, 2), DATA, chunk('IDAT', new Uint8Array(0)), END), {}).lost).toEqual([]);
});

test('a palette that only suggests colours stays beside the samples; in gray images there is none', () => {
  const suggested = chunk('PLTE', Uint8Array.of(1, 2, 3));
  const image = decodePng(png(header(2, 2, 8, 2), suggested, DATA, END));
  expect(image).toEqual({ ...SMALL, metadata: [{ type: 'PLTE', place: 'start', data: Uint8Array.of(1, 2, 3) }] });
  expect(decodePng(encodePng(image))).toEqual(image);
  const gray = chunk('IDAT', deflateSync(Uint8Array.of(0, 7)));
  expect(refusal(png(header(1, 1, 8, 0), suggested, gray, END)).message).toMatch(/it is gray and has a palette/);
  for (const chunks of [
    [suggested, suggested, DATA],
    [DATA, suggested],
  ]) {
    expect(refusal(png(header(2, 2, 8, 2), ...chunks, END)).message).toMatch(/not where it belongs/);
  }
  expect(refusal(png(header(2, 2, 8, 2), chunk('PLTE', new Uint8Array(4)), DATA, END)).message).toMatch(/of 4 bytes/);
});

test('an animation comes back; one of interlaced frames, which would not, is refused', () => {
  const control = chunk('acTL', new Uint8Array(8));
  const frame = chunk('fdAT', Buffer.concat([Buffer.alloc(4), deflateSync(Uint8Array.from(ROWS))]));
  const image = decodePng(png(header(2, 2, 8, 2), control, DATA, frame, END));
  expect(decodePng(encodePng(image))).toEqual(image);
  const rows = [0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 10, 11, 12];
  const interlaced = chunk('IDAT', deflateSync(Uint8Array.from(rows)));
  expect(refusal(png(header(2, 2, 8, 2, 1), control, interlaced, frame, END))).toMatchObject({
    code: 'unsupported',
    message: expect.stringMatching(/interlaced frames/),
  });
});

test('a note on how the samples were compressed is not kept, as it would be false', () => {
  const note = chunk('iDOT', new Uint8Array(28));
  expect(readPng(png(header(2, 2, 8, 2), note, DATA, END), {})).toEqual({ image: SMALL, lost: [] });
});

test('limits act before samples are inflated', () => {
  const file = png(header(16384, 16384, 8, 0), chunk('IDAT', deflateSync(new Uint8Array(16384 * 16385))), END);
  const before = process.memoryUsage.rss();
  expect(() => readPng(file, { maxPixels: 2 ** 20 })).toThrow(/268435456|16384 x 16384 pixels are more than the limit/);
  expect(() => readPng(file, { maxMemory: 200e6 })).toThrow(/of memory, more than the limit of 200 MB/);
  expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
});
