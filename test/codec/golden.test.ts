/**
 * What may not change unnoticed: the kernels' arithmetic, as checksums of its results with the versions they belong to, and the
 * files in `fixtures/`.
 *
 * Who means to change a coded bit bumps KERNEL_VERSION (`codec/kernels/version.ts`); who changes the layout of the file,
 * FORMAT_VERSION (`codec/container/version.ts`). Then
 *
 *     npm run build && RENEW_GOLDEN=yes npx vitest run test/codec/golden.test.ts
 *
 * writes `test/golden/kernels.json` and the `.cnfz` and `.cnfa` files in `fixtures/` anew. It refuses what calls for a bump and had none: other
 * checksums under the same version, a file of the same versions that no longer decodes to its image. Where the encoder only
 * chooses otherwise the files change, and no bump is needed.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readArchive } from '../../codec/archive/directory.js';
import { readContainer } from '../../codec/container/container.js';
import { crc32 } from '../../codec/container/crc32.js';
import { FORMAT_VERSION } from '../../codec/container/head.js';
import { LEARNING } from '../../codec/flow/learning.js';
import { Likelihood } from '../../codec/flow/likelihood.js';
import { USUAL_RATES } from '../../codec/flow/model.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { sameImage } from '../../codec/image.js';
import { KERNEL_VERSION, Kernels } from '../../codec/kernels/kernels.js';
import { Operations } from '../../codec/kernels/operations.js';
import { type ModelDefinition, modelParameters } from '../../models/definition.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';
import { createArchive, decode, encode, type NamedImage, openArchive, readImage } from '../../src/index.js';

const RENEW = process.env.RENEW_GOLDEN === 'yes';
const VECTORS = new URL('../golden/kernels.json', import.meta.url);
const FIXTURES = new URL('../../fixtures/', import.meta.url);

const definitions: Record<string, ModelDefinition> = {
  colour: {
    channels: 3,
    width: 16,
    blocks: [1, 1, 1],
    expand: 2,
    separate: 1,
    carry: 8,
    levels: 3,
    mixtures: 3,
    hidden: 8,
  },
  gray: {
    channels: 1,
    width: 8,
    blocks: [1, 0, 1],
    expand: 2,
    separate: 1,
    carry: 8,
    levels: 2,
    mixtures: 4,
    hidden: 4,
  },
};

/** Multiples of a power of two, so that no host arithmetic takes part. */
function dyadic(length: number, seed: number, scale: number): Float32Array {
  const random = randomIntegers(seed);
  return Float32Array.from({ length }, () => ((random(1 << 20) - (1 << 19)) / (1 << 19)) * scale);
}

function checksum(array: ArrayBufferView): string {
  return crc32(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .toString(16)
    .padStart(8, '0');
}

const WIDTH = 37;
const HEIGHT = 26;

function samplesOf(channels: number): Int32Array {
  const random = randomIntegers(3);
  return Int32Array.from({ length: WIDTH * HEIGHT * channels }, (_, i) => {
    const x = Math.floor(i / channels) % WIDTH;
    return i % channels === 0 ? 3 * x + random(20) : random(15) - 40;
  });
}

/** Payloads of a tile at every depth, by a plain model and by one whose outputs overflow, as they are and learning; likelihood and gradient. */
async function tileVectors(name: string): Promise<Record<string, string>> {
  const definition = definitions[name];
  const weights = dyadic(modelParameters(definition).count, 5, 0.25);
  const samples = samplesOf(definition.channels);
  const vectors: Record<string, string> = {};
  for (const [kind, scale] of [
    ['payload', 1],
    ['overflowing', 2 ** 120],
  ] as const) {
    const model = { name, hash: '', definition, rates: USUAL_RATES, weights: weights.map((w) => w * scale) };
    for (const learning of LEARNING) {
      const codec = await TileCodec.create({ model, learning });
      for (const depth of [8, 12, 16]) {
        const shape = { width: WIDTH, height: HEIGHT, depth };
        const { payload } = codec.encode(samples, shape);
        expect(codec.decode(payload, shape)).toEqual(samples);
        vectors[`${kind}${learning === 'none' ? '' : ` learning ${learning}`} ${depth}`] = checksum(payload);
      }
    }
  }
  const likelihood = await Likelihood.create(definition);
  likelihood.load(weights);
  const nats = likelihood.evaluate(samples, { width: WIDTH, height: HEIGHT, depth: 8 }, true);
  return { ...vectors, nats: checksum(Float64Array.of(nats)), gradient: checksum(likelihood.gradient()) };
}

async function productVectors(): Promise<Record<string, string>> {
  const operations = new Operations(await Kernels.create());
  const put = (values: Float32Array, channels: number) => {
    const vectors = operations.vectors(values.length / channels, channels);
    operations.kernels.floats(vectors.address, values.length).set(values);
    return vectors;
  };
  const [count, inputs, outputs] = [7, 19, 24];
  const from = put(dyadic(count * inputs, 1, 1), inputs);
  const weight = put(dyadic(inputs * outputs, 2, 1), outputs).address;
  const bias = put(dyadic(outputs, 3, 1), outputs).address;
  const to = operations.vectors(count, outputs);
  operations.product(to, from, { weight, bias }, 'relu');
  const output = checksum(operations.kernels.floats(to.address, count * outputs));
  // The first 16 inputs.
  const narrow = { address: put(dyadic(count * 16, 4, 1), 16).address, count, channels: 16 };
  const weights = operations.kernels.alloc(2 * 16 * outputs);
  const scales = operations.kernels.alloc(4 * outputs);
  operations.kernels.run.quantizeWeights(weights, scales, weight, 16, outputs);
  const room = operations.quantizedVectors(count, 16);
  operations.quantizedProduct(to, narrow, { weight: weights, scales, bias }, room, 'relu');
  return { output, quantized: checksum(operations.kernels.floats(to.address, count * outputs)) };
}

test('the kernels compute what belongs to their version', async () => {
  const found = {
    kernelVersion: KERNEL_VERSION,
    formatVersion: FORMAT_VERSION,
    colour: await tileVectors('colour'),
    gray: await tileVectors('gray'),
    product: await productVectors(),
  };
  const golden = JSON.parse(readFileSync(VECTORS, 'utf8'));
  const same = golden.kernelVersion === KERNEL_VERSION && golden.formatVersion === FORMAT_VERSION;
  if (!RENEW || same) {
    expect(found, 'coded bits have changed: see the top of this file').toEqual(golden);
  } else {
    writeFileSync(VECTORS, `${JSON.stringify(found, null, 2)}\n`);
  }
});

const images = readdirSync(FIXTURES).filter((name) => /\.(png|ppm)$/.test(name));

test.runIf(RENEW)('golden files are made anew', { timeout: 120_000 }, async () => {
  for (const name of images) {
    const image = await readImage(fileURLToPath(new URL(name, FIXTURES)));
    const file = new URL(name.replace(/\.\w+$/, '.cnfz'), FIXTURES);
    if (existsSync(file) && isCurrent(readFileSync(file))) {
      expect(
        sameImage(await decode(readFileSync(file), { threads: 1 }), image),
        `${file}: see the top of this file`,
      ).toBe(true);
    }
    // Threads would need the built worker; the result does not depend on them.
    writeFileSync(file, await encode(image, { threads: 1 }));
  }
});

/** Whether a file has the versions of now. */
function isCurrent(file: Uint8Array): boolean {
  const isKernels = (version = KERNEL_VERSION) => version === KERNEL_VERSION;
  return file[4] === FORMAT_VERSION && readContainer(file).layers.every(({ flow }) => isKernels(flow?.kernelVersion));
}

test('golden files decode to their images, which are encoded to the same bytes', { timeout: 120_000 }, () => {
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'verify:fixtures'], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, expect.stringMatching(/^\d+ files whole\n$/)]);
  expect(stdout.match(/is encoded byte for byte/g)).toHaveLength(images.length);
});

