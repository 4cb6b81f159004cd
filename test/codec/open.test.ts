import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeImage, encodeImage } from '../../codec/codec.js';
import { type EncodingOptions, oncePerFlow } from '../../codec/coding.js';
import { readContainer, seal, writeContainer } from '../../codec/container/container.js';
import { type ContentsOf, partsOf } from '../../codec/container/contents.js';
import { crc32 } from '../../codec/container/crc32.js';
import { readHead, writeHead } from '../../codec/container/head.js';
import type { CnfzipError } from '../../codec/error.js';
import { type Image, sameImage } from '../../codec/image.js';
import { encodeWebp } from '../../codec/layers/webp.js';
import { type OpenedImage, openImage } from '../../codec/open.js';
import { httpSource, type Source, streamSource } from '../../codec/source.js';
import { extractTile, tileCount, tileLayout } from '../../codec/tiles.js';
import type { Region } from '../../codec/view.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { randomImage } from '../../src/fuzz/random-image.js';
import { decodePng } from '../../src/index.js';
import { modelsForEncoding } from '../../src/session/models.js';
import { beside } from '../beside.js';
import { untrainedModel } from './untrained.js';

const untrained = [await untrainedModel(1), await untrainedModel(3)];
const models = await modelsForEncoding(4, 'fast');
const shared: EncodingOptions = { verify: false, coderOf: oncePerFlow() };

const fixture = (name: string) => decodePng(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url)));

/** The pixels of a region whose rows and columns are multiples of a step, picked one by one. */
function picked(image: Image, step: number, { x, y, width, height }: Region): Image {
  const rows = Array.from({ length: height }, (_, i) => y + i).filter((row) => row % step === 0);
  const columns = Array.from({ length: width }, (_, i) => x + i).filter((column) => column % step === 0);
  const { channels } = image;
  const values = rows.flatMap((row) =>
    columns.flatMap((column) => {
      const at = (row * image.width + column) * channels;
      return [...image.samples.subarray(at, at + channels)];
    }),
  );
  const samples = image.samples instanceof Uint16Array ? Uint16Array.from(values) : Uint8Array.from(values);
  return { ...image, width: columns.length, height: rows.length, samples };
}

function randomRegion({ width, height }: Image, random: (below: number) => number): Region {
  const [x, y] = [random(width), random(height)];
  return { x, y, width: 1 + random(width - x), height: 1 + random(height - y) };
}

interface Specimen {
  readonly name: string;
  readonly image: Image;
  readonly file: Uint8Array;
  readonly models: typeof models;
}

async function specimen(name: string, image: Image, own = models): Promise<Specimen> {
  return { name, image, file: await encodeImage(image, own, shared), models: own };
}

const photograph = fixture('house-253x191.png');
const noise = randomIntegers(1);
const repeated = beside(fixture('dark-247x165.png'), 5);
// Noise, so that no copy is like another.
const wide: Image = { ...repeated, samples: Uint8Array.from(repeated.samples, (s) => Math.min(255, s + noise(9))) };
const deep: Image = {
  ...photograph,
  maxval: 4095,
  samples: Uint16Array.from(photograph.samples, (s, i) => 16 * s + (i % 13)),
};
const alpha: Image = {
  ...photograph,
  channels: 4,
  samples: Uint8Array.from({ length: photograph.width * photograph.height * 4 }, (_, i) =>
    i % 4 < 3 ? photograph.samples[3 * (i >> 2) + (i % 4)] : ((i >> 4) * 7 + (i >> 11)) & 255,
  ),
};

/** A file of several tiles, the second of which is WebP. */
async function mixed(): Promise<Specimen> {
  const { image, file } = await specimen('', wide);
  const container = readContainer(file);
  const [layer] = container.layers;
  const tile = extractTile({ ...image, maxval: 255 }, tileLayout(image.width, image.height)[1]);
  const tiles = [layer.tiles[0], { method: 'webp' as const, stages: [await encodeWebp(tile, 'probe')] }];
  const bytes = writeContainer({ ...container, layers: [{ ...layer, tiles }] }, image.samples);
  return { name: 'a tile of WebP', image, file: bytes, models };
}

const specimens: Specimen[] = [
  await specimen('a photograph', photograph),
  await specimen('two tiles', wide),
  await specimen('12 bits', deep),
  await specimen('alpha', alpha),
  await mixed(),
];

test('the specimens are cut into stages, of which a half is less than 40 % of the file', async () => {
  for (const { name, file } of specimens) {
    const { info } = await openImage(file);
    expect(info.scales.length, name).toBeGreaterThanOrEqual(3);
    expect(info.scales.at(-1)).toMatchObject({ scale: 1, bytes: file.length });
    const half = info.scales.find(({ scale }) => scale === 1 / 2)!;
    if (name !== 'a tile of WebP') expect(half.bytes / file.length, name).toBeLessThan(0.4);
  }
});

