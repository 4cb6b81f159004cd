import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BandEncoder } from '../../codec/bands.js';
import { decodeImage, encodeImage } from '../../codec/codec.js';
import { type EncodingOptions, oncePerFlow, type TileCoder } from '../../codec/coding.js';
import { concatenate } from '../../codec/container/bytes.js';
import { type Container, readContainer, writeContainer } from '../../codec/container/container.js';
import { crc32 } from '../../codec/container/crc32.js';
import type { CnfzipError } from '../../codec/error.js';
import type { Flow } from '../../codec/flow/model.js';
import { type Image, maxvalOf, sameImage } from '../../codec/image.js';
import { info } from '../../codec/info.js';
import type { Layer } from '../../codec/layer.js';
import { encodePlain } from '../../codec/layers/plain.js';
import { encodeWebp } from '../../codec/layers/webp.js';
import { MAX_TILE_SIDE } from '../../codec/tiles.js';
import { randomBytes } from '../../src/fuzz/random-bytes.js';
import { randomImage } from '../../src/fuzz/random-image.js';
import { decodePng } from '../../src/index.js';
import { modelsForEncoding } from '../../src/session/models.js';
import { beside } from '../beside.js';
import { untrainedModel } from './untrained.js';

const untrained = [await untrainedModel(1), await untrainedModel(3)];
const models = await modelsForEncoding(4);

/** One codec of each flow for many files: it must stay sound after it has met damage. */
const shared: EncodingOptions = { verify: false, coderOf: oncePerFlow() };

const fixture = (name: string) => decodePng(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url)));
const photograph = fixture('red-door-128x96.png');

function noise(width: number, height: number, channels: 1 | 2 | 3 | 4): Image {
  return { width, height, channels, maxval: 255, samples: randomBytes(width * height * channels, width + height) };
}

/** Keeps tiles instead of coding them, so that nothing is smaller; counts how many are under way at once. */
class KeepingCoder implements TileCoder {
  readonly kept: Layer['samples'][] = [];
  most = 0;
  private now = 0;

  constructor(readonly concurrency: number) {}

  async encode({ samples }: Layer) {
    const index = this.kept.push(samples.slice()) - 1;
    await this.turn();
    return { payload: Uint8Array.of(index), ends: [1], netBits: 8 };
  }

  async decode([index]: Uint8Array) {
    await this.turn();
    return this.kept[index];
  }

  private async turn() {
    this.most = Math.max(this.most, ++this.now);
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.now--;
  }
}

test('random images of every kind come back, with all that belongs to them', async () => {
  const methods = new Set<string>();
  for (let seed = 0; seed < 150; seed++) {
    const image = randomImage(seed);
    const bytes = await encodeImage(image, untrained, shared);
    for (const { method } of info(bytes).layers) methods.add(method);
    expect(sameImage(await decodeImage(bytes, untrained, shared), image), `seed ${seed}`).toBe(true);
  }
  expect(methods).toContain('plain');
  expect(methods).toContain('webp');
}, 60_000);

test('photographs are coded by the flow, alpha and depth and all', async () => {
  const { width, height, samples } = photograph;
  const wave = (i: number) => Math.round(100 + 90 * Math.sin(i / 997) + ((i * 7919) % 5));
  const alpha = Uint8Array.from({ length: width * height }, (_, i) => wave(i));
  const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) =>
    i % 4 === 3 ? alpha[i >> 2] : samples[(i >> 2) * 3 + (i % 4)],
  );
  const deep = Uint16Array.from(samples, (sample, i) => sample * 4 + (randomBytes(1, i)[0] & 3));
  const images: [Image, string][] = [
    [photograph, '3 tiles'],
    [{ width, height, channels: 4, samples: rgba }, '3 tiles'],
    [{ width, height, channels: 3, maxval: 1023, samples: deep }, '3 tiles'],
    [{ width, height, channels: 3, samples: Uint16Array.from(samples, (sample) => sample * 257) }, '3 tiles'],
    [fixture('gray-paint-121x121.png'), '1 tiles'],
  ];
  for (const [image, first] of images) {
    const bytes = await encodeImage(image, models, shared);
    const [layer] = info(bytes).layers;
    expect(`${layer.channels} ${layer.method}`).toBe(first);
    expect(layer.tiles.every(({ method }) => method === 'flow')).toBe(true);
    expect(sameImage(await decodeImage(bytes, models, shared), image)).toBe(true);
  }
}, 30_000);

