import { execFileSync, spawnSync } from 'node:child_process';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { CnfzipError } from '../../codec/error.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';
import { readImage } from '../../src/io/formats.js';
import { tiffFile } from './tiff-file.js';

const [width, height] = [5, 3];

/** Samples of 16 bits as their bytes. */
function bytesOf(samples: Uint8Array | Uint16Array, littleEndian: boolean): Uint8Array {
  if (samples instanceof Uint8Array) return samples;
  const out = Buffer.alloc(2 * samples.length);
  for (const [i, sample] of samples.entries()) {
    if (littleEndian) out.writeUInt16LE(sample, 2 * i);
    else out.writeUInt16BE(sample, 2 * i);
  }
  return out;
}

const kinds = [true, false].flatMap((littleEndian) =>
  ([8, 16] as const).flatMap((bits) => ([1, 2, 3, 4] as const).map((channels) => ({ littleEndian, bits, channels }))),
);

test.each(kinds)('TIFF samples are exact: %o', async ({ littleEndian, bits, channels }) => {
  const noise = randomBytes(2 * width * height * channels, channels);
  const samples = bits === 16 ? new Uint16Array(noise.buffer) : noise.subarray(0, width * height * channels);
  const file = (extra: number[]) =>
    tiffFile({
      ...{ width, height, bits, channels, littleEndian },
      photometric: channels < 3 ? 1 : 2,
      data: bytesOf(samples, littleEndian),
      entries: channels % 2 === 0 ? [[338, 3, extra]] : [],
    });
  const { image, warnings, complete } = await readImage(file([2]));
  expect(image).toEqual({ width, height, channels, maxval: 2 ** bits - 1, samples });
  expect([warnings, complete]).toEqual([[], true]);
  if (channels % 2 === 1) return;
  expect(await readImage(file([0]))).toMatchObject({ image, complete: false });
  await expect(readImage(file([1]))).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringMatching(/multiplied by alpha/),
  });
});

test('of a TIFF whose 0 is white, samples are turned round', async () => {
  const data = randomBytes(width * height, 1);
  for (const bits of [8, 1]) {
    const { image } = await readImage(tiffFile({ width, height, bits, photometric: 0, data }));
    const bit = (i: number) => (data[Math.floor(i / width)] >> (7 - (i % width))) & 1;
    expect([...image.samples]).toEqual(
      Array.from({ length: width * height }, (_, i) => 255 - (bits === 8 ? data[i] : 255 * bit(i))),
    );
  }
});

const data = randomBytes(4 * width * height, 7);
test.each([
  ['signed', { bits: 8, entries: [[339, 3, [2]]] }, /signed|char/],
  ['real', { bits: 16, entries: [[339, 3, [3]]] }, /not integers|float/],
  ['12-bit', { bits: 12 }, /12 bits/],
  ['32-bit', { bits: 32 }, /32 bits/],
  ['2-bit white', { bits: 2, photometric: 0 }, /whose 0 is white/],
  ['cmyk', { bits: 8, channels: 4, photometric: 5 }, /cmyk/],
  ['lab', { bits: 8, channels: 3, photometric: 8 }, /lab/],
  ['YCbCr', { bits: 8, channels: 3, photometric: 6 }, /YCbCr/],
  [
    'five channels',
    { bits: 8, channels: 5, photometric: 2, entries: [[338, 3, [2, 0]]] },
    /2 channels beside its colours/,
  ],
] as const)('TIFF, %s samples: refused', async (_, fields, message) => {
  const file = tiffFile({ width: 3, height, data, ...fields });
  await expect(readImage(file)).rejects.toMatchObject({ code: 'unsupported', message: expect.stringMatching(message) });
});

test.each([
  ['v * 257', (v: number) => 257 * v, []],
  ['v * 256', (v: number) => 256 * v, []],
  ['v', (v: number) => v, []],
  ['16 bits', (v: number) => 256 * v + (v % 7), ['of the 16 bits of its palette only the upper 8 are kept']],
])('TIFF palette of colours %s', async (_, scale, lost) => {
  const colours = [...randomBytes(12, 3)];
  const indexes = [0b00011011, 0b11100100];
  const file = tiffFile({
    ...{ width: 4, height: 2, bits: 2, photometric: 3, data: Uint8Array.from(indexes) },
    entries: [[320, 3, colours.map(scale)]],
  });
  const { image, warnings } = await readImage(file);
  expect([...image.samples]).toEqual([0, 1, 2, 3, 3, 2, 1, 0].flatMap((i) => [0, 4, 8].map((c) => colours[c + i])));
  expect(warnings).toEqual(lost);
});