/** A source of a file's first bytes only, that notes how far it was read. */
function prefixOf(file: Uint8Array, length: number): Source & { most: number } {
  return {
    most: 0,
    async read(offset, count) {
      const bytes = file.subarray(offset, Math.min(offset + count, length));
      // The first read is a guess.
      if (offset > 0) this.most = Math.max(this.most, offset + bytes.length);
      return bytes;
    },
  };
}

test.each(specimens)(
  'random scales, regions and prefixes of $name are the samples of the lattice',
  async (one) => {
    const random = randomIntegers(one.file.length);
    for (let i = 0; i < 10; i++) {
      const level = random(7);
      const region = random(3) ? randomRegion(one.image, random) : undefined;
      const all = { x: 0, y: 0, width: one.image.width, height: one.image.height };
      const expected = picked(one.image, 1 << level, region ?? all);
      const facts = (await openImage(one.file)).info.scales;
      const { bytes } = facts.find(({ scale }) => scale >= 1 / (1 << level)) ?? facts[0];
      const source = prefixOf(one.file, bytes);
      const decoded = (await openImage(source)).decode(one.models, { ...shared, scale: 1 / (1 << level), region });
      if (expected.samples.length === 0) await expect(decoded).rejects.toMatchObject({ code: 'usage' });
      else expect(sameImage(await decoded, expected), `level ${level} ${JSON.stringify(region)}`).toBe(true);
      expect(source.most).toBeLessThanOrEqual(bytes);
    }
  },
  120_000,
);

test('random small images of every kind give any scale and region', async () => {
  const random = randomIntegers(3);
  for (let seed = 0; seed < 150; seed++) {
    const { image, file } = await specimen('', randomImage(seed), untrained);
    const opened = await openImage(file);
    for (const level of [0, 1, 2, 5, 24]) {
      const region = randomRegion(image, random);
      const expected = picked(image, 2 ** level, region);
      const decoded = opened.decode(untrained, { ...shared, scale: 2 ** -level, region });
      if (expected.samples.length === 0) await expect(decoded).rejects.toMatchObject({ code: 'usage' });
      else expect(sameImage(await decoded, expected), `seed ${seed}, level ${level}`).toBe(true);
    }
    expect(sameImage({ ...image, palette: opened.palette, metadata: opened.metadata }, image)).toBe(true);
  }
}, 60_000);

test('a region reads but its own tile', async () => {
  const { image, file } = specimens[1];
  const [first] = tileLayout(image.width, image.height);
  const reads: number[] = [];
  const source: Source = {
    size: file.length,
    read: async (offset, length) => {
      reads.push(length);
      return file.subarray(offset, offset + length);
    },
  };
  const opened = await openImage(source);
  reads.length = 0;
  const region = { x: 3, y: 4, width: first.width - 3, height: 20 };
  expect(sameImage(await opened.decode(models, { ...shared, region }), picked(image, 1, region))).toBe(true);
  // And the list of the values that occur.
  const alphabet = readContainer(file).layers[0].alphabet?.length ?? 0;
  expect(reads.reduce((sum, length) => sum + length)).toBe(opened.info.layers[0].tiles[0].bytes + alphabet);
});

/** All ends of parts in a file, and of its head. */
function borders(file: Uint8Array): number[] {
  const parts = [...partsOf(readHead(file))];
  return [parts[0].offset, ...parts.map(({ offset, length }) => offset + length)];
}

/** What of a file comes, from the coarsest image on, and the error after that. */
async function finerOf(file: Uint8Array, own = models) {
  const scales: number[] = [];
  const images: Image[] = [];
  let opened: OpenedImage | undefined;
  try {
    opened = await openImage(file);
    for await (const { scale, image } of opened.finer(own, shared)) {
      scales.push(scale);
      images.push(image);
    }
  } catch (error) {
    return { scales, images, opened, error: error as CnfzipError };
  }
  return { scales, images, opened };
}

test.each(specimens)(
  '$name, cut or damaged at any border: coarser images that say so, then an error',
  async (one) => {
    const all = { x: 0, y: 0, width: one.image.width, height: one.image.height };
    const coarse = new Map<number, Image>();
    const check = async (file: Uint8Array, what: string) => {
      const { scales, images, opened, error } = await finerOf(file, one.models);
      expect(error, what).toMatchObject({ name: 'CnfzipError', code: 'corrupt' });
      for (const [i, scale] of scales.entries()) {
        if (!coarse.has(scale)) coarse.set(scale, picked(one.image, 1 / scale, all));
        expect(sameImage(images[i], coarse.get(scale)!), what).toBe(true);
      }
      expect(scales).not.toContain(1);
      if (opened) expect(await opened.available(), what).toBe(scales.at(-1));
      await expect(decodeImage(file, one.models, shared), what).rejects.toMatchObject({ code: 'corrupt' });
      return scales.length;
    };
    let most = 0;
    for (const border of borders(one.file)) {
      for (const end of [border - 1, border]) {
        if (end < one.file.length) most = Math.max(most, await check(one.file.subarray(0, end), `cut at ${end}`));
      }
      for (const at of [border - 1, border]) {
        const damaged = one.file.slice();
        if (at >= damaged.length) continue;
        damaged[at] ^= 0x21;
        await check(damaged, `damaged at ${at}`);
      }
    }
    expect(most).toBe((await openImage(one.file)).info.scales.length - 1);
  },
  240_000,
);

