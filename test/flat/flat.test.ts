/** The flat decoder against the specification's hashes, and against the JavaScript decoder, of good files and of hostile ones. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { decodeImage, decodeUnchecked } from '../../codec/codec.js';
import { readContainer, writeContainer } from '../../codec/container/container.js';
import { readHead } from '../../codec/container/head.js';
import { CnfzipError } from '../../codec/error.js';
import { forwardColour } from '../../codec/flow/colour.js';
import { LEARNING } from '../../codec/flow/learning.js';
import { parseModel } from '../../codec/flow/model.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import type { Image } from '../../codec/image.js';
import { sameValues } from '../../codec/image.js';
import { KERNEL_VERSION } from '../../codec/kernels/kernels.js';
import type { Layer } from '../../codec/layer.js';
import { encodeWebp } from '../../codec/layers/webp.js';
import { openImage } from '../../codec/open.js';
import { FlatDecoder, FlatError, type FlatImage } from '../../src/flat/host.js';
import { cnfzCorpus, type Specimen } from '../../src/fuzz/corpus.js';
import { forgeCnfz } from '../../src/fuzz/forge.js';
import { mutate } from '../../src/fuzz/mutate.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { viewCorpus } from '../../src/fuzz/views.js';
import { encode, readImage } from '../../src/index.js';
import { modelsForEncoding } from '../../src/session/models.js';
import { untrainedModelFile } from '../codec/untrained.js';
import { fixture } from '../paths.js';
import '../../src/session/webp.js';

const MODULE = new URL('../../codec/flat/build/cnfzip.wasm', import.meta.url);
const flatModule = readFileSync(MODULE);
const MODELS = ['fast', 'default', 'best', 'gray'];

const modelFile = (name: string) => readFileSync(new URL(`../../models/${name}.cnfm`, import.meta.url));
const sha256 = ({ samples }: Pick<Image, 'samples'>) =>
  createHash('sha256')
    .update(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength))
    .digest('hex');

async function decoderWith(names: readonly string[], options?: { maxMemory: number }): Promise<FlatDecoder> {
  const decoder = await FlatDecoder.create(flatModule, options);
  for (const name of names) decoder.addModel(modelFile(name));
  return decoder;
}

let flat: FlatDecoder;
beforeAll(async () => {
  flat = await decoderWith(MODELS);
});

/** What a decoder makes of a file, or the kind of its refusal, which must have one line of text. */
function tryFlat(file: Uint8Array): FlatImage | 'refused' {
  try {
    flat.open(file);
    return flat.decode();
  } catch (error) {
    if (!(error instanceof FlatError)) throw error;
    expect(error.message).toMatch(/^[ -~]{10,}$/);
    return 'refused';
  }
}

test('the module imports nothing', async () => {
  expect(WebAssembly.Module.imports(await WebAssembly.compile(flatModule))).toEqual([]);
});

test('all files of the conformance suite decode to the samples whose hashes are told', () => {
  const told = JSON.parse(readFileSync(fixture('conformance.json'), 'utf8'));
  const found: Record<string, object> = {};
  for (const name of Object.keys(told)) {
    const { width, height, channels, maxval } = flat.open(readFileSync(fixture(name)));
    const hashes = ['1', '1/2', '1/4'].map((scale, level) => [scale, sha256(flat.decode(level))]);
    found[name] = { width, height, channels, maxval, sha256: Object.fromEntries(hashes) };
  }
  expect(found).toEqual(told);
});

test.each(MODELS)('what %s codes, whatever it learns, is decoded: with alpha, and of 16 bits', async (name) => {
  const gray = name === 'gray';
  const photo = await readImage(fixture(gray ? 'gray-paint-121x121.png' : 'vignette-120x100.png'));
  const deep = await readImage(fixture(gray ? 'gray-paint-121x121.png' : 'deep-96x80.png'));
  const shifted = {
    ...deep,
    maxval: 65535,
    samples: Uint16Array.from(deep.samples, (sample, i) => (257 * sample + i) & 65535),
  };
  for (const image of [photo, shifted]) {
    for (const learning of LEARNING) {
      const file = await encode(image, { model: name, learning, verify: false });
      flat.open(file);
      expect(sameValues(flat.decode().samples, image.samples)).toBe(true);
    }
  }
});

