/** TIFF files by bands of rows: the same as whole, however they are packed, damaged and cut. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type TiffOptions } from 'sharp';
import { expect, test } from 'vitest';
import { type Image, sameImage } from '../../codec/image.js';
import { toSource } from '../../codec/source.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';
import { CnfzipError } from '../../src/index.js';
import { openBanded } from '../../src/io/banded/open.js';
import { readImage } from '../../src/io/formats.js';
import { tiffFile } from './tiff-file.js';

const [width, height] = [70, 400];

/** What is read by bands of random heights; nothing if it is to be read whole. */
async function inBands(bytes: Uint8Array, seed = 1): Promise<{ image: Image; lost: readonly string[] } | undefined> {
  const file = await openBanded(toSource(bytes), { maxPixels: 1e6 });
  if (!file) return undefined;
  const random = randomIntegers(seed);
  const heights: number[] = [];
  for (let left = file.header.height; left > 0; left -= heights[heights.length - 1]) heights.push(1 + random(left));
  const samples: number[] = [];
  for await (const band of file.bands(heights)) for (const sample of band) samples.push(sample);
  const Samples = file.header.maxval > 255 ? Uint16Array : Uint8Array;
  const { metadata, lost } = file.found();
  return { image: { ...file.header, metadata, samples: Samples.from(samples) }, lost };
}

async function expectSame(bytes: Uint8Array, what: string): Promise<void> {
  const whole = await readImage(bytes);
  const banded = await inBands(bytes, what.length);
  expect(banded, what).toBeDefined();
  expect(sameImage(banded!.image, whole.image), what).toBe(true);
  expect(banded!.lost).toEqual(whole.warnings);
}

const KINDS: readonly TiffOptions[] = [
  { compression: 'none' },
  { compression: 'lzw' },
  { compression: 'deflate', predictor: 'horizontal' },
  { compression: 'packbits' },
  { compression: 'lzw', tile: true, tileWidth: 32, tileHeight: 48 },
  { compression: 'none', tile: true, tileWidth: 16, tileHeight: 272 },
  { compression: 'deflate', bigtiff: true },
  { compression: 'ccittfax4', bitdepth: 1 },
];

test.each([1, 2, 3, 4] as const)('files of libvips of %i channels', async (channels) => {
  for (const deep of [false, true]) {
    for (const kind of KINDS) {
      if (kind.bitdepth && (deep || channels > 1)) continue;
      const noise = randomBytes(width * height * channels * 2, channels);
      const samples = deep ? new Uint16Array(noise.buffer) : noise.subarray(0, width * height * channels);
      const bytes = await sharp(samples, { raw: { width, height, channels } })
        .toColourspace(channels < 3 ? (deep ? 'grey16' : 'b-w') : deep ? 'rgb16' : 'srgb')
        .withExif({ IFD0: { Copyright: 'someone' } })
        .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
        .tiff(kind)
        .toBuffer();
      await expectSame(bytes, `${JSON.stringify(kind)} ${deep}`);
    }
  }
});

test('one strip of samples as they are, in both orders of bytes, with what is lost', async () => {
  for (const littleEndian of [true, false]) {
    for (const [bits, channels] of [
      [1, 1],
      [4, 1],
      [8, 3],
      [16, 3],
    ]) {
      const data = randomBytes(Math.ceil((width * channels * bits) / 8) * height, bits);
      const photometric = channels === 3 ? 2 : 1;
      const entries = [
        [65000, 3, [1, 2, 3]],
        [34665, 4, [8]],
        [274, 3, [3]],
      ] as const;
      const file = tiffFile({ width, height, bits, channels, photometric, littleEndian, data, entries });
      await expectSame(Buffer.concat([file, Buffer.from('tail')]), `${bits} ${channels} ${littleEndian}`);
    }
  }
});

test('pages, planes, loss and a large strip are left to be read whole', async () => {
  const source = sharp(randomBytes(3 * width * height, 5), { raw: { width, height, channels: 3 } });
  for (const options of [{ compression: 'jpeg' }, { pyramid: true, tile: true }] as const) {
    expect(await inBands(await source.clone().tiff(options).toBuffer())).toBeUndefined();
  }
  const large = sharp({ create: { width: 16384, height: 1024, channels: 3, background: '#123' } });
  const tiles = { tile: true, tileWidth: 16384, tileHeight: 1024, compression: 'deflate' } as const;
  expect(await openBanded(toSource(await large.tiff(tiles).toBuffer()), {})).toBeUndefined();
});

test.skipIf(spawnSync('tiffcp', []).error !== undefined)(
  'files of libtiff (skipped where its tools are not installed)',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cnfzip-tiff-'));
    try {
      const [from, to] = [join(folder, 'a.tif'), join(folder, 'b.tif')];
      const data = randomBytes(3 * width * height, 1);
      writeFileSync(from, tiffFile({ width, height, bits: 8, channels: 3, photometric: 2, data }));
      for (const how of ['-c lzw:2 -r 1', '-c zip -r 7', '-c none -r 150', '-t -w 16 -l 16', '-B -c lzw', '-8 -r 3']) {
        execFileSync('tiffcp', [...how.split(' '), from, to]);
        await expectSame(readFileSync(to), how);
      }
      execFileSync('tiffcp', ['-p', 'separate', from, to]);
      expect(await inBands(readFileSync(to))).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test('damaged and cut files are refused, or are what they are whole', async () => {
  const outcome = async (read: () => Promise<Image | undefined>) =>
    read().catch((error) => {
      expect(error).toBeInstanceOf(CnfzipError);
      expect(error.message).not.toContain('\n');
      return undefined;
    });
  const gray = sharp(randomBytes(width * height, 3), { raw: { width, height, channels: 1 } }).toColourspace('b-w');
  const files = await Promise.all(KINDS.slice(0, 6).map((kind) => gray.clone().tiff(kind).toBuffer()));
  let read = 0;
  for (let seed = 0; seed < 200; seed++) {
    const random = randomIntegers(seed);
    const bytes = Uint8Array.from(files[seed % files.length]);
    const damaged = random(4) === 0 ? bytes.slice(0, 8 + random(bytes.length - 8)) : bytes;
    // One half in the directory, which libvips has at the end.
    const at =
      random(2) === 0 ? 4 + random(damaged.length - 4) : damaged.length - 1 - random(Math.min(600, damaged.length - 4));
    damaged[at] ^= 1 << random(8);
    const banded = await outcome(async () => (await inBands(damaged, seed))?.image);
    if (!banded) continue;
    read++;
    const whole = await outcome(async () => (await readImage(damaged, { maxPixels: 1e6 })).image);
    expect(whole && sameImage(banded, whole), `seed ${seed}`).toBe(true);
  }
  expect(read).toBeGreaterThan(20);
});
