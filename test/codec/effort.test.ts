import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeImage, encodeImage } from '../../codec/codec.js';
import { EFFORTS, type Effort, oncePerFlow } from '../../codec/coding.js';
import { parseModel } from '../../codec/flow/model.js';
import { type Image, sameImage } from '../../codec/image.js';
import { copies, favoursCopies, repeats } from '../../codec/layers/repetition.js';
import { sampleOf } from '../../codec/layers/sample.js';
import { randomBytes } from '../../src/fuzz/random-bytes.js';
import { decodePng } from '../../src/index.js';
import { type TracedTile, tracingCoder } from '../../src/measure/tracing.js';
import { untrainedModel } from './untrained.js';

const untrained = [await untrainedModel(3)];
const shipped = [await parseModel(readFileSync(new URL('../../models/fast.cnfm', import.meta.url)))];

/** A page of text: glyphs of random pixels, a few of which come again and again, on white. */
function text(width: number, height: number): Image & { samples: Uint8Array; maxval: number } {
  const GLYPH = 8;
  const glyphs = randomBytes(12 * GLYPH * GLYPH * 3, 1);
  const order = randomBytes(width * height, 2);
  const samples = new Uint8Array(width * height * 3).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // A line of text every twelve lines, a space behind each glyph.
      if (y % (12 * GLYPH) >= GLYPH || x % (2 * GLYPH) >= GLYPH) continue;
      const glyph = order[Math.floor(y / GLYPH) * width + Math.floor(x / GLYPH)] % 12;
      const from = 3 * ((glyph * GLYPH + (y % GLYPH)) * GLYPH + (x % GLYPH));
      samples.set(glyphs.subarray(from, from + 3), 3 * (y * width + x));
    }
  }
  return { width, height, channels: 3, maxval: 255, samples };
}

/** A photograph's upper left corner out of focus: between its pixels, eight times as far apart, lie lines, and its values are halved. */
function blurred({ width, samples }: Image, side: number): Image & { samples: Uint8Array; maxval: number } {
  const TIMES = 8;
  const out = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      for (let c = 0; c < 3; c++) {
        const at = (row: number, column: number) => samples[3 * (row * width + column) + c];
        const [row, column, v, h] = [Math.floor(y / TIMES), Math.floor(x / TIMES), y % TIMES, x % TIMES];
        const upper = at(row, column) * (TIMES - h) + at(row, column + 1) * h;
        const lower = at(row + 1, column) * (TIMES - h) + at(row + 1, column + 1) * h;
        out[3 * (y * side + x) + c] = (upper * (TIMES - v) + lower * v) / (2 * TIMES * TIMES);
      }
    }
  }
  return { width: side, height: side, channels: 3, maxval: 255, samples: out };
}

/** Encodes and tells the pixels of each tile that a flow has coded meanwhile. */
async function encodeCounting(
  image: Image,
  effort: Effort,
  models = untrained,
): Promise<{ bytes: Uint8Array; flows: number[] }> {
  const flows: number[] = [];
  const coders = oncePerFlow();
  const coderOf: typeof coders = async (flow) => {
    const coder = await coders(flow);
    const encode: typeof coder.encode = (tile) => {
      flows.push(tile.width * tile.height);
      return coder.encode(tile);
    };
    return { concurrency: 1, encode, decode: coder.decode };
  };
  return { bytes: await encodeImage(image, models, { effort, coderOf, verify: false }), flows };
}

const fixture = (name: string) => decodePng(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url)));

test('of graphics, low effort asks no flow, medium a sample, high the whole; more effort is never larger', async () => {
  const page = text(512, 256);
  expect(repeats(page)).toBeGreaterThan(0.9);
  const [low, medium, high] = await Promise.all(EFFORTS.map((effort) => encodeCounting(page, effort)));
  expect(low.flows).toEqual([]);
  expect(medium.flows).toEqual([(512 * 256) / 16]);
  expect(high.flows).toEqual([512 * 256]);
  expect(medium.bytes.length).toBeLessThanOrEqual(low.bytes.length);
  expect(high.bytes.length).toBeLessThanOrEqual(medium.bytes.length);
  for (const { bytes } of [low, medium, high]) {
    expect(sameImage(await decodeImage(bytes, untrained, { coderOf: oncePerFlow() }), page)).toBe(true);
  }
});