test('what the tags of a TIFF say is kept or told of', async () => {
  const text = (string: string) => [...Buffer.from(string, 'latin1')];
  const file = (...entries: NonNullable<Parameters<typeof tiffFile>[0]['entries']>) =>
    readImage(tiffFile({ width, height, bits: 8, data: data.subarray(0, width * height), entries }));
  const kept = await file(
    [270, 2, text('a cat\0')],
    [315, 2, text('me\0')],
    [282, 5, [300]],
    [283, 5, [300]],
    [296, 3, [2]],
  );
  expect([kept.complete, kept.warnings]).toEqual([true, []]);
  expect(kept.image.metadata?.map(({ type, data }) => `${type} ${Buffer.from(data).toString('latin1')}`)).toEqual([
    'pHYs \0\0\x2e\x23\0\0\x2e\x23\x01',
    'tEXt Description\0a cat',
    'tEXt Author\0me',
  ]);
  for (const [entry, warning] of [
    [[33723, 2, text('iptc')], 'tags that are not kept: IPTC'],
    [[34377, 2, text('8BIM')], 'tags that are not kept: Photoshop data'],
    [[65000, 3, [7]], 'tags that are not kept: 65000'],
    [[305, 2, text('a\0b\0')], 'tags that are not kept: 305'],
    [[274, 3, [6]], 'its orientation is not kept'],
  ] as const) {
    expect(await file(entry), warning).toMatchObject({ complete: false, warnings: [warning] });
  }
  const tail = tiffFile({ width, height, bits: 8, data: data.subarray(0, width * height) });
  expect((await readImage(Buffer.concat([tail, Buffer.from('tail')]))).warnings).toEqual([
    '4 bytes behind the end of the TIFF are not kept',
  ]);
});

test('of a TIFF whose tags share one large value, no more is read than is asked for', async () => {
  const samples = data.subarray(0, width * height);
  const shared = 60_000;
  const tags = Array.from({ length: 5000 }, (_, i) => [1000 + i, 3, [7, 7, 7]] as const);
  const file = Buffer.concat([
    tiffFile({ width, height, bits: 8, data: samples, entries: tags }),
    Buffer.alloc(2 * shared),
  ]);
  const directory = file.readUInt32LE(4);
  for (let i = 0; i < file.readUInt16LE(directory); i++) {
    const at = directory + 2 + 12 * i;
    if (file.readUInt16LE(at) < 1000) continue;
    file.writeUInt32LE(shared, at + 4);
    file.writeUInt32LE(8, at + 8);
  }
  const started = performance.now();
  const outcome = await readImage(file).catch((error) => error);
  expect(outcome instanceof CnfzipError || outcome.complete === false).toBe(true);
  expect(performance.now() - started).toBeLessThan(1000);
});

const source = () => sharp(randomBytes(3 * width * height, 5), { raw: { width, height, channels: 3 } });

test('chunks of a WebP that are not kept, and bytes behind it, are told of', async () => {
  const webp = await source().webp({ lossless: true }).toBuffer();
  expect(await readImage(webp)).toMatchObject({ complete: true, warnings: [] });
  expect((await readImage(Buffer.concat([webp, Buffer.from('tail')]))).warnings).toEqual([
    '4 bytes behind the end of the WebP are not kept',
  ]);
  const more = Buffer.concat([webp, Buffer.from('abcd\x02\0\0\0xy', 'latin1')]);
  more.writeUInt32LE(more.length - 8, 4);
  expect((await readImage(more)).warnings).toEqual(['chunks that are not kept: "abcd"']);
  expect((await readImage(await source().webp().toBuffer())).complete).toBe(false);
});