test('views of files of all kinds show what the JavaScript decoder shows', { timeout: 120_000 }, async () => {
  const models = await modelsForEncoding(4, 'fast');
  let prefixes = 0;
  for (const [seed, { file }] of (await viewCorpus(64, models)).entries()) {
    const random = randomIntegers(seed);
    const opened = await openImage(file);
    const { palette, metadata, bytesForScales, ...size } = flat.open(file);
    expect(size).toMatchObject({ width: opened.info.width, height: opened.info.height, maxval: opened.info.maxval });
    expect(palette).toEqual(new Uint8Array(opened.palette ?? []));
    expect(metadata.map(({ type, data }) => [type, ...data])).toEqual(
      (opened.metadata ?? []).map(({ type, data }) => [type, ...data]),
    );
    const isSmall = readHead(file).samplesChecksum === undefined;
    const scales = opened.info.scales.map(({ bytes }) => (isSmall ? file.length : bytes));
    expect([...bytesForScales].reverse()).toEqual(scales);
    for (let times = 0; times < 4; times++) {
      const level = random(6);
      const [x, y] = [random(size.width), random(size.height)];
      const region = { x, y, width: 1 + random(size.width - x), height: 1 + random(size.height - y) };
      const options = { scale: 1 / (1 << level), region };
      const told = await opened.decode(models, options).catch((error: Error) => error);
      if (told instanceof Error) {
        expect(() => flat.decode(level, region)).toThrow('no pixel');
        continue;
      }
      const { width, height, samples } = flat.decode(level, region);
      expect([width, height]).toEqual([told.width, told.height]);
      expect(sameValues(samples, told.samples)).toBe(true);
    }
    // The first bytes are enough for a coarse image, and not for a finer one.
    const coarsest = bytesForScales.length - 1;
    if (coarsest === 0 || isSmall) continue;
    prefixes++;
    const whole = flat.decode(coarsest);
    flat.open(file.subarray(0, bytesForScales[coarsest]));
    expect(flat.decode(coarsest)).toEqual(whole);
    expect(() => flat.decode(coarsest - 1)).toThrow('cut short');
  }
  expect(prefixes).toBeGreaterThan(3);
});

/** A file of one WebP. */
function webpFile({ samples, ...shape }: Layer, stream: Uint8Array): Uint8Array {
  const layers = [{ method: 'webp' as const, tiles: [{ method: 'webp' as const, stages: [stream] }] }];
  return writeContainer({ ...shape, indexed: false, layers }, samples);
}

/** Layers of real images and of graphics, as libwebp codes them in different ways. */
async function webpLayers(): Promise<Layer[]> {
  const names = [
    'house-253x191',
    'hair-127x163',
    'gray-boat-531x60',
    'vignette-120x100',
    'palette-32x32',
    'alpha-32x32',
  ];
  const images = await Promise.all(names.map((name) => readImage(fixture(`${name}.png`))));
  const photos = images.map(
    ({ width, height, channels, samples }): Layer => ({ width, height, channels, maxval: 255, samples }),
  );
  const graphics = [2, 3, 4, 7, 16, 17, 200].flatMap((colours) =>
    ([1, 3, 4] as const).map((channels): Layer => {
      const random = randomIntegers(colours);
      const [width, height] = [90 + random(40), 50 + random(40)];
      const palette = Array.from({ length: colours }, () => Array.from({ length: channels }, () => random(256)));
      const samples = Uint8Array.from({ length: width * height * channels }, (_, i) => {
        const [x, y] = [Math.floor(i / channels) % width, Math.floor(i / channels / width)];
        const colour = ((x >> 3) * (y >> 2) + (x * y === 77 ? 1 : 0) + (random(40) ? 0 : 1)) % colours;
        return palette[colour][i % channels];
      });
      return { width, height, channels, maxval: 255, samples };
    }),
  );
  return [...photos, ...graphics];
}

test("libwebp's streams of photographs and graphics decode to their samples", { timeout: 300_000 }, async () => {
  for (const [i, layer] of (await webpLayers()).entries()) {
    for (const effort of ['probe', 'good', 'best'] as const) {
      // The best effort takes its time.
      if (effort === 'best' && layer.samples.length > 40_000) continue;
      const stream = await encodeWebp(layer, effort);
      flat.open(webpFile(layer, stream));
      expect(sameValues(flat.decode().samples, layer.samples), `layer ${i}, ${effort}`).toBe(true);
      for (const wrong of [stream.subarray(0, -1), Uint8Array.from([...stream, 0])]) {
        expect(tryFlat(webpFile(layer, wrong))).toBe('refused');
      }
    }
  }
});