test('what is out of focus is given to the flow at low effort, too, where a sample is smaller by it', async () => {
  const image = blurred(fixture('kodim23.png'), 512);
  expect(repeats(image)).toBeGreaterThan(0.75);
  const { bytes, flows } = await encodeCounting(image, 'low', shipped);
  expect(flows).toEqual([(512 * 512) / 16, 512 * 512]);
  expect(sameImage(await decodeImage(bytes, shipped), image)).toBe(true);
  // An untrained one is not.
  expect((await encodeCounting(image, 'low')).flows).toEqual([(512 * 512) / 16]);
});

test('where tiles are traced none is told of an empty one, nor of a sample', async () => {
  const side = 576;
  const right = blurred(fixture('kodim23.png'), side);
  // Its left half is a tile of one colour.
  const samples = new Uint8Array(2 * right.samples.length);
  for (let y = 0; y < side; y++) {
    const row = right.samples.subarray(3 * y * side, 3 * (y + 1) * side);
    samples.set(row, 3 * (2 * y + 1) * side);
  }
  const image: Image = { width: 2 * side, height: side, channels: 3, samples };
  const told: TracedTile[] = [];
  const coderOf = tracingCoder((tile) => {
    told.push(tile);
  });
  await encodeImage(image, shipped, { effort: 'low', coderOf, verify: false });
  expect(told.map(({ place }) => place)).toEqual([{ x: side, y: 0, width: side, height: side }]);
});

test('photographs are coded alike at every effort', async () => {
  const files = await Promise.all(EFFORTS.map((effort) => encodeCounting(fixture('river-160x120.png'), effort)));
  for (const { bytes, flows } of files) {
    expect(bytes).toEqual(files[0].bytes);
    expect(flows).toEqual([160 * 120]);
  }
});

test('a photograph that is pasted twice is told by copies, though samples of it say nothing of them', async () => {
  const { metadata, ...once } = fixture('kodim23.png');
  const samples = new Uint8Array(2 * once.samples.length);
  samples.set(once.samples);
  samples.set(once.samples, once.samples.length);
  const twice: Image = { ...once, height: 2 * once.height, samples };
  expect(copies({ ...once, maxval: 255 })).toBeLessThan(0.01);
  expect(copies({ ...twice, maxval: 255 })).toBeGreaterThan(0.4);
  const [one, two] = await Promise.all(
    [once, twice].map((image) => encodeImage(image, shipped, { learning: 'none', verify: false })),
  );
  expect(two.length).toBeLessThan(1.25 * one.length);
  expect(sameImage(await decodeImage(two, shipped), twice)).toBe(true);
});

test('an image of one colour takes next to nothing, at every effort', async () => {
  const plain: Image = { width: 700, height: 500, channels: 3, samples: new Uint8Array(700 * 500 * 3).fill(77) };
  for (const effort of EFFORTS) {
    const { bytes, flows } = await encodeCounting(plain, effort);
    expect(bytes.length).toBeLessThan(60);
    expect(flows).toEqual([]);
    expect(sameImage(await decodeImage(bytes, untrained), plain)).toBe(true);
  }
});

test('copies are favoured by text, not by a photograph or a slope', () => {
  expect(favoursCopies(text(512, 256))).toBe(true);
  // Of which bands are looked at.
  expect(favoursCopies(text(1024, 512))).toBe(true);
  expect(favoursCopies({ ...fixture('house-253x191.png'), maxval: 255 })).toBe(false);
  const slope = Uint8Array.from({ length: 256 * 256 }, (_, i) => (i & 255) + (i >> 13));
  expect(favoursCopies({ width: 256, height: 256, channels: 1, maxval: 255, samples: slope })).toBe(false);
});

test('a sample is a sixteenth, from all over; what is small is its own', () => {
  // Each pixel tells the square of 256 that it is in.
  const samples = Uint8Array.from({ length: 1024 * 768 }, (_, i) => ((i & 1023) >> 8) + 4 * (i >> 18));
  const layer = { width: 1024, height: 768, channels: 1, maxval: 255, samples } as const;
  const sample = sampleOf(layer);
  expect([sample.width, sample.height]).toEqual([256, 192]);
  const counts = new Map<number, number>();
  for (const value of sample.samples) counts.set(value, (counts.get(value) ?? 0) + 1);
  expect([...counts]).toEqual(Array.from({ length: 12 }, (_, square) => [square, 64 * 64]));
  const wide = { ...layer, width: 1024, height: 128, samples: samples.subarray(0, 1024 * 128) };
  expect(new Set(sampleOf(wide).samples)).toEqual(new Set([0, 1, 2, 3]));
  const small = { ...layer, width: 255, height: 300, samples: samples.subarray(0, 255 * 300) };
  expect(sampleOf(small)).toBe(small);
});