test('a stream gives ever finer images while it comes', async () => {
  const { image, file } = specimens[0];
  let sent = 0;
  async function* slowly() {
    for (; sent < file.length; sent += 1000) yield file.subarray(sent, sent + 1000);
  }
  const opened = await openImage(streamSource(slowly()));
  const seen: { scale: number; sent: number }[] = [];
  let last: Image | undefined;
  for await (const { scale, image } of opened.finer(models, shared)) {
    seen.push({ scale, sent });
    last = image;
  }
  expect(seen.map(({ scale }) => scale)).toEqual([1 / 4, 1 / 2, 1]);
  expect(seen.at(-1)!.sent).toBeGreaterThan(file.length - 1001);
  expect(sameImage(last!, image)).toBe(true);
});

test.each([true, false])('a server that knows ranges: %s', async (ranges) => {
  const { image, file } = specimens[1];
  let bytes = 0;
  const server: typeof fetch = async (_, init) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range')!)!.map(Number);
    const body = ranges ? file.subarray(from, to + 1) : file;
    bytes += body.length;
    return new Response(Uint8Array.from(body), { status: ranges ? 206 : 200 });
  };
  const opened = await openImage(httpSource('https://nowhere.example/x.cnfz', { fetch: server }));
  const thumbnail = await opened.decode(models, { ...shared, scale: 1 / 4 });
  expect(sameImage(thumbnail, picked(image, 4, { x: 0, y: 0, width: image.width, height: image.height }))).toBe(true);
  if (ranges) expect(bytes).toBeLessThan(2 ** 16 + 0.2 * file.length);
  else expect(bytes).toBe(file.length);
  const missing = httpSource('https://nowhere.example/', { fetch: async () => new Response('', { status: 404 }) });
  await expect(openImage(missing)).rejects.toMatchObject({ code: 'file', message: expect.stringContaining('404') });
});

test('wrong wishes are named', async () => {
  const opened = await openImage(new Blob([Uint8Array.from(specimens[0].file)]));
  for (const scale of [0, 2, 1 / 3, Number.NaN]) {
    await expect(opened.decode(models, { scale })).rejects.toMatchObject({ code: 'usage', message: /scale must be/ });
  }
  const bad: Region[] = [
    { x: -1, y: 0, width: 2, height: 2 },
    { x: 250, y: 0, width: 4, height: 2 },
    { x: 0.5, y: 0, width: 1, height: 1 },
    { x: 0, y: 0, width: 0, height: 1 },
  ];
  for (const region of bad) {
    await expect(opened.decode(models, { region })).rejects.toMatchObject({ code: 'usage', message: /region/ });
  }
  await expect(openImage(7 as never)).rejects.toMatchObject({ code: 'usage' });
  await expect(openImage(Uint8Array.from([...specimens[0].file, 1]))).rejects.toMatchObject({ code: 'corrupt' });
  const stop = AbortSignal.abort(new Error('enough'));
  await expect(opened.decode(models, { signal: stop })).rejects.toThrow('enough');
});

/** A large file of parts that are all zeros, which notes the most that was asked for at once. */
function zeros(contents: ContentsOf<{ length: number }>): Source & { most: number } {
  const block = new Uint8Array(1 << 26);
  const checksum = ({ length }: { length: number }) => crc32(block.subarray(0, length));
  const head = seal(writeHead(contents, () => 0, checksum));
  return {
    most: 0,
    size: [...partsOf(contents)].reduce((sum, { length }) => sum + length, head.length),
    async read(offset, length) {
      this.most = Math.max(this.most, length);
      return offset < head.length ? head.subarray(offset, offset + length) : block.subarray(0, length);
    },
  };
}

const large = { width: 10_000, height: 10_000, channels: 3, maxval: 255, indexed: false } as const;

test('metadata of more bytes than there may be is refused before it is read', async () => {
  const layer = { method: 'plain', tiles: [{ method: 'plain', stages: [{ length: 5 }] }] } as const;
  const source = zeros({ ...large, attachments: { length: 3e8 }, layers: [layer] });
  await expect(openImage(source)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringMatching(/metadata of 300000000 bytes/),
  });
  expect(source.most).toBeLessThan(1 << 20);
});

test('what of a large file is whole is found a part after the other', async () => {
  const flow = { kernelVersion: 1, modelHash: '0123456789abcdef', learning: 'none' } as const;
  const tiles = Array.from({ length: tileCount(large.width, large.height) }, () => ({
    method: 'flow' as const,
    stages: [{ length: 1 << 20 }],
  }));
  const source = zeros({ ...large, layers: [{ method: 'tiles', flow, tiles }] });
  expect(await (await openImage(source)).available()).toBe(1);
  expect(source.size).toBeGreaterThan(1 << 26);
  expect(source.most).toBeLessThanOrEqual(1 << 26);
});
