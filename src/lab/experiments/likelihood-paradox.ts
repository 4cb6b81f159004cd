/**
 * A model of photographs gives simpler images more likelihood than its own kind (Nalisnick et al. 2019a); taking off the complexity that a plain compressor
 * sees mends most of it (Serra et al. 2020), and so may a test for being typical (Nalisnick et al. 2019b). Likelihood is measured here as what it is: bits
 * on the coder's stack.
 */

import * as Plot from '@observablehq/plot';
import { CnfzipError } from '../../../codec/error.js';
import { forwardColour } from '../../../codec/flow/colour.js';
import { TileCodec, type Trace } from '../../../codec/flow/tile-codec.js';
import type { Image } from '../../../codec/image.js';
import { encodeWebpFile } from '../../../codec/layers/webp.js';
import '../../session/webp.js';
import { encodePng } from '../../io/png.js';
import { modelsForEncoding } from '../../session/models.js';
import { perPixel } from '../account.js';
import { SIDE } from '../data/simple-images.js';
import { CIFAR, CROPS, type ImageSet, imageSets } from '../data/small-images.js';
import { atLeast, atMost, type Check, type Contest, contest, type Experiment, type Table } from '../experiment.js';
import { colour, type Figure, figure, heatMaps, histogram } from '../figures.js';
import { JPEG_XL_MISSING, jpegXl } from '../jpeg-xl.js';
import type { Spread } from '../spread.js';
import { correlation, mean, placements, variance } from '../statistics.js';

const SHAPE = { width: SIDE, height: SIDE, depth: 8 };
const SAMPLES = 3 * SIDE ** 2;

/** Every so many images are decoded again. */
const PROVED = 10;

/** A number of each image, the more the likelier it is of the model's own kind. */
const SCORES = {
  likelihood: ({ bits }: Lengths) => -bits,
  'less PNG': ({ bits, png }: Lengths) => png - bits,
  'less WebP': ({ bits, webp }: Lengths) => webp - bits,
  'less JPEG XL': ({ bits, jxl }: Lengths) => jxl! - bits,
  typicality: ({ bits }: Lengths, usual: number) => -Math.abs(bits - usual),
} as const;
type Score = keyof typeof SCORES;

/** Those that images have: JPEG XL may not be at hand. */
function scoresOf({ own }: Ground): Score[] {
  const known = own.lengths[0].jxl !== undefined;
  return (Object.keys(SCORES) as Score[]).filter((score) => known || score !== 'less JPEG XL');
}

/** Of an image, in bits per dimension. */
interface Lengths {
  readonly bits: number;
  readonly png: number;
  readonly webp: number;
  /** Where there is a coder. */
  readonly jxl?: number;
}

interface Measured extends Omit<ImageSet, 'images'> {
  readonly lengths: readonly Lengths[];
}

/** A model, and the sets: its own kind first, of which a half only tells what is usual. */
interface Ground {
  readonly model: string;
  readonly own: Measured;
  readonly usual: number;
  readonly others: readonly Measured[];
}

