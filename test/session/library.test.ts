import { createReadStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { readContainer, writeContainer } from '../../codec/container/container.js';
import { sameImage } from '../../codec/image.js';
import { randomBytes } from '../../src/fuzz/random-bytes.js';
import {
  decode,
  encode,
  encodePng,
  type Image,
  info,
  loadModel,
  type Options,
  readImage,
  writeImage,
} from '../../src/index.js';
import { beside } from '../beside.js';
import { fixture } from '../paths.js';

// Threads need the compiled worker.
const built = new URL('../../dist/src/index.js', import.meta.url).href;
const library = (await import(/* @vite-ignore */ built)) as typeof import('../../src/index.js');

const noise: Image = { width: 600, height: 9, channels: 3, samples: randomBytes(600 * 9 * 3, 1) };

const boat = await readImage(fixture('gray-boat-531x60.png'));
/** Of two tiles. */
const photograph = beside(boat, 2);

test('an image file goes through the library and back, in every format', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
  try {
    const image = await readImage(fixture('house-253x191.png'));
    const bytes = await encode(image, { model: 'fast' });
    expect(info(bytes)).toMatchObject({ width: 253, height: 191, channels: 3, maxval: 255 });
    const decoded = await decode(bytes);
    for (const name of ['out.png', 'out.ppm', 'out.tiff', 'out.webp']) {
      const path = join(folder, name);
      await writeImage(path, decoded);
      const back = await readImage(path);
      expect(sameImage({ ...back, metadata: [] }, { ...image, metadata: [] }), name).toBe(true);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('images are read from paths, bytes and streams', async () => {
  const path = fixture('gray-boat-531x60.png');
  expect(await readImage(createReadStream(path))).toEqual(boat);
  await expect(readImage(new Uint8Array(0))).rejects.toMatchObject({ code: 'bad-input' });
});

test('a sharp pipeline is an image, samples and all', async () => {
  const { data, info } = await sharp(fixture('house-253x191.png')).raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const bytes = await encode({ width, height, channels, samples: data }, { model: 'fast' });
  const decoded = await decode(bytes);
  expect(sameImage(decoded, { width, height, channels, samples: data })).toBe(true);
  expect(await sharp(decoded.samples, { raw: { width, height, channels } }).png().toBuffer()).toBeDefined();
});

test('the bytes and the samples do not depend on the number of threads', async () => {
  const one = await library.encode(photograph, { threads: 1 });
  const two = await library.encode(photograph, { threads: 2 });
  expect(info(one).layers[0].tiles.map(({ method }) => method)).toEqual(['flow', 'flow']);
  expect(Buffer.compare(one, two)).toBe(0);
  for (const threads of [1, 2, 5]) {
    expect(sameImage(await library.decode(one, { threads }), photograph)).toBe(true);
  }
});

test('an error in a thread arrives with its code', async () => {
  const container = readContainer(await library.encode(photograph, { threads: 2 }));
  const [layer] = container.layers;
  const tiles = layer.tiles.map((tile) => ({ ...tile, stages: tile.stages.map((stage) => stage.slice()) }));
  tiles[0].stages[0][20] ^= 1;
  const bytes = writeContainer({ ...container, layers: [{ ...layer, tiles }] }, photograph.samples);
  await expect(library.decode(bytes, { threads: 2 })).rejects.toMatchObject({ name: 'CnfzipError', code: 'corrupt' });
});

test('a signal stops work with its reason', async () => {
  for (const threads of [1, 2]) {
    const stop = new AbortController();
    const work = library.encode(photograph, { threads, signal: stop.signal });
    stop.abort();
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
  }
});

test('images beyond the limits are refused, threads are left out for the limit of memory', async () => {
  const bytes = await library.encode(photograph, { maxMemory: 300e6 });
  const tooLarge = {
    code: 'unsupported',
    message: expect.stringMatching(/1062 x 60 pixels are more than the limit of 9/),
  };
  await expect(encode(photograph, { maxPixels: 9 })).rejects.toMatchObject(tooLarge);
  await expect(decode(bytes, { maxPixels: 9 })).rejects.toMatchObject(tooLarge);
  const tooMuch = { code: 'unsupported', message: expect.stringMatching(/of memory, more than the limit of 1 MB/) };
  await expect(encode(photograph, { maxMemory: 1e6 })).rejects.toMatchObject(tooMuch);
  await expect(decode(bytes, { maxMemory: 1e6 })).rejects.toMatchObject(tooMuch);
  expect(() => info(bytes, { maxPixels: 9 })).toThrow(expect.objectContaining(tooLarge));
  expect(() => info(bytes, { maxMemory: 1e6 })).toThrow(expect.objectContaining(tooMuch));
  expect(info(bytes, { maxPixels: 1062 * 60, maxMemory: 1e9 }).width).toBe(1062);
});

test('metadata counts for the limit of memory before it is inflated', async () => {
  const metadata = [{ type: 'tEXt', place: 'start' as const, data: new Uint8Array(5e7) }];
  const image = { width: 1, height: 1, channels: 1, samples: Uint8Array.of(1), metadata } as const;
  const bytes = await encode(image, { verify: false });
  const png = encodePng(image);
  expect(bytes.length).toBeLessThan(1e6);
  const before = process.memoryUsage().arrayBuffers;
  const tooMuch = { code: 'unsupported', message: expect.stringMatching(/of memory, more than the limit of 150 MB/) };
  expect(() => info(bytes, { maxMemory: 150e6 })).toThrow(expect.objectContaining(tooMuch));
  await expect(decode(bytes, { maxMemory: 150e6 })).rejects.toMatchObject(tooMuch);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4e7);
  await expect(encode(image, { maxMemory: 150e6 })).rejects.toMatchObject(tooMuch);
  await expect(readImage(png, { maxMemory: 150e6 })).rejects.toMatchObject(tooMuch);
});

test('encode decodes its result and compares, unless told not to, with one progress for both', async () => {
  for (const verify of [undefined, true, false]) {
    const parts: number[] = [];
    await library.encode(photograph, { threads: 2, verify, onProgress: (part) => parts.push(part) });
    expect(parts.map((part) => Math.round(4 * part))).toEqual(verify === false ? [2, 4] : [1, 2, 3, 4]);
    expect(parts.at(-1)).toBe(1);
  }
});

test.each([
  ['threads', { threads: 0 }],
  ['threads', { threads: 1.5 }],
  ['threads', { threads: 1000 }],
  ['threads', { threads: '2' as unknown as number }],
  ['model', { model: 7 as unknown as string }],
  ['onProgress', { onProgress: true as unknown as () => void }],
  ['signal', { signal: 1 as unknown as AbortSignal }],
  ['maxPixels', { maxPixels: 0 }],
  ['maxMemory', { maxMemory: Number.NaN }],
  ['thread', { thread: 2 } as Options],
])('a wrong option is named: %s', async (name, options) => {
  const refusal = { code: 'usage', message: expect.stringContaining(`option ${name}`) };
  await expect(encode(noise, options)).rejects.toMatchObject(refusal);
  await expect(decode(new Uint8Array(0), options)).rejects.toMatchObject(refusal);
});

const wrongImages = [
  5,
  null,
  undefined,
  'photo.png',
  [],
  {},
  { width: 1, height: 1, channels: 1, samples: [1] },
  { width: 1, height: 1, channels: 1, samples: () => 1 },
  { width: 1, height: 1, channels: 1, samples: Uint8Array.of(1), metadata: {} },
  { width: 1, height: 1, channels: 1, samples: Uint8Array.of(1), metadata: [null] },
] as unknown[];

test.each(wrongImages)('what is no image is refused: %j', async (image) => {
  for (const signal of [undefined, new AbortController().signal]) {
    const call = library.encode(image as Image, { signal });
    await expect(call).rejects.toMatchObject({ name: 'CnfzipError', code: 'bad-input' });
  }
  await expect(writeImage('none.png', image as Image)).rejects.toMatchObject({ code: 'bad-input' });
});

test('an error that onProgress throws arrives, also of its last call, with a signal, too', async () => {
  const image: Image = { width: 9, height: 9, channels: 1, samples: randomBytes(81, 1) };
  const bytes = await encode(image);
  const onProgress = (part: number) => {
    if (part === 1) throw new Error('mine');
  };
  for (let i = 0; i < 6; i++) {
    const options = { onProgress, signal: i % 3 === 0 ? undefined : new AbortController().signal };
    await expect(library.encode(image, options)).rejects.toThrow('mine');
    await expect(library.decode(bytes, options)).rejects.toThrow('mine');
  }
});

test('what an image has beside its members is left out, with a signal, too', async () => {
  const metadata = [{ type: 'teXt', place: 'start', data: Uint8Array.of(1), extra: () => 1 }] as const;
  const image = { ...noise, metadata, extra: () => 1 };
  const { signal } = new AbortController();
  expect(await library.encode(image, { signal })).toEqual(await library.encode({ ...noise, metadata }));
});

test.each([5, null, undefined, 'photo.cnfz', [], {}, new ArrayBuffer(9)] as unknown[])(
  'what is no file is refused: %j',
  async (bytes) => {
    await expect(decode(bytes as Uint8Array)).rejects.toMatchObject({ name: 'CnfzipError', code: 'usage' });
    expect(() => info(bytes as Uint8Array)).toThrow(expect.objectContaining({ name: 'CnfzipError', code: 'usage' }));
  },
);

test.each([5, null, 'threads', { toString: 1 }, { verify: 'yes' }] as unknown[])(
  'what are no options is refused: %j',
  async (options) => {
    const refusal = { name: 'CnfzipError', code: 'usage' };
    await expect(encode(noise, options as Options)).rejects.toMatchObject(refusal);
    await expect(decode(new Uint8Array(9), options as Options)).rejects.toMatchObject(refusal);
    expect(() => info(new Uint8Array(9), options as Options)).toThrow(expect.objectContaining(refusal));
  },
);

test.each([
  ['readImage', (value: never) => readImage(value)],
  ['writeImage', (value: never) => writeImage(value, noise)],
  ['loadModel', (value: never) => loadModel(value)],
  ['encode with options', (value: never) => encode(noise, { maxPixels: value })],
])('what is no path or number is refused with a CnfzipError: %s', async (_, call) => {
  for (const value of [5, null, true, {}, [1, 2], Symbol('x')]) {
    await expect(call(value as never)).rejects.toMatchObject({ name: 'CnfzipError' });
  }
});

test.each([5, null, { format: 'gif' }, { force: 'yes' }, { overwrite: true }] as unknown[])(
  'what are no options of writeImage is refused: %j',
  async (options) => {
    const writing = writeImage('none.png', noise, options as object);
    await expect(writing).rejects.toMatchObject({ name: 'CnfzipError', code: 'usage' });
  },
);

test('a PNG is not written over another without leave', async () => {
  const path = fileURLToPath(new URL('../../fixtures/pixel-1x1.png', import.meta.url));
  expect(existsSync(path)).toBe(true);
  await expect(writeImage(path, noise)).rejects.toMatchObject({ code: 'file' });
});

test('what is no source, no option or beyond the limits is refused with a CnfzipError', async () => {
  const read = readImage as (source: unknown, limits?: unknown) => Promise<unknown>;
  for (const source of [5, undefined, null, {}, [], ['x'], Readable.from(['text']), Readable.from([1])]) {
    await expect(read(source)).rejects.toMatchObject({ name: 'CnfzipError', code: 'usage' });
  }
  await expect(read(createReadStream('no/such/file.png'))).rejects.toMatchObject({
    code: 'file',
    message: 'no such file or folder',
  });
  const path = fixture('gray-boat-531x60.png');
  for (const limits of [{ maxPixels: 'many' }, { maxMemory: 0 }, { threads: 1 }, { toString: 1 }, null, 7]) {
    await expect(read(path, limits)).rejects.toMatchObject({ code: 'usage' });
  }
  await expect(readImage(path, { maxPixels: 531 * 60 - 1 })).rejects.toMatchObject({ code: 'unsupported' });
  await expect(readImage(path, { maxMemory: 1e6 })).rejects.toMatchObject({ code: 'unsupported' });
  await expect(readImage(path, { maxPixels: 531 * 60, maxMemory: 1e9 })).resolves.toEqual(boat);
});