test('8 bits stretched to 16 cost but the list of their values', async () => {
  const stretched = { ...photograph, maxval: 65535, samples: Uint16Array.from(photograph.samples, (s) => s * 257) };
  const [plain, wide] = [await encodeImage(photograph, models, shared), await encodeImage(stretched, models, shared)];
  expect(wide.length - plain.length).toBeLessThan(100);
});

test('a graphic beside a photograph: each tile has its own method', async () => {
  const [width, height] = [2 * MAX_TILE_SIDE, 96];
  const samples = new Uint8Array(width * height * 3).fill(230);
  const { width: across, samples: photo } = photograph;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < MAX_TILE_SIDE; x += across)
      samples.set(photo.subarray(y * across * 3, (y + 1) * across * 3), (y * width + x) * 3);
    // Noise in blocks: repeats, but nothing smooth.
    for (let x = MAX_TILE_SIDE; x < width; x++) {
      const byte = randomBytes(1, (y >> 2) * 1000 + (x >> 3))[0];
      samples.fill(byte & 128 ? 255 : 0, (y * width + x) * 3, (y * width + x + 1) * 3);
    }
  }
  const image: Image = { width, height, channels: 3, samples };
  // With the photograph eight times the same, WebP would copy it: a coder that keeps tiles is ahead of that.
  const keeping = new KeepingCoder(1);
  const options = { coderOf: async () => keeping };
  const bytes = await encodeImage(image, models, options);
  const [layer] = info(bytes).layers;
  expect(layer.tiles.map(({ method }) => method)).toEqual(['flow', 'webp']);
  expect(sameImage(await decodeImage(bytes, models, options), image)).toBe(true);
});

test('what WebP or PNG can code is no larger than that but for 16 bytes', async () => {
  const { encodeWebpFile } = await import('../../codec/layers/webp.js');
  const flat = new Uint8Array(64 * 64 * 4).map((_, i) => ((i >> 7) * 3) & 255);
  for (const channels of [1, 2, 3, 4] as const) {
    const image: Image = { width: 64, height: 64, channels, samples: flat.subarray(0, 64 * 64 * channels) };
    const webp = await encodeWebpFile({ ...image, maxval: 255, samples: image.samples }, 'best');
    expect((await encodeImage(image, untrained, shared)).length).toBeLessThanOrEqual(webp.length + 16);
  }
});

test('tiles are coded at most `concurrency` at once, in any number with the same bytes, and progress ends at 1', async () => {
  const original = noise(2060, 1030, 3);
  const files: Uint8Array[] = [];
  for (const concurrency of [1, 2, 16]) {
    const coder = new KeepingCoder(concurrency);
    const options = { coderOf: async () => coder };
    const progress: number[] = [];
    files.push(await encodeImage(original, untrained, { ...options, onProgress: (part) => progress.push(part) }));
    expect(coder.most).toBe(Math.min(concurrency, 6));
    // Each tile is encoded, then decoded.
    expect(progress).toHaveLength(12);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
    expect(sameImage(await decodeImage(files.at(-1)!, untrained, options), original)).toBe(true);
  }
  expect(Buffer.compare(files[1], files[0])).toBe(0);
}, 20_000);

test('progress of colour and alpha together ends at 1', async () => {
  const progress: number[] = [];
  await encodeImage(noise(1152, 70, 4), untrained, { ...shared, onProgress: (part) => progress.push(part) });
  expect(progress).toEqual([0.25, 0.5, 0.75, 1]);
});

test('after a tile has failed or a signal was given no further one is begun', async () => {
  let begun = 0;
  const stop = new AbortController();
  const coder: TileCoder = {
    concurrency: 1,
    encode: () => {
      begun++;
      return Promise.reject(new Error('no'));
    },
    decode: () => Promise.reject(new Error('no')),
  };
  const options = { coderOf: async () => coder, signal: stop.signal };
  await expect(encodeImage(noise(2060, 30, 3), untrained, options)).rejects.toThrow('no');
  expect(begun).toBe(1);
  stop.abort(new Error('enough'));
  await expect(encodeImage(noise(2060, 30, 3), untrained, options)).rejects.toThrow('enough');
  expect(begun).toBe(1);
});

