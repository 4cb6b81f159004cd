import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { crc32 } from '../codec/crc32.js';
import { decode, encode, type Image, info, type Options, readPng, writePng } from '../src/index.js';
import { randomBytes } from './random-bytes.js';
import { untrainedModel } from './untrained.js';

// Threads need the compiled worker.
const built = new URL('../dist/src/index.js', import.meta.url).href;
const library = (await import(/* @vite-ignore */ built)) as typeof import('../src/index.js');

const model = await untrainedModel(3);
const noise: Image = { width: 600, height: 9, channels: 3, samples: randomBytes(600 * 9 * 3, 1) };

test('a PNG file goes through the library and back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
  try {
    const image = await readPng(fileURLToPath(new URL('../fixtures/water-32x32.png', import.meta.url)));
    const bytes = await encode(image, { model });
    expect(info(bytes)).toMatchObject({ width: 32, height: 32, channels: 3, modelHash: model.hash });
    await writePng(join(folder, 'out.png'), await decode(bytes, { model }));
    expect(await readPng(join(folder, 'out.png'))).toEqual(image);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the bytes and the samples do not depend on the number of threads', async () => {
  const one = await library.encode(noise, { model, threads: 1 });
  const two = await library.encode(noise, { model, threads: 2 });
  expect(Buffer.compare(one, two)).toBe(0);
  for (const threads of [1, 2, 5]) {
    const { samples } = await library.decode(one, { model, threads });
    expect(Buffer.compare(samples, noise.samples)).toBe(0);
  }
});

test('an error in a thread arrives with its code', async () => {
  const bytes = await library.encode(noise, { model, threads: 2 });
  const start = info(bytes).overheadBytes - 4 - 4 - 4 - 2 - 2;
  const length = info(bytes).tiles[0].bytes;
  bytes[start + 2 + length - 20] ^= 1;
  const end = start + 2 + length;
  new DataView(bytes.buffer).setUint32(end, crc32(bytes.subarray(start, end)), true);
  await expect(library.decode(bytes, { model, threads: 2 })).rejects.toMatchObject({
    name: 'CnfzipError',
    code: 'corrupt',
  });
});

test.each([
  ['threads', { threads: 0 }],
  ['threads', { threads: 1.5 }],
  ['threads', { threads: 1000 }],
  ['threads', { threads: '2' as unknown as number }],
  ['model', { model: 7 as unknown as string }],
  ['onProgress', { onProgress: true as unknown as () => void }],
  ['thread', { thread: 2 } as Options],
])('a wrong option is named: %s', async (name, options) => {
  const refusal = { code: 'usage', message: expect.stringContaining(`option ${name}`) };
  await expect(encode(noise, options)).rejects.toMatchObject(refusal);
  await expect(decode(new Uint8Array(0), options)).rejects.toMatchObject(refusal);
});

test('a PNG is not written over another without leave', async () => {
  const path = fileURLToPath(new URL('../fixtures/pixel-1x1.png', import.meta.url));
  expect(existsSync(path)).toBe(true);
  await expect(writePng(path, noise)).rejects.toMatchObject({ code: 'file' });
});