const ARCHIVE = new URL('pieces.cnfa', FIXTURES);
const ARCHIVE_OPTIONS = { model: 'fast', threads: 1, shardPixels: 4 * 32 * 32 };

/** Squares of photographs, gray and in colour, and images that are by themselves. */
async function archivedImages(): Promise<NamedImage[]> {
  const all: NamedImage[] = [];
  for (const photograph of ['river-160x120', 'gray-paint-121x121']) {
    const { channels, width, samples } = await readImage(fileURLToPath(new URL(`${photograph}.png`, FIXTURES)));
    for (let i = 0; i < 3; i++) {
      const piece = new Uint8Array(32 * 32 * channels);
      for (let y = 0; y < 32; y++) {
        const at = (y * width + 32 * i) * channels;
        piece.set(samples.subarray(at, at + 32 * channels), 32 * channels * y);
      }
      const image = { width: 32, height: 32, channels, maxval: 255, samples: piece };
      all.push({ name: `${photograph}/${i}.png`, image });
    }
  }
  for (const name of ['alpha-32x32.png', 'palette-32x32.png']) {
    all.push({ name, image: await readImage(fileURLToPath(new URL(name, FIXTURES))) });
  }
  return all;
}

test('the golden archive decodes to its images, which are encoded to the same bytes', {
  timeout: 120_000,
}, async () => {
  const all = await archivedImages();
  const made = await createArchive(all, ARCHIVE_OPTIONS);
  const source = { size: made.length, read: async (at: number, length: number) => made.subarray(at, at + length) };
  expect((await readArchive(source)).map(({ names, flow }) => [names.length, flow !== undefined])).toEqual([
    [1, false],
    [1, false],
    [3, true],
    [3, true],
  ]);
  const golden = existsSync(ARCHIVE) ? new Uint8Array(readFileSync(ARCHIVE)) : made;
  const archive = await openArchive(golden, { threads: 1 });
  for (const { name, image } of all) expect(sameImage(await archive.decode(name), image), name).toBe(true);
  const found: string[] = [];
  for await (const { name, image } of archive.decodeAll()) {
    expect(sameImage(image, all.find((one) => one.name === name)!.image), name).toBe(true);
    found.push(name);
  }
  expect(found).toEqual(archive.images.map(({ name }) => name));
  expect(found.sort()).toEqual(all.map(({ name }) => name).sort());
  await expect(archive.decode('none.png')).rejects.toThrow(/holds no image none\.png/);
  await archive.close();
  if (RENEW) writeFileSync(ARCHIVE, made);
  else expect(Buffer.from(made).equals(readFileSync(ARCHIVE)), 'see the top of this file').toBe(true);
});