export const experiment: Experiment = {
  title: 'Does a model of photographs prefer photographs?',
  claim:
    'No: images simpler than what it was trained on get more likelihood, that is fewer bits, than its own kind. How many bits an image costs goes with its complexity within each set; with the length by a plain ' +
    'compressor taken off, what is left tells the model’s own kind from others.',

  async run({ quick, random, data, log }) {
    const count = quick ? 40 : 400;
    const { sets, missing } = await imageSets(data, 2 * count, random);
    for (const line of missing) log(line);
    const jxl = await jpegXl();
    if (!jxl) missing.push(JPEG_XL_MISSING);
    const packed = await Promise.all(sets.map((set) => plainly(set, jxl)));
    const grounds: Ground[] = [];
    for (const model of ['cifar10', 'default']) {
      const own = model === 'cifar10' && sets.some(({ name }) => name === CIFAR) ? CIFAR : CROPS;
      const codec = await codecOf(model);
      const measured = sets.map((set, s): Measured => {
        const most = set.name === own ? 2 * count : count;
        const lengths = set.images
          .slice(0, most)
          .map((image, i) => ({ bits: bitsOf(image, codec, i), ...packed[s][i] }));
        return { ...set, lengths };
      });
      const all = measured.find(({ name }) => name === own)!;
      const half = Math.floor(all.lengths.length / 2);
      grounds.push({
        model,
        own: { ...all, lengths: all.lengths.slice(half) },
        usual: mean(all.lengths.slice(0, half).map(({ bits }) => bits)),
        others: measured.filter((one) => one !== all),
      });
      log(
        `${model}: ${measured.map(({ name, lengths }) => `${name} ${mean(lengths.map(({ bits }) => bits)).toFixed(3)}`).join(', ')}`,
      );
    }
    const [first] = grounds;
    const shown = await codecOf(first.model);
    return {
      configuration: {
        images: `${SIDE} x ${SIDE} pixels, RGB, up to ${count} of each set`,
        'own kinds': grounds.map(({ model, own }) => `${model}: ${own.name}`).join('; '),
        'bits per dimension': `net bits on the stack; every ${PROVED}th image is decoded again and compared`,
        usual: 'mean of as many other images of the own kind',
        'standard errors':
          'of AUROC: DeLong et al. 1988, 0 where sets do not overlap at all; of a correlation: (1 - r²) / sqrt(n - 3)',
        data,
      },
      checks: grounds.flatMap(predictions),
      contests: grounds.flatMap(comparisons),
      figures: [
        ...grounds.map(areas),
        ...grounds.flatMap((ground) => [
          histogramOf(
            ground,
            'Bits per dimension',
            'Fewer are more likely.',
            'bits per dim',
            ({ bits }) => bits,
            [0, 9],
          ),
          histogramOf(
            ground,
            'Bits less those of PNG',
            'Complexity taken off.',
            'bits per dim',
            ({ bits, png }) => bits - png,
            [-4, 2],
          ),
        ]),
        scatter(first),
        heatMaps(
          `Bits of each pixel, model ${first.model}`,
          'The first image of each set. Dark: 0 bits, bright: 24 or more for a pixel’s three samples.',
          { x: 'x, pixels', y: 'y, pixels', unit: 'bits' },
          sets.map(({ name, images }) => ({
            name,
            values: bitMap(images[0], shown),
            columns: SIDE,
            rows: SIDE,
            x: [0, SIDE] as const,
            y: [SIDE, 0] as const,
          })),
          [0, 24],
        ),
      ],
      tables: [...grounds.map(areaTable), ...grounds.map(lengthTable)],
      notes: [
        'AUROC: how often an image of the model’s own kind scores above one of the other set. 0.5 tells nothing, less than 0.5 prefers the other set.',
        'Likelihood is density times volume: where pixels follow from their neighbours a model that has learnt how pixels follow from their neighbours spends little, whatever is shown.',
        ...(first.own.name === CIFAR
          ? []
          : [
              'The model cifar10 is not on its own ground here: crops of photographs stand for its kind, which they are not.',
            ]),
        ...missing,
      ],
    };
  },
};

async function codecOf(name: string): Promise<TileCodec> {
  return TileCodec.create({ model: (await modelsForEncoding(3, name))[0], learning: 'none' });
}

async function plainly(
  { images }: ImageSet,
  jxl: ((image: Image) => number) | undefined,
): Promise<Omit<Lengths, 'bits'>[]> {
  const lengths: Omit<Lengths, 'bits'>[] = [];
  for (const image of images) {
    const webp = await encodeWebpFile({ ...image, maxval: 255 }, 'good');
    lengths.push({
      png: (8 * encodePng(image).length) / SAMPLES,
      webp: (8 * webp.length) / SAMPLES,
      ...(jxl && { jxl: (8 * jxl(image)) / SAMPLES }),
    });
  }
  return lengths;
}

