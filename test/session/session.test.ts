/** Many images through one `Codec`. */

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { LEARNING } from '../../codec/flow/learning.js';
import { sameImage } from '../../codec/image.js';
import { randomBytes } from '../../src/fuzz/random-bytes.js';
import type { EncodeOptions, Image } from '../../src/index.js';
import { beside } from '../beside.js';
import { fixture } from '../paths.js';

// Threads need the compiled workers.
const built = new URL('../../dist/src/index.js', import.meta.url).href;
const { Codec, decode, encode, readImage } = (await import(
  /* @vite-ignore */ built
)) as typeof import('../../src/index.js');

const house = await readImage(fixture('house-253x191.png'));
const door = await readImage(fixture('red-door-128x96.png'));
const boat = await readImage(fixture('gray-boat-531x60.png'));
const twoTiles = beside(boat, 2);
const transparent: Image = {
  width: 40,
  height: 30,
  channels: 4,
  samples: randomBytes(40 * 30 * 4, 3).map((sample) => sample >> 2),
};
const tiny = await readImage(fixture('gray-tiny-3x5.png'));
const images = [door, boat, transparent, twoTiles, tiny, door];
/** What each becomes by a codec for it alone. */
const expected = await Promise.all(images.map((image) => encode(image, { model: 'fast', threads: 1, verify: false })));

/** Nothing is looked at twice: what is encoded here is decoded by the codec. */
const OTHERS: EncodeOptions[] = [
  { verify: false, threads: 1 },
  { verify: false, threads: 1, model: 'fast', learning: 'none' },
  { verify: false, threads: 1, model: 'fast', learning: 'blocks' },
];

const threadsNow = () => process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort').length;

test.each([1, 2])(
  'many images, one after the other and beside each other, as by a codec each: %i threads',
  async (threads) => {
    const codec = new Codec({ model: 'fast', threads });
    const inTurn: Uint8Array[] = [];
    for (const image of images) inTurn.push(await codec.encode(image));
    const atOnce = await Promise.all(images.map((image) => codec.encode(image, { verify: false })));
    for (const [i, bytes] of expected.entries()) {
      expect(Buffer.compare(inTurn[i], bytes)).toBe(0);
      expect(Buffer.compare(atOnce[i], bytes)).toBe(0);
    }
    // Flows that learn and flows that do not, of any model, in the same threads.
    const others = await Promise.all(images.map((image, i) => encode(image, OTHERS[i % OTHERS.length])));
    const decoded = await Promise.all([...expected, ...others].map((bytes) => codec.decode(bytes)));
    for (const [i, image] of decoded.entries()) expect(sameImage(image, images[i % images.length])).toBe(true);
    const file = await codec.open(expected[0]);
    expect((await file.decode({ scale: 1 / 4 })).width).toBe(32);
    await file.close();
    await codec.close();
  },
  120_000,
);