test('frames of a WebP within frames are refused, however deep', async () => {
  const frames = Array.from({ length: 40_000 }, (_, i) => {
    const frame = Buffer.alloc(24);
    frame.write('ANMF', 'latin1');
    frame.writeUInt32LE(24 * (40_000 - i) - 8, 4);
    return frame;
  });
  const webp = Buffer.concat([Buffer.from('RIFF\0\0\0\0WEBP', 'latin1'), ...frames]);
  webp.writeUInt32LE(webp.length - 8, 4);
  await expect(readImage(webp)).rejects.toMatchObject({
    code: 'bad-input',
    message: 'damaged WebP: a frame holds a frame',
  });
});

test('comments of a GIF, bytes behind it, and a frame smaller than it are told of', async () => {
  const gif = await source().gif().toBuffer();
  expect(await readImage(gif)).toMatchObject({ complete: true, warnings: [] });
  expect((await readImage(Buffer.concat([gif, Buffer.from('tail')]))).warnings).toEqual([
    '4 bytes behind the end of the GIF are not kept',
  ]);
  const comment = Buffer.concat([gif.subarray(0, -1), Buffer.from('!\xfe\x02hi\0;', 'latin1')]);
  expect((await readImage(comment)).warnings).toEqual(['parts that are not kept: "comments"']);
  const wider = Buffer.from(gif);
  wider.writeUInt16LE(width + 1, 6);
  expect((await readImage(wider)).warnings).toEqual([expect.stringMatching(/does not fill it/)]);
});

test('limits act before anything is decoded', async () => {
  const large = () => sharp({ create: { width: 3000, height: 2000, channels: 3, background: 'red' } });
  for (const file of [
    await large().tiff({ compression: 'deflate' }).toBuffer(),
    await large().webp({ lossless: true, effort: 0 }).toBuffer(),
    await large().gif({ effort: 1 }).toBuffer(),
    await large().jpeg().toBuffer(),
  ]) {
    const started = performance.now();
    await expect(readImage(file, { maxPixels: 1e6 })).rejects.toMatchObject({
      code: 'unsupported',
      message: '3000 x 2000 pixels are more than the limit of 1000000',
    });
    expect(performance.now() - started).toBeLessThan(1000);
  }
});

test('damaged files give nothing but a CnfzipError; cut ones never other samples', async () => {
  const random = randomIntegers(9);
  const files = [
    tiffFile({ width, height, bits: 8, data: data.subarray(0, 15), entries: [[65000, 3, [1, 2, 3]]] }),
    await source().tiff({ compression: 'lzw' }).toBuffer(),
    await source().webp({ lossless: true }).toBuffer(),
    await source().gif().toBuffer(),
  ];
  for (const file of files) {
    const whole = await readImage(file);
    for (let trial = 0; trial < 60; trial++) {
      const cut = await readImage(file.subarray(0, random(file.length))).catch((error) => error);
      if (cut instanceof Error) expect(cut).toBeInstanceOf(CnfzipError);
      else expect(cut.image.samples).toEqual(whole.image.samples);
      const flipped = Buffer.from(file);
      for (let i = 0; i <= random(3); i++) flipped[random(file.length)] = random(256);
      const read = await readImage(flipped).catch((error) => error);
      if (read instanceof Error) expect(read, `trial ${trial}`).toBeInstanceOf(CnfzipError);
    }
  }
});

test.skipIf(spawnSync('tiffcp', []).error !== undefined)(
  'libtiff packs samples in other ways, which are read the same (skipped where its tools are not installed)',
  async () => {
    const { mkdtempSync, readFileSync, rmSync, writeFileSync } = await import('node:fs');
    const { join } = await import('node:path');
    const { tmpdir } = await import('node:os');
    const folder = mkdtempSync(join(tmpdir(), 'cnfzip-tiff-'));
    try {
      const [from, to] = [join(folder, 'a.tif'), join(folder, 'b.tif')];
      const samples = randomBytes(3 * 20 * 20, 1);
      writeFileSync(from, tiffFile({ width: 20, height: 20, bits: 8, channels: 3, photometric: 2, data: samples }));
      for (const how of ['-c lzw', '-c lzw:2', '-c zip', '-c packbits', '-t -w 16 -l 16', '-p separate', '-B', '-8']) {
        execFileSync('tiffcp', [...how.split(' '), from, to]);
        expect((await readImage(readFileSync(to))).image.samples, how).toEqual(samples);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
