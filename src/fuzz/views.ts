/** What any part of a file shows at any scale: a random scale, region and prefix of the file. */
import { encodeImage } from '../../codec/codec.js';
import type { EncodingOptions } from '../../codec/coding.js';
import { CnfzipError } from '../../codec/error.js';
import type { Model } from '../../codec/flow/model.js';
import { allocSamples, type Image, maxvalOf, sameImage } from '../../codec/image.js';
import { openImage } from '../../codec/open.js';
import type { Source } from '../../codec/source.js';
import type { Region } from '../../codec/view.js';
import { cnfzCorpus, type Specimen } from './corpus.js';
import { randomIntegers } from './random-bytes.js';

/** Coarsest scale that is asked for, as a power of 1/2. */
const MOST_LEVELS = 8;

/** Half as `cnfzCorpus`, half larger images, whose files have stages for several scales. */
export async function viewCorpus(count: number, models: readonly Model[]): Promise<Specimen[]> {
  const corpus = await cnfzCorpus(count / 4, models);
  for (let seed = 0; seed < count / 4; seed++) {
    const image = waves(seed);
    corpus.push({ image, file: await encodeImage(image, models, { verify: false }) });
  }
  return corpus;
}

/** Waves with noise, of one or two tiles. */
function waves(seed: number): Image {
  const random = randomIntegers(seed);
  const [width, height] =
    seed % 2 === 0 ? [150 + random(100), 120 + random(100)] : [1025 + random(50), 30 + random(30)];
  const channels = ([3, 1, 4, 3] as const)[seed % 4];
  const maxval = seed % 3 === 2 ? 4095 : 255;
  const samples = allocSamples(width * height * channels, maxval).map((_, i) => {
    const wave = Math.sin(i / (90 + channels)) + Math.sin(Math.floor(i / (width * channels)) / 17);
    return Math.floor((maxval * (2.2 + wave)) / 5) + random(32);
  });
  return { width, height, channels, maxval, samples };
}

/**
 * @returns whether the part is there: if it is not, that was told
 * @throws Error if it shows other samples than those of the image's lattice
 */
export async function tryView(
  { image, file }: Specimen,
  random: (below: number) => number,
  { models, coding }: { models: readonly Model[]; coding: EncodingOptions },
): Promise<boolean> {
  const step = 1 << random(MOST_LEVELS + 1);
  const region = random(3) > 0 ? regionOf(image, random) : { x: 0, y: 0, width: image.width, height: image.height };
  const { scales } = (await openImage(file)).info;
  const { bytes } = scales.find(({ scale }) => scale >= 1 / step)!;
  const length = [bytes, file.length, 1 + random(file.length - 1)][random(3)];
  const source: Source = { read: async (from, count) => file.subarray(from, Math.min(from + count, length)) };
  const what = `of every ${step}. row and column in ${JSON.stringify(region)} from ${length} of ${file.length} bytes`;
  const expected = latticeIn(image, step, region);
  let opened = false;
  try {
    const open = await openImage(source);
    opened = true;
    const shown = await open.decode(models, { ...coding, scale: 1 / step, region });
    if (!sameImage(shown, expected)) throw new Error(`other samples ${what}`);
    return true;
  } catch (error) {
    const code = error instanceof CnfzipError ? error.code : undefined;
    if (code === 'usage' && expected.samples.length === 0) return false;
    const enough = length === file.length || (opened && length >= bytes);
    if (code !== 'corrupt' || enough) throw new Error(`nothing ${what}`, { cause: error });
    return false;
  }
}

function regionOf({ width, height }: Image, random: (below: number) => number): Region {
  const [x, y] = [random(width), random(height)];
  return { x, y, width: 1 + random(width - x), height: 1 + random(height - y) };
}

/** The pixels of a region whose rows and columns are multiples of a step, one by one. */
function latticeIn(image: Image, step: number, { x, y, width, height }: Region): Image {
  const multiples = (from: number, length: number) =>
    Array.from({ length }, (_, i) => from + i).filter((place) => place % step === 0);
  const [columns, rows] = [multiples(x, width), multiples(y, height)];
  const { channels } = image;
  const samples = allocSamples(rows.length * columns.length * channels, maxvalOf(image));
  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      for (let c = 0; c < channels; c++) samples[at++] = image.samples[(row * image.width + column) * channels + c];
    }
  }
  return { ...image, width: columns.length, height: rows.length, samples };
}
