import { spawnSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import type { Image, Options } from '../../src/index.js';
import { beside } from '../beside.js';

// Threads need the compiled workers.
const built = new URL('../../dist/src/index.js', import.meta.url).href;
const { decode, encode, readImage } = (await import(/* @vite-ignore */ built)) as typeof import('../../src/index.js');

const fixture = (name: string) => readImage(fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url)));
const oneTile = await fixture('house-253x191.png');
const twoTiles = beside(await fixture('gray-boat-531x60.png'), 2);
const tiny = await fixture('gray-tiny-3x5.png');
/** WebP's best effort takes seconds for it, in one call. */
const graphic = graphicOf(1000, 700, 3);
const indexed: Image = { ...graphicOf(900, 900, 1), palette: new Uint8Array(768).map((_, i) => (i * 89) & 255) };

/** What is random, in strips of which every second repeats the one before. */
function graphicOf(width: number, height: number, channels: 1 | 3): Image {
  const random = randomIntegers(width);
  const samples = new Uint8Array(width * height * channels);
  for (let i = 0; i < samples.length; i++) samples[i] = i % 96 < 48 ? random(256) : samples[i - 48];
  return { width, height, channels, samples };
}

test('at whatever moment a signal comes, the promise is rejected with its reason, and no thread is left', async () => {
  const bytes = await encode(twoTiles, { model: 'fast' });
  const works: ((options: Options) => Promise<unknown>)[] = [
    (options) => encode(oneTile, { ...options, model: 'best' }),
    (options) => encode(twoTiles, options),
    (options) => encode(graphic, options),
    (options) => encode(indexed, options),
    (options) => decode(bytes, options),
  ];
  const threads = () => process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort').length;
  const before = threads();
  const random = randomIntegers(16);
  const latencies: number[] = [];
  let most = before;
  for (let i = 0; i < 30; i++) {
    const stop = new AbortController();
    const reason = [new Error('enough'), 'enough', null, 0, undefined][i % 5];
    let given = Number.POSITIVE_INFINITY;
    const timer = setTimeout(() => {
      given = performance.now();
      stop.abort(reason);
    }, random(300));
    const work = works[random(works.length)];
    const call = work({ signal: stop.signal, threads: 1 + random(2) });
    await new Promise(setImmediate);
    most = Math.max(most, threads());
    const outcome = await call.then(
      () => 'done',
      (error) => ({ error }),
    );
    clearTimeout(timer);
    if (outcome !== 'done') {
      expect(outcome).toEqual({ error: stop.signal.reason });
      latencies.push(performance.now() - given);
    }
  }
  expect(latencies.length).toBeGreaterThan(10);
  // 10 ms are usual; this is for loaded machines.
  expect(Math.max(...latencies)).toBeLessThan(2000);
  expect(most).toBeGreaterThan(before);
  await expect.poll(threads, { timeout: 5000 }).toBe(before);
}, 120_000);

test('a caller with a signal keeps his samples, and gets the bytes, progress and errors that he gets without', async () => {
  const { signal } = new AbortController();
  const metadata = [{ type: 'tEXt', place: 'start' as const, data: Buffer.from('a\0b').subarray(1) }];
  const image = { ...twoTiles, samples: Buffer.from(twoTiles.samples), metadata };
  const progress: number[][] = [[], []];
  const options = (i: number) => ({ model: 'fast', threads: 1, onProgress: (part: number) => progress[i].push(part) });
  const bytes = await encode(image, options(0));
  expect(Buffer.compare(await encode(image, { ...options(1), signal }), bytes)).toBe(0);
  expect(progress[1]).toEqual(progress[0]);
  expect(image.samples.equals(new Uint8Array(twoTiles.samples))).toBe(true);
  const whole = Buffer.from(bytes);
  expect(await decode(whole, { signal })).toEqual(await decode(bytes));
  expect(Buffer.compare(whole, bytes)).toBe(0);

  await expect(decode(bytes.subarray(0, 40), { signal })).rejects.toMatchObject({
    name: 'CnfzipError',
    code: 'corrupt',
  });
  await expect(encode({ ...image, height: 9 }, { signal })).rejects.toMatchObject({ code: 'bad-input' });
  await expect(encode(image, { signal, model: 'none' })).rejects.toMatchObject({ code: 'unknown-model' });
  const listener = () => {
    throw new Error('the listener failed');
  };
  await expect(encode(image, { signal, model: 'fast', onProgress: listener })).rejects.toThrow('the listener failed');
  // The result may be there already.
  for (let i = 0; i < 5; i++) {
    await expect(decode(bytes, { signal, onProgress: listener })).rejects.toThrow('the listener failed');
  }
  const piece = { ...metadata[0], data: () => 1 };
  const wrong = ['tEXt', { length: 1 }, [null], [piece]].map((metadata) => ({ ...image, metadata }));
  for (const none of [...wrong, null, 5, { ...image, samples: () => 1 }] as unknown[] as Image[]) {
    const { code, message } = await encode(none).catch((error) => error);
    expect(code).toBe('bad-input');
    await expect(encode(none, { signal })).rejects.toMatchObject({ code, message });
  }
  await expect(encode(image, { signal: AbortSignal.abort('at once') })).rejects.toBe('at once');
}, 60_000);

test('a signal that many calls share is left as it was', async () => {
  const { signal } = new AbortController();
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  try {
    for (let i = 0; i < 2; i++) {
      await Promise.all(Array.from({ length: 12 }, () => encode(tiny, { signal, threads: 1, model: 'fast' })));
    }
  } finally {
    process.off('warning', warned);
  }
  expect(warnings).toEqual([]);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
}, 120_000);

test('a process whose work was stopped ends by itself, and says nothing', () => {
  const script = `
    import { encode } from '${built}';
    const samples = new Uint8Array(900 * 900 * 3).map((_, i) => (i * i) >> 9);
    const image = { width: 900, height: 900, channels: 3, samples };
    for (const threads of [1, 2]) {
      await encode(image, { model: 'best', threads, signal: AbortSignal.timeout(150) }).catch(({ name }) => console.log(name));
    }`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'TimeoutError\nTimeoutError\n', stderr: '' });
}, 70_000);