test.each([0, 0.5, -1, Number.NaN])(
  'a coder of %d tiles at once codes all of them, one after the other',
  async (concurrency) => {
    const coder = new KeepingCoder(concurrency);
    await encodeImage(noise(2060, 30, 3), untrained, { coderOf: async () => coder });
    expect(coder).toMatchObject({ kept: { length: 3 }, most: 1 });
  },
);

test('an option that is none of its words is an error, never a file', async () => {
  const options = [{ learning: 'head' }, { effort: 'highest' }] as unknown as EncodingOptions[];
  for (const wrong of options) {
    const told = { code: 'usage', message: expect.stringMatching(/^option (learning|effort) must be one of /) };
    await expect(encodeImage(photograph, models, { ...shared, ...wrong })).rejects.toMatchObject(told);
    const store = { append: async () => {}, read: async () => new Uint8Array() };
    expect(() => new BandEncoder({ ...photograph, maxval: 255 }, models, [], store, wrong)).toThrow(/^option /);
  }
});

test('info describes a file, its sizes add up', async () => {
  const metadata = [{ type: 'tEXt', place: 'start' as const, data: new Uint8Array(30) }];
  const bytes = await encodeImage({ ...beside(fixture('gray-boat-531x60.png'), 2), metadata }, models, shared);
  const facts = info(bytes);
  expect(facts).toMatchObject({ bytes: bytes.length, width: 1062, height: 60, channels: 1, maxval: 255 });
  expect(facts.metadata).toEqual([{ type: 'tEXt', bytes: 30 }]);
  const [layer] = facts.layers;
  expect(layer).toMatchObject({ channels: 1, method: 'tiles', modelHash: models[1].hash });
  expect(layer.tiles).toHaveLength(2);
  expect(layer.tiles.reduce((sum, tile) => sum + tile.bytes, facts.overheadBytes + facts.attachmentBytes)).toBe(
    bytes.length,
  );
  expect(facts.bitsPerSample).toBeCloseTo((8 * bytes.length) / (1062 * 60));
});

test('every flipped bit of a small file gives an error, never other pixels', async () => {
  const original: Image = { ...noise(5, 3, 4), metadata: [{ type: 'tEXt', place: 'start', data: randomBytes(9, 1) }] };
  const bytes = await encodeImage(original, untrained, shared);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    await expect(decodeImage(flipped, untrained, shared), `bit ${bit}`).rejects.toMatchObject({ name: 'CnfzipError' });
  }
  expect(sameImage(await decodeImage(bytes, untrained, shared), original)).toBe(true);
});

const deepNoise: Image = {
  ...noise(160, 100, 3),
  maxval: 65535,
  samples: Uint16Array.from(randomBytes(48_000, 2), (byte) => byte * 251),
};

/** The container of an image that is coded as a whole. */
async function wholeContainer(image: Image, method: 'webp' | 'plain'): Promise<Container> {
  const layer = { ...image, maxval: maxvalOf(image) };
  const stages = [method === 'webp' ? await encodeWebp(layer, 'probe') : encodePlain(layer)];
  return { ...layer, indexed: false, layers: [{ method, tiles: [{ method, stages }] }] };
}

test.each([
  ['the flow', photograph, 997],
  ['the flow, cut in stages', fixture('house-253x191.png'), 14_983],
  ['WebP', noise(128, 96, 3), 9001],
  ['deflate', deepNoise, 8009],
] as const)(
  'damage behind matching checksums is noticed by %s or the checksum of the samples',
  async (method, image, step) => {
    const whole = ({ WebP: 'webp', deflate: 'plain' } as const)[method as string];
    const container = whole
      ? await wholeContainer(image, whole)
      : readContainer(await encodeImage(image, models, shared));
    const [layer] = container.layers;
    const [tile] = layer.tiles;
    const payload = concatenate(tile.stages);
    for (let at = 0; at < payload.length; at += step) {
      const damaged = payload.slice();
      damaged[at] ^= 0x10;
      let from = 0;
      const stages = tile.stages.map(({ length }) => {
        from += length;
        return damaged.subarray(from - length, from);
      });
      const layers = [{ ...layer, tiles: [{ ...tile, stages }] }];
      const bytes = writeContainer({ ...container, layers }, image.samples);
      const outcome = await decodeImage(bytes, models, shared).catch((error: CnfzipError) => error.code);
      // The last bits of a deflate or VP8L stream may be padding, which changes nothing.
      if (typeof outcome !== 'string') expect(sameImage(outcome, image), `byte ${at}`).toBe(true);
      else expect(outcome).toBe('corrupt');
    }
    expect(sameImage(await decodeImage(writeContainer(container, image.samples), models, shared), image)).toBe(true);
  },
  60_000,
);