test('threads wait for the next image, and no process waits for them', () => {
  const script = `
    import { Codec } from '${built}';
    const ports = () => process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort').length;
    const samples = new Uint8Array(1100 * 20).map((_, i) => (i * i) >> 7);
    const image = { width: 1100, height: 20, channels: 1, samples };
    const codec = new Codec({ model: 'fast', threads: 2 });
    const { signal } = new AbortController();
    for (let i = 0; i < 4; i++) await codec.decode(await codec.encode(image, { signal }));
    console.log(await codec.encode(image).then(({ length }) => length > 0));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'true\n', stderr: '' });
}, 70_000);

test.each([1, 2])(
  'after any error a codec codes on: %i threads',
  async (threads) => {
    const codec = new Codec({ model: 'fast', threads, maxPixels: 2e5 });
    const bytes = await codec.encode(twoTiles);
    const damaged = bytes.slice();
    damaged[bytes.length - 9] ^= 1;
    const { signal } = new AbortController();
    const failing = () => {
      throw new Error('the listener failed');
    };
    const failures: [Promise<unknown>, { message?: string; code?: string; name?: string }][] = [
      [codec.decode(damaged), { code: 'corrupt' }],
      [codec.decode(damaged, { signal }), { code: 'corrupt' }],
      [codec.decode(bytes.subarray(0, 99)), { code: 'corrupt' }],
      [codec.encode({ ...house, height: 9 }), { code: 'bad-input' }],
      [codec.encode({ ...house, height: 9 }, { signal }), { code: 'bad-input' }],
      [codec.encode({ ...house, width: 3e5, height: 1, samples: new Uint8Array(9e5) }), { code: 'unsupported' }],
      [codec.encode(twoTiles, { onProgress: failing }), { message: 'the listener failed' }],
      [codec.encode(twoTiles, { onProgress: failing, signal }), { message: 'the listener failed' }],
      [codec.decode(bytes, { signal: AbortSignal.timeout(1) }), { name: 'TimeoutError' }],
      [codec.encode(house, { signal: AbortSignal.timeout(80) }), { name: 'TimeoutError' }],
      [codec.encode(house, { threads: 1 } as never), { code: 'usage' }],
      [codec.decode('x' as never), { code: 'usage' }],
    ];
    const errors = await Promise.all(failures.map(([call]) => call.catch((error) => error)));
    for (const [i, [, expected]] of failures.entries()) expect(errors[i]).toMatchObject(expected);
    const lost = new Codec({ model: 'no/such.cnfm', threads });
    for (let i = 0; i < 2; i++) await expect(lost.encode(tiny)).rejects.toMatchObject({ code: 'file' });
    for (const options of [{}, { signal }]) {
      expect(Buffer.compare(await codec.encode(twoTiles, options), bytes)).toBe(0);
      expect(sameImage(await codec.decode(bytes, options), twoTiles)).toBe(true);
    }
    await Promise.all([codec.close(), lost.close()]);
    expect(() => new Codec({ threads: 0 })).toThrow(expect.objectContaining({ code: 'usage' }));
  },
  120_000,
);

test.each([
  [1, [0, 40]],
  [2, [5, 120]],
])(
  'a signal ends one call, and not those beside it: %i threads',
  async (threads, delays) => {
    const codec = new Codec({ model: 'fast', threads });
    const bytes = await encode(twoTiles, { model: 'fast' });
    const file = await codec.open(bytes);
    for (const delay of delays) {
      const stop = new AbortController();
      const reason = new Error('enough');
      const stopped = [
        codec.encode(house, { signal: stop.signal }),
        codec.decode(bytes, { signal: stop.signal }),
        file.decode({ signal: stop.signal }),
      ].map((call) =>
        call.then(
          () => 'done',
          (error) => error,
        ),
      );
      const other = codec.encode(twoTiles, { signal: new AbortController().signal });
      setTimeout(() => stop.abort(reason), delay);
      for (const outcome of await Promise.all(stopped)) expect(['done', reason]).toContain(outcome);
      expect(Buffer.compare(await other, bytes)).toBe(0);
    }
    await codec.close();
  },
  120_000,
);

test.each([
  [1, [0, 20, 150]],
  [2, [3, 60, 400]],
])(
  'close ends what is under way, at any moment, and all threads: %i threads',
  async (threads, delays) => {
    const before = threadsNow();
    const bytes = await encode(twoTiles, { model: 'fast' });
    for (const delay of delays) {
      const codec = new Codec({ model: 'fast', threads });
      const { signal } = new AbortController();
      const calls = [
        codec.encode(house),
        codec.encode(twoTiles),
        codec.encode(house, { signal }),
        codec.decode(bytes),
        codec.decode(bytes, { signal }),
        codec.open(bytes).then((file) => file.decode()),
      ].map((call) =>
        call.then(
          () => 'done',
          ({ code, message }) => ({ code, message }),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, delay));
      await codec.close();
      const closed = { code: 'usage', message: 'the codec is closed' };
      for (const outcome of await Promise.all(calls)) expect(['done', closed]).toContainEqual(outcome);
      await expect(codec.encode(tiny)).rejects.toMatchObject(closed);
      await expect(codec.decode(bytes)).rejects.toMatchObject(closed);
      await expect(codec.open(bytes)).rejects.toMatchObject(closed);
      await codec.close();
    }
    await expect.poll(threadsNow, { timeout: 5000 }).toBe(before);
    expect(sameImage(await decode(bytes), twoTiles)).toBe(true);
  },
  120_000,
);

test('with a limit of memory nothing is kept for the next image', async () => {
  const before = threadsNow();
  const codec = new Codec({ model: 'fast', threads: 2, maxMemory: 900e6 });
  const bytes = await codec.encode(twoTiles);
  expect(sameImage(await codec.decode(bytes, { signal: new AbortController().signal }), twoTiles)).toBe(true);
  expect(threadsNow()).toBe(before);
  await codec.close();
});

test('the more of a model learns on a photograph, the smaller is its file', async () => {
  const photograph = await readImage(fixture('kodim23.png'));
  const codec = new Codec({ model: 'fast', threads: 2 });
  const files = await Promise.all(LEARNING.map((learning) => codec.encode(photograph, { learning, verify: false })));
  await codec.close();
  const sizes = files.map(({ length }) => length);
  for (let i = 1; i < sizes.length; i++) expect(sizes[i]).toBeLessThan(sizes[i - 1]);
});
