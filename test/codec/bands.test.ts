/** Encoding by bands: files that decode to the image, whatever it is, and are what encoding in tiles gives. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { BandEncoder, bandHeights, type Store, Survey } from '../../codec/bands.js';
import { decodeImage, encodeImage } from '../../codec/codec.js';
import { oncePerFlow } from '../../codec/coding.js';
import { allocSamples, type Channels, type Image, type ImageHeader, maxvalOf, sameImage } from '../../codec/image.js';
import { info } from '../../codec/info.js';
import { favoursWebp } from '../../codec/layers/encode-layer.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';
import { decodePng } from '../../src/index.js';
import { modelsForEncoding } from '../../src/session/models.js';
import '../../src/session/webp.js';
import { MAIN } from '../paths.js';

const models = await modelsForEncoding(4, 'fast');
const coderOf = oncePerFlow();
const folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function memoryStore(): Store {
  let all = Buffer.alloc(0);
  return {
    append: async (bytes) => {
      all = Buffer.concat([all, bytes]);
    },
    read: async (offset, length) => all.subarray(offset, offset + length),
  };
}

/** @returns the file, and whether encoding all of the image at once may give another one */
async function encodeBands(image: Image): Promise<{ bytes: Uint8Array; mayBeWhole: boolean }> {
  const { samples, ...rest } = image;
  const header: ImageHeader = { ...rest, maxval: maxvalOf(image) };
  const perRow = image.width * image.channels;
  const bands = () => {
    let y = 0;
    return bandHeights(image.width, image.height).map((rows) => {
      y += rows;
      return samples.slice((y - rows) * perRow, y * perRow);
    });
  };
  const survey = new Survey(header);
  for (const band of bands()) survey.add(band);
  const encoder = new BandEncoder(header, models, survey.alphabets(), memoryStore(), { learning: 'none', coderOf });
  for (const band of bands()) await encoder.add(band);
  const pieces: Uint8Array[] = [];
  for await (const piece of encoder.file()) pieces.push(piece);
  return { bytes: Buffer.concat(pieces), mayBeWhole: survey.mayBeWhole || encoder.mayBeWhole };
}

/** Smooth with a little noise, or a graphic; some in two bands. */
function imageOf(seed: number): Image {
  const random = randomIntegers(seed);
  const channels = (1 + (seed % 4)) as Channels;
  const maxval = [255, 255, 1000, 65535][random(4)];
  const [width, height] = seed % 3 === 0 ? [1 + random(30), 1025 + random(300)] : [1 + random(90), 1 + random(90)];
  const noise = randomBytes(width * height * channels, seed);
  const steps = seed % 5 === 0 ? 16 : 1;
  const value = (i: number) => Math.floor(((i % 7) + (noise[i] & 15) + (i / (width * channels)) * 0.1) % (maxval + 1));
  const samples = allocSamples(noise.length, maxval).map((_, i) => Math.floor(value(i) / steps) * steps);
  const metadata = [{ type: 'tEXt', place: 'start' as const, data: Buffer.from('a\0b') }];
  const palette = channels === 1 && maxval === 255 && random(2) === 0 ? randomBytes(768, seed) : undefined;
  return { width, height, channels, maxval, samples, palette, metadata: random(2) === 0 ? metadata : undefined };
}

test('images of every kind come back, files say what they are, and are those of encoding at once where that decides nothing', async () => {
  let same = 0;
  for (let seed = 0; seed < 60; seed++) {
    const image = imageOf(seed);
    const { bytes, mayBeWhole } = await encodeBands(image);
    expect(sameImage(await decodeImage(bytes, models, { coderOf }), image), `seed ${seed}`).toBe(true);
    expect(info(bytes).layers).toHaveLength(image.channels % 2 === 0 ? 2 : 1);
    if (mayBeWhole) continue;
    same++;
    expect(Buffer.compare(bytes, await atOnce(image)), `seed ${seed}`).toBe(0);
  }
  expect(same).toBeGreaterThan(1);
}, 120_000);

const atOnce = (image: Image) => encodeImage(image, models, { learning: 'none', verify: false, coderOf });