test('what does not decode to the image is an error and no file, unless nobody looks', async () => {
  const image = photograph;
  const forged = async (flow: Flow, damage: (payload: Uint8Array) => void) => {
    const coder = await shared.coderOf!(flow);
    const encode: TileCoder['encode'] = async (tile) => {
      const encoded = await coder.encode(tile);
      damage(encoded.payload);
      return encoded;
    };
    return { ...coder, encode };
  };
  const wrong = {
    name: 'CnfzipError',
    code: 'corrupt',
    message: expect.stringMatching(/does not decode to the image/),
  };
  const damages: ((payload: Uint8Array) => void)[] = [
    (payload) => payload.fill(7, -34, -30),
    (payload) => payload.fill(9, -1),
  ];
  for (const damage of damages) {
    const coderOf = (flow: Flow) => forged(flow, damage);
    await expect(encodeImage(image, models, { coderOf })).rejects.toMatchObject(wrong);
    expect((await encodeImage(image, models, { coderOf, verify: false })).length).toBeGreaterThan(100);
  }
  const coderOf = async (flow: Flow): Promise<TileCoder> => {
    const coder = await shared.coderOf!(flow);
    return { ...coder, decode: async () => new Uint8Array(image.samples.length) };
  };
  await expect(encodeImage(image, models, { coderOf })).rejects.toMatchObject(wrong);
  const stop = new AbortController();
  const onProgress = (part: number) => part > 0.4 && stop.abort(new Error('enough'));
  await expect(
    encodeImage(image, models, { ...shared, verify: true, onProgress, signal: stop.signal }),
  ).rejects.toThrow('enough');
});

test('an unknown model and another kernel are named', async () => {
  const bytes = await encodeImage(photograph, models, shared);
  await expect(decodeImage(bytes, [])).rejects.toMatchObject({
    code: 'unknown-model',
    message: expect.stringContaining(models[0].hash),
  });
  const container = readContainer(bytes);
  const layers = container.layers.map((layer) => ({ ...layer, flow: { ...layer.flow!, kernelVersion: 77 } }));
  await expect(decodeImage(writeContainer({ ...container, layers }, photograph.samples), models)).rejects.toMatchObject(
    {
      code: 'unsupported',
      message: expect.stringContaining('version 77'),
    },
  );
});

test.each([
  ['no width', { width: 0 }, 'bad-input'],
  ['a broken width', { width: 1.5 }, 'bad-input'],
  ['too few samples', { height: 9 }, 'bad-input'],
  ['too many pixels', { height: 2 ** 25 }, 'unsupported'],
  ['five channels', { channels: 5 as 4 }, 'unsupported'],
  ['16-bit samples in bytes', { maxval: 65535 }, 'bad-input'],
  ['samples above their range', { maxval: 3 }, 'bad-input'],
  ['no range', { maxval: 0 }, 'bad-input'],
  ['a palette of colour', { palette: new Uint8Array(3) }, 'bad-input'],
  ['half a colour', { channels: 1 as const, samples: new Uint8Array(64), palette: new Uint8Array(4) }, 'bad-input'],
  [
    'a nameless piece of metadata',
    { metadata: [{ type: '', place: 'end' as const, data: new Uint8Array(1) }] },
    'bad-input',
  ],
])('an image is refused: %s', async (_, change, code) => {
  await expect(encodeImage({ ...noise(8, 8, 3), ...change }, untrained)).rejects.toMatchObject({ code });
});

test('the checksum of 16-bit samples is that of their little-endian bytes', async () => {
  const bytes = Uint8Array.from([...deepNoise.samples].flatMap((sample) => [sample & 255, sample >> 8]));
  const file = writeContainer(await wholeContainer(deepNoise, 'plain'), deepNoise.samples);
  expect(readContainer(file).samplesChecksum).toBe(crc32(bytes));
});