function bitsOf({ samples }: Image, codec: TileCodec, i: number): number {
  const tile = forwardColour(samples, 3);
  const { payload, netBits } = codec.encode(tile, SHAPE);
  if (i % PROVED === 0 && !codec.decode(payload, SHAPE).every((value, k) => value === tile[k])) {
    throw new CnfzipError('corrupt', 'an image does not come back exactly');
  }
  return netBits / SAMPLES;
}

function scores({ lengths }: Measured, score: Score, usual: number): number[] {
  return lengths.map((one) => SCORES[score](one, usual));
}

/** AUROC of scores, or what one has more than another, with its standard error (DeLong et al. 1988). */
function area({ own, usual }: Ground, other: Measured, score: Score, less?: Score): Spread {
  const placed = (of: Score) => placements(scores(own, of, usual), scores(other, of, usual));
  const [more, base] = [placed(score), less && placed(less)];
  const values = (list: 'ofA' | 'ofB') => more[list].map((value, i) => value - (base ? base[list][i] : 0));
  const [ofOwn, ofOther] = [values('ofA'), values('ofB')];
  const error = Math.sqrt(variance(ofOwn) / ofOwn.length + variance(ofOther) / ofOther.length);
  return { mean: mean(ofOwn), error, values: [] };
}

function within({ lengths }: Measured): Spread {
  const r = correlation(
    lengths.map(({ bits }) => bits),
    lengths.map(({ png }) => png),
  );
  return { mean: r, error: (1 - r * r) / Math.sqrt(lengths.length - 3), values: [] };
}

const simple = ({ others }: Ground) => others.filter(({ kind }) => kind === 'simple');

function predictions(ground: Ground): Check[] {
  const { model, own, others } = ground;
  const noise = others.filter(({ kind }) => kind === 'noise');
  return [
    ...simple(ground).map((other) =>
      atMost(
        `${model}: AUROC of likelihood, ${own.name} against ${other.name}`,
        area(ground, other, 'likelihood'),
        0.5,
      ),
    ),
    ...noise.map((other) =>
      atLeast(`${model}: AUROC of likelihood, ${own.name} against noise`, area(ground, other, 'likelihood'), 0.95),
    ),
  ];
}

function comparisons(ground: Ground): Contest[] {
  const { model, own, others } = ground;
  const complexity = [own, ...others]
    // Noise is stored as it is: all of its files are of one size.
    .filter(({ kind }) => kind !== 'noise')
    .map((set) =>
      contest(
        `${model}: within ${set.name} bits go with PNG’s length`,
        within(set),
        'correlation',
        'Within this set what differs is not what PNG sees; sets of different kinds put together would still correlate.',
      ),
    );
  const telling = others
    .filter(({ kind }) => kind !== 'noise')
    .flatMap((other) => [
      contest(
        `${model}: likelihood less PNG’s length tells ${own.name} from ${other.name} better than likelihood`,
        area(ground, other, 'less PNG', 'likelihood'),
        'of AUROC',
        'PNG’s length here says less of complexity than of what PNG cannot do: its header and its codes’ tables weigh in so small a file.',
      ),
      contest(
        `${model}: likelihood less PNG’s length tells ${own.name} from ${other.name} better than chance`,
        { ...area(ground, other, 'less PNG'), mean: area(ground, other, 'less PNG').mean - 0.5 },
        'of AUROC',
        'The model saves more over PNG on this set than on its own kind: as a compressor it is not only good at what it was trained on.',
      ),
      ...(scoresOf(ground).includes('less JPEG XL')
        ? [
            contest(
              `${model}: likelihood less JPEG XL’s length tells ${own.name} from ${other.name} better than less PNG’s`,
              area(ground, other, 'less JPEG XL', 'less PNG'),
              'of AUROC',
              'JPEG XL is good at what the model is good at: where both save alike, what is left of likelihood tells less.',
            ),
          ]
        : []),
      contest(
        `${model}: typicality tells ${own.name} from ${other.name} better than likelihood`,
        area(ground, other, 'typicality', 'likelihood'),
        'of AUROC',
        'The lengths of the own kind spread so widely that this set’s lie among them.',
      ),
    ]);
  return [...telling, ...complexity];
}

