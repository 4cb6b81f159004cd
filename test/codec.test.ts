import { expect, test } from 'vitest';
import { decodeImage, encodeImage, info, type TileCoder } from '../codec/codec.js';
import { forwardColour } from '../codec/colour.js';
import { crc32 } from '../codec/crc32.js';
import type { Image } from '../codec/image.js';
import { TileCodec } from '../codec/tile-codec.js';
import { randomBytes } from './random-bytes.js';
import { untrainedModel } from './untrained.js';

const models = [await untrainedModel(1), await untrainedModel(3)];
const modelOf = (channels: 1 | 3) => models[channels === 1 ? 0 : 1];

function image(width: number, height: number, channels: 1 | 3): Image {
  const noise = randomBytes(width * height * channels, width + height);
  // A slope with a little noise, and hard edges where it wraps.
  const samples = noise.map((byte, i) => 3 * Math.floor(i / channels / 7) + (byte & 7));
  return { width, height, channels, samples };
}

/** One codec for many files: it must stay sound after it has met damage. */
async function sharedCoder(): Promise<TileCoder> {
  const codec = await TileCodec.create(modelOf(3));
  return {
    concurrency: 1,
    encode: async (samples, shape) => codec.encode(samples, shape),
    decode: async (payload, shape) => codec.decode(payload, shape),
  };
}

/** Stores coordinates as they are; counts how many tiles are under way at once. */
class RawCoder implements TileCoder {
  most = 0;
  private now = 0;

  constructor(readonly concurrency: number) {}

  async encode(samples: Int32Array) {
    await this.turn();
    const payload = new Uint8Array(samples.buffer);
    return { payload, netBits: 8 * payload.length };
  }

  async decode(payload: Uint8Array) {
    await this.turn();
    return new Int32Array(payload.slice().buffer);
  }

  private async turn() {
    this.most = Math.max(this.most, ++this.now);
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.now--;
  }
}

test.each([
  [1, 1],
  [1, 9],
  [9, 1],
  [2, 2],
  [5, 3],
  [32, 32],
  [61, 47],
] as const)('%i x %i, gray and RGB, come back exactly', async (width, height) => {
  for (const channels of [1, 3] as const) {
    const original = image(width, height, channels);
    expect(await decodeImage(await encodeImage(original, modelOf(channels)), models)).toEqual(original);
  }
});

test('tiles are coded at most `concurrency` at once, in any number with the same bytes, and progress ends at 1', async () => {
  const original = image(1300, 600, 3);
  const files: Uint8Array[] = [];
  for (const concurrency of [1, 2, 16]) {
    const coder = new RawCoder(concurrency);
    const progress: number[] = [];
    files.push(await encodeImage(original, modelOf(3), { coder, onProgress: (part) => progress.push(part) }));
    expect(coder.most).toBe(Math.min(concurrency, 6));
    expect(progress).toHaveLength(6);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
    const { samples } = await decodeImage(files[0], models, { coder });
    expect(Buffer.compare(samples, original.samples)).toBe(0);
  }
  expect(Buffer.compare(files[1], files[0])).toBe(0);
  expect(Buffer.compare(files[2], files[0])).toBe(0);
});

test('after a tile has failed no further one is begun', async () => {
  let begun = 0;
  const coder: TileCoder = {
    concurrency: 1,
    encode: () => {
      begun++;
      return Promise.reject(new Error('no'));
    },
    decode: () => Promise.reject(new Error('no')),
  };
  await expect(encodeImage(image(1300, 600, 3), modelOf(3), { coder })).rejects.toThrow('no');
  expect(begun).toBe(1);
});

test('info describes a file, its sizes add up', async () => {
  const bytes = await encodeImage(image(600, 20, 1), modelOf(1));
  const facts = info(bytes);
  expect(facts).toMatchObject({ bytes: bytes.length, width: 600, height: 20, channels: 1, bitDepth: 8 });
  expect(facts.modelHash).toBe(models[0].hash);
  expect(facts.tiles).toHaveLength(2);
  expect(facts.tiles.reduce((sum, tile) => sum + tile.bytes, facts.overheadBytes)).toBe(bytes.length);
  expect(facts.bitsPerSample).toBeCloseTo((8 * bytes.length) / 12_000);
});

test('every flipped bit of a small file gives an error, never other pixels', async () => {
  const original = image(5, 3, 3);
  const bytes = await encodeImage(original, modelOf(3));
  const coder = await sharedCoder();
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    await expect(decodeImage(flipped, models, { coder }), `bit ${bit}`).rejects.toMatchObject({
      name: 'CnfzipError',
    });
  }
  expect(await decodeImage(bytes, models, { coder })).toEqual(original);
});

test('damage behind matching checksums is noticed by the codec or the checksum of the samples', async () => {
  const original = image(16, 16, 3);
  const bytes = await encodeImage(original, modelOf(3));
  const intact = bytes.slice();
  const coder = await sharedCoder();
  const start = 17 + 4 + 2;
  const view = new DataView(bytes.buffer);
  for (let at = start; at < bytes.length - 8; at += 3) {
    const before = bytes[at];
    bytes[at] ^= 0x10;
    view.setUint32(bytes.length - 8, crc32(bytes.subarray(start - 2, bytes.length - 8)), true);
    await expect(decodeImage(bytes, models, { coder }), `byte ${at}`).rejects.toMatchObject({ code: 'corrupt' });
    bytes[at] = before;
  }
  expect(await decodeImage(intact, models, { coder })).toEqual(original);
});

test('an unknown model, another kernel and a model for other channels are named', async () => {
  const original = image(8, 8, 3);
  const bytes = await encodeImage(original, modelOf(3));
  await expect(decodeImage(bytes, [])).rejects.toMatchObject({
    code: 'unknown-model',
    message: expect.stringContaining(models[1].hash),
  });
  const other = bytes.slice();
  other[5] = 77;
  new DataView(other.buffer).setUint32(17, crc32(other.subarray(0, 17)), true);
  await expect(decodeImage(other, models)).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('version 77'),
  });
  await expect(encodeImage(original, modelOf(1))).rejects.toMatchObject({ code: 'usage' });
});

test.each([
  ['no width', { width: 0 }, 'bad-input'],
  ['a broken width', { width: 1.5 }, 'bad-input'],
  ['too few samples', { height: 9 }, 'bad-input'],
  ['too many pixels', { height: 2 ** 25 }, 'unsupported'],
  ['two channels', { channels: 2 as 1 }, 'unsupported'],
  ['16-bit samples', { samples: new Uint16Array(192) as unknown as Uint8Array }, 'bad-input'],
])('an image is refused: %s', async (_, change, code) => {
  await expect(encodeImage({ ...image(8, 8, 3), ...change }, modelOf(3))).rejects.toMatchObject({ code });
});

test('the raw coder gets what forwardColour makes', async () => {
  const original = image(4, 2, 3);
  const bytes = await encodeImage(original, modelOf(3), { coder: new RawCoder(1) });
  const payload = bytes.slice(17 + 4 + 1, -8);
  expect(new Int32Array(payload.buffer)).toEqual(forwardColour(original.samples, 3));
});