test("damaged WebP streams decode to libwebp's pixels or are refused as by it", { timeout: 300_000 }, async () => {
  const layers = (await webpLayers()).filter(({ width, height }) => width * height < 13_000);
  let accepted = 0;
  for (const [l, layer] of layers.entries()) {
    const stream = await encodeWebp(layer, 'good');
    for (let seed = 0; seed < 30; seed++) {
      const random = randomIntegers(1000 * l + seed);
      const damaged = Uint8Array.from(stream);
      for (let times = 1 + random(3); times > 0; times--) {
        damaged[5 + random(Math.min(stream.length - 5, 1 << random(14)))] ^= 1 << random(8);
      }
      const container = readContainer(webpFile(layer, damaged));
      const image = await decodeUnchecked(container, [], {}).catch(() => undefined);
      const found = tryFlat(webpFile({ ...layer, samples: image?.samples ?? layer.samples }, damaged));
      if (!image) expect(found, `layer ${l}, seed ${seed}`).toBe('refused');
      else
        expect(found !== 'refused' && sameValues(found.samples, image.samples), `layer ${l}, seed ${seed}`).toBe(true);
      if (image) accepted++;
    }
  }
  expect(accepted).toBeGreaterThan(30);
});

let hostile: Specimen[];
beforeAll(async () => {
  hostile = await cnfzCorpus(40, await modelsForEncoding(4, 'fast'));
});

test('damaged files never give other pixels', { timeout: 300_000 }, () => {
  for (let seed = 0; seed < 1500; seed++) {
    const random = randomIntegers(seed);
    const [one, other] = [hostile[random(hostile.length)], hostile[random(hostile.length)]];
    const found = tryFlat(mutate(one.file, other.file, seed));
    if (found === 'refused') continue;
    const isOneOf = [one, other].some(({ image }) => sameValues(found.samples, image.samples));
    expect(isOneOf, `seed ${seed}`).toBe(true);
  }
});

test('files are refused that end early, at every byte', () => {
  for (const { file } of hostile.filter(({ file }) => file.length < 400).slice(0, 12)) {
    for (let length = 0; length < file.length; length++) expect(tryFlat(file.subarray(0, length))).toBe('refused');
  }
});

test('forged files, whose checksums are right, are taken or refused as by the JavaScript decoder', {
  timeout: 300_000,
}, async () => {
  const models = await modelsForEncoding(4, 'fast');
  for (let seed = 0; seed < 600; seed++) {
    const random = randomIntegers(seed);
    const [one, other] = [hostile[random(hostile.length)], hostile[random(hostile.length)]];
    const forged = forgeCnfz(one.file, other.file, random);
    let image: Image | undefined;
    let file = forged(new Uint8Array());
    try {
      file = forged((await decodeUnchecked(readContainer(file), models, {})).samples);
      image = await decodeImage(file, models);
    } catch (error) {
      if (!(error instanceof CnfzipError)) throw error;
    }
    const found = tryFlat(file);
    if (!image) expect(found, `seed ${seed}`).toBe('refused');
    else expect(found !== 'refused' && sameValues(found.samples, image.samples), `seed ${seed}`).toBe(true);
  }
});

test('a limit of memory is told before memory is taken', async () => {
  const small = await decoderWith(['fast'], { maxMemory: 3e6 });
  const file = await encode(await readImage(fixture('house-253x191.png')), { model: 'fast', verify: false });
  small.open(file);
  expect(() => small.decode()).toThrow('more memory than the limit of 3000000 bytes');
  const coarse = small.decode(4);
  flat.open(file);
  expect(coarse).toEqual(flat.decode(4));
  await expect(decoderWith(['fast'], { maxMemory: 100_000 })).rejects.toThrow('more memory');
});

test('damaged models are refused or taken; what the JavaScript decoder takes is', async () => {
  const file = untrainedModelFile(3);
  let accepted = 0;
  let refused = 0;
  const refuses = (add: () => void) => {
    try {
      add();
      return false;
    } catch (error) {
      // A trap is no refusal.
      expect(error).toMatchObject({ name: 'FlatError', message: expect.stringMatching(/^not a usable model file: /) });
      return true;
    }
  };
  for (let seed = 0; seed < 1500; seed++) {
    const random = randomIntegers(seed);
    // Most damage is done to the header.
    const damaged = seed % 4 === 0 ? mutate(file, file, seed) : Uint8Array.from(file);
    if (seed % 4) damaged[8 + random(230)] = seed % 4 === 1 ? 0x30 + random(10) : 0x20 + random(95);
    const isModel = await parseModel(damaged).then(
      () => true,
      () => false,
    );
    const decoder = await FlatDecoder.create(flatModule);
    const add = () => decoder.addModel(damaged);
    if (isModel) expect(add, `seed ${seed}`).not.toThrow();
    // The module passes over what it does not look for, whether or not that is JSON: the file's hash is the model's name.
    else refused += refuses(add) ? 1 : 0;
    if (isModel) accepted++;
  }
  expect(accepted).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(1000);
});