/** Sets with the numbers of their images. */
const told = ({ name, lengths }: Measured) => `${name} (n = ${lengths.length})`;

function areas(ground: Ground): Figure {
  const { model, own, others } = ground;
  const names = scoresOf(ground);
  const marks = names.flatMap((score, i) => {
    const dots = others.map((other) => {
      const { mean: at, error } = area(ground, other, score);
      return { set: told(other), at, low: at - error, high: at + error };
    });
    // One below the other, where they would lie upon each other.
    const dy = 6 * (i - (names.length - 1) / 2);
    return [
      Plot.link(dots, { x1: 'low', x2: 'high', y1: 'set', y2: 'set', stroke: colour(i), strokeWidth: 1.5, dy }),
      Plot.dot(dots, { x: 'at', y: 'set', r: 3, fill: colour(i), dy }),
    ];
  });
  return figure(
    `Telling ${own.name} from other sets, model ${model}`,
    'AUROC; bars: standard error. Left of the dashed line the other set is taken for the model’s own kind.',
    {
      height: 60 + 36 * others.length,
      marginLeft: 190,
      marginRight: 20,
      x: { label: 'AUROC', domain: [0, 1] },
      y: { label: null, type: 'band', domain: others.map(told) },
      marks: [Plot.ruleX([0.5], { stroke: '#888', strokeDasharray: '4 3' }), ...marks],
    },
    names,
  );
}

function areaTable(ground: Ground): Table {
  return {
    title: `AUROC, model ${ground.model}: ${told(ground.own)} against`,
    columns: ['set', ...scoresOf(ground)],
    rows: ground.others.map((other) => [told(other), ...scoresOf(ground).map((score) => area(ground, other, score))]),
  };
}

function lengthTable({ model, own, others }: Ground): Table {
  const known = own.lengths[0].jxl !== undefined;
  const kinds = ['bits', 'png', 'webp', ...(known ? (['jxl'] as const) : [])] as const;
  const spreadOf = (values: number[]): Spread => ({
    mean: mean(values),
    error: Math.sqrt(variance(values) / values.length),
    values,
  });
  return {
    title: `Lengths, model ${model}, bits per dimension`,
    columns: [
      'set',
      'model',
      'PNG',
      'WebP',
      ...(known ? ['JPEG XL'] : []),
      'correlation of model and PNG within the set',
    ],
    rows: [own, ...others].map((set) => [
      told(set),
      ...kinds.map((kind) => spreadOf(set.lengths.map((one) => one[kind]!))),
      set.kind === 'noise' ? '' : within(set),
    ]),
  };
}

function histogramOf(
  { model, own, others }: Ground,
  title: string,
  caption: string,
  label: string,
  number: (lengths: Lengths) => number,
  domain: readonly [number, number],
): Figure {
  const series = [own, ...others].map((set) => ({ name: told(set), values: set.lengths.map(number) }));
  return histogram(`${title}, model ${model}`, caption, label, series, domain);
}

function bitMap(image: Image, codec: TileCodec): Float64Array {
  const trace: Trace = [];
  codec.encode(forwardColour(image.samples, 3), SHAPE, trace);
  return perPixel(image, [trace]);
}

function scatter({ model, own, others }: Ground): Figure {
  const marks = [own, ...others].map(({ lengths }, i) =>
    Plot.dot(
      lengths.map(({ png, bits }) => [png, bits]),
      { x: '0', y: '1', r: 2, fill: colour(i), fillOpacity: 0.6 },
    ),
  );
  return figure(
    `Bits against complexity, model ${model}`,
    'Each image: bits under the model against the size of its PNG file.',
    { x: { label: 'PNG, bits per dim' }, y: { label: 'model, bits per dim' }, marks },
    [own, ...others].map(told),
  );
}
