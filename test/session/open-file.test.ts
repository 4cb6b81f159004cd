/** `open` of the library: files, streams, threads, signals and limits. The codec's own part is tested in `open.test.ts`. */
import { createReadStream, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Image, sameImage } from '../../codec/image.js';
import { decodePng, open } from '../../src/index.js';

// Threads are started from what is built.
const library: typeof import('../../src/index.js') = await import('../../dist/src/index.js' as string);

const path = fileURLToPath(new URL('../../fixtures/house-253x191.cnfz', import.meta.url));
const bytes = readFileSync(path);
const whole = decodePng(readFileSync(path.replace('.cnfz', '.png')));

function every(image: Image, step: number): Image {
  const { width, height } = image;
  const samples = image.samples.filter((_, i) => {
    const pixel = Math.floor(i / 3);
    return (pixel % width) % step === 0 && Math.floor(pixel / width) % step === 0;
  });
  return { ...image, width: Math.ceil(width / step), height: Math.ceil(height / step), samples };
}

test('a path, bytes, a Blob, a stream, an address and a source are opened', async () => {
  const server = createServer((request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')!.map(Number);
    response.writeHead(206).end(bytes.subarray(from, to + 1));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const source = { read: async (offset: number, length: number) => bytes.subarray(offset, offset + length) };
  const address = new URL(`http://127.0.0.1:${port}/x.cnfz`);
  try {
    for (const from of [path, bytes, new Blob([bytes]), createReadStream(path), address, source]) {
      const file = await open(from);
      expect(file.info).toMatchObject({ width: 253, height: 191, bytes: bytes.length });
      const progress: number[] = [];
      const decoded = await file.decode({ scale: 1 / 4, onProgress: (part) => progress.push(part) });
      expect(sameImage(decoded, every(whole, 4))).toBe(true);
      expect(progress).toEqual([1]);
      await file.close();
      await file.close();
    }
  } finally {
    server.close();
  }
});

test('wrong options of images, bands and finer images are told', async () => {
  const file = await open(bytes);
  const wrong = { progress: () => {} } as object;
  const told = { code: 'usage', message: expect.stringMatching(/^there is no option progress/) };
  await expect(file.decode(wrong)).rejects.toMatchObject(told);
  await expect(file.bands(wrong).next()).rejects.toMatchObject(told);
  await expect(file.finer(wrong).next()).rejects.toMatchObject(told);
  await expect(file.bands({ signal: 1 as never }).next()).rejects.toMatchObject({ code: 'usage' });
});

test('ever finer images, and what is there of a file that is cut short', async () => {
  const file = await open(createReadStream(path, { end: 29_999 }));
  const scales: number[] = [];
  const finer = async () => {
    for await (const { scale, image } of file.finer()) {
      scales.push(scale);
      expect(sameImage(image, every(whole, 1 / scale))).toBe(true);
    }
  };
  await expect(finer()).rejects.toMatchObject({ code: 'corrupt', message: expect.stringMatching(/cut short/) });
  expect(scales).toEqual([1 / 4, 1 / 2]);
  expect(await file.available()).toBe(1 / 2);
});

test('a signal stops decoding at once, with its reason; without it the samples are the same', async () => {
  const file = await library.open(path, { threads: 1 });
  const stop = new AbortController();
  const work = file.decode({ signal: stop.signal });
  setTimeout(() => stop.abort(new Error('enough')), 100);
  await expect(work).rejects.toThrow('enough');
  const quiet = new AbortController();
  expect(sameImage(await file.decode({ signal: quiet.signal }), whole)).toBe(true);
  await expect(file.decode({ signal: stop.signal })).rejects.toThrow('enough');
  await file.close();
});

test('limits are those of what is decoded; what is no option, file or region is refused', async () => {
  const file = await open(bytes, { maxPixels: 5000 });
  await expect(file.decode()).rejects.toMatchObject({ code: 'unsupported', message: expect.stringMatching(/5000/) });
  expect((await file.decode({ scale: 1 / 4 })).width).toBe(64);
  await expect(open('no/such.cnfz')).rejects.toMatchObject({ code: 'file' });
  await expect(open(fileURLToPath(new URL('.', import.meta.url)))).rejects.toMatchObject({ code: 'file' });
  await expect(open(fileURLToPath(import.meta.url))).rejects.toMatchObject({ code: 'bad-input' });
  for (const wrong of [5, null, undefined, {}]) {
    await expect(open(wrong as never)).rejects.toMatchObject({ name: 'CnfzipError', code: 'usage' });
  }
  await expect(open(bytes, { signal: 1 } as never)).rejects.toMatchObject({ code: 'usage' });
  for (const wrong of [{ scale: '1/2' }, { region: null }, { region: [] }, { signal: 1 }, { scales: 1 }, null]) {
    await expect(file.decode(wrong as never)).rejects.toMatchObject({ name: 'CnfzipError', code: 'usage' });
  }
});