test('what a model of any weights codes is decoded', async () => {
  for (const [seed, channels] of ([1, 3, 1, 3, 3, 3] as const).entries()) {
    const random = randomIntegers(seed);
    const file = untrainedModelFile(channels, seed);
    // Finite halves of any size behind the header.
    const weights = file.length - 2 * ((await parseModel(file)).weights.length - 1);
    for (let i = weights & ~1; i + 1 < file.length; i += 2) {
      if (random(seed + 1) === 0) file[i + 1] = (random(2) << 7) | random(0x7c);
    }
    const model = await parseModel(file);
    const samples = Uint8Array.from({ length: 150 * 130 * channels }, (_, i) => (random(9) ? i / 40 : random(256)));
    const codec = await TileCodec.create({ model, learning: LEARNING[seed % LEARNING.length] });
    const { payload } = codec.encode(forwardColour(samples, channels), { width: 150, height: 130, depth: 8 });
    const flow = { kernelVersion: KERNEL_VERSION, modelHash: model.hash, learning: LEARNING[seed % LEARNING.length] };
    const layers = [{ method: 'tiles' as const, flow, tiles: [{ method: 'flow' as const, stages: [payload] }] }];
    const decoder = await FlatDecoder.create(flatModule);
    decoder.addModel(file);
    decoder.open(writeContainer({ width: 150, height: 130, channels, maxval: 255, indexed: false, layers }, samples));
    expect(sameValues(decoder.decode().samples, samples), `seed ${seed}`).toBe(true);
  }
});

test('what is missing or wrong is told', async () => {
  const decoder = await decoderWith([]);
  const file = readFileSync(fixture('house-253x191.cnfz'));
  const { models } = decoder.open(file);
  expect(() => decoder.decode()).toThrow(`needs the model ${models[0]}, which is not at hand`);
  const model = modelFile('default');
  for (const damage of [model.subarray(0, 40), model.subarray(0, -2), Uint8Array.from([...model, 0, 0])]) {
    expect(() => decoder.addModel(damage)).toThrow('not a usable model file');
  }
  expect(() => decoder.decode()).toThrow('no file is open');
  decoder.addModel(model);
  decoder.addModel(model);
  decoder.open(file);
  expect(() => decoder.decode(25)).toThrow('0 to 24');
  expect(() => decoder.decode(0, { x: 200, y: 0, width: 54, height: 1 })).toThrow('does not lie in the image');
  expect(() => decoder.open(readFileSync(fixture('house-253x191.png')))).toThrow('not a cnfz file');
});

const hasPython = spawnSync('python3', ['-c', 'import wasmtime']).status === 0;

test.skipIf(!hasPython)('the Python host writes the pixels of a file, or says why not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-flat-'));
  try {
    const host = fileURLToPath(new URL('../../src/flat/cnfzip.py', import.meta.url));
    const run = (file: string, ...options: string[]) => {
      const args = [host, file, join(folder, 'out.pnm'), '--module', fileURLToPath(MODULE), ...options];
      return spawnSync('python3', args, { encoding: 'utf8' });
    };
    const models = MODELS.flatMap((name) => [
      '--model',
      fileURLToPath(new URL(`../../models/${name}.cnfm`, import.meta.url)),
    ]);
    for (const name of ['house-253x191', 'gray-paint-121x121', 'deep-96x80', 'vignette-120x100']) {
      const { status, stderr } = run(fixture(`${name}.cnfz`), ...models);
      expect([status, stderr]).toEqual([0, '']);
      const [written, image] = [await readImage(join(folder, 'out.pnm')), await readImage(fixture(`${name}.png`))];
      expect(sameValues(written.samples, image.samples), name).toBe(true);
    }
    const { status, stderr } = run(fixture('house-253x191.cnfz'));
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^\S+: needs the model [0-9a-f]{16}, which is not at hand\n$/),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