test('where tiles are what encoding chooses, too, the bytes are the same', async () => {
  const photograph = decodePng(readFileSync(new URL('../../fixtures/kodim23.png', import.meta.url)));
  const [small, tall] = [strips(photograph, 1), strips(photograph, 3)];
  for (const image of [small, tall]) {
    const { bytes, mayBeWhole } = await encodeBands(image);
    const whole = await atOnce(image);
    expect(mayBeWhole).toBe(false);
    expect(info(bytes)).toEqual(info(whole));
    expect(Buffer.compare(bytes, whole)).toBe(0);
  }
}, 240_000);

test('what encoding decides for all of an image is noticed', async () => {
  const photograph = strips(decodePng(readFileSync(new URL('../../fixtures/kodim23.png', import.meta.url))), 2);
  const { width, height, samples } = photograph;
  const alpha = new Uint8Array(width * height * 4).map((_, i) =>
    i % 4 === 3 ? i >> 9 : samples[(i >> 2) * 3 + (i % 4)],
  );
  const blank = samples.map((sample, i) => (i < samples.length / 2 ? sample : 7));
  const graphic = samples.map((_, i) => (((i / 3) % width) >> 4) * 9);
  const kinds: Record<string, Image> = {
    alpha: { width, height, channels: 4, samples: alpha },
    deep: { width, height, channels: 3, samples: Uint16Array.from(samples, (sample) => sample * 3) },
    indexed: { width: 3 * width, height, channels: 1, samples, palette: randomBytes(768, 1) },
    'half of it blank': { ...photograph, samples: blank },
    graphic: { ...photograph, samples: graphic },
  };
  for (const [kind, image] of Object.entries(kinds)) {
    expect((await encodeBands(image)).mayBeWhole, kind).toBe(true);
  }
}, 240_000);

test('a large photograph with an empty tile is no graphic', () => {
  const large = { width: 4096, height: 1024 };
  expect(favoursWebp(large, { tiles: 900, webp: 1000, graphic: true })).toBe(false);
  expect(favoursWebp(large, { tiles: 1000, webp: 1000, graphic: true })).toBe(true);
  expect(favoursWebp({ width: 1024, height: 1024 }, { tiles: 900, webp: 1000, graphic: true })).toBe(true);
  expect(favoursWebp(large, { tiles: 1000, webp: 1000, graphic: false })).toBe(false);
});

/** Strips of 64 columns of the right half of an image of three channels, one below the other. */
function strips({ width, height, samples }: Image, count: number): Image {
  const out = new Uint8Array(64 * height * count * 3);
  for (let y = 0; y < height * count; y++) {
    const from = ((y % height) * width + width / 2 + 64 * Math.floor(y / height)) * 3;
    out.set(samples.subarray(from, from + 192), y * 192);
  }
  return { width: 64, height: height * count, channels: 3, samples: out };
}

test('a large image is compressed by bands, proven, and leaves no temporary file', () => {
  const [width, height] = [5800, 5800];
  const samples = new Uint8Array(width * height).map((_, i) => ((i % width) >> 8) * 5);
  const path = join(folder, 'large.pgm');
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, ...args], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, TMPDIR: folder },
    });
  writeFileSync(path, Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`), samples]));
  expect(run('compress', '-q', '-1', 'large.pgm')).toMatchObject({ status: 0, stderr: '' });
  expect(info(readFileSync(join(folder, 'large.cnfz'))).layers[0].method).toBe('tiles');
  expect(run('decompress', '-q', '-o', 'back.pgm', 'large.cnfz')).toMatchObject({ status: 0, stderr: '' });
  expect(Buffer.compare(readFileSync(join(folder, 'back.pgm')), readFileSync(path))).toBe(0);
  // Encoded as a whole it would be another file.
  expect(run('verify', '--exact', 'large.cnfz').stdout).toMatch(
    /^large\.cnfz: decodes to large\.pgm and is encoded byte for byte/,
  );
  // Cut short: an error, and nothing is left.
  writeFileSync(join(folder, 'cut.pgm'), readFileSync(path).subarray(0, 20_000_000));
  expect(run('compress', '-q', '-1', 'cut.pgm')).toMatchObject({
    status: 1,
    stderr: 'cnfzip: cut.pgm: Netpbm file cut short: it ends before its samples do\n',
  });
  expect(existsSync(join(folder, 'cut.cnfz'))).toBe(false);
  expect(readdirSync(folder).sort()).toEqual(['back.pgm', 'cut.pgm', 'large.cnfz', 'large.pgm']);
}, 240_000);
