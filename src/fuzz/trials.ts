/** What is done with a damaged or forged file, and what must come of it. */
import { decodeImage, decodeUnchecked, encodeImage } from '../../codec/codec.js';
import { type EncodingOptions, oncePerFlow } from '../../codec/coding.js';
import { readContainer } from '../../codec/container/container.js';
import { CnfzipError } from '../../codec/error.js';
import type { Model } from '../../codec/flow/model.js';
import { checkImage, type Image, sameImage } from '../../codec/image.js';
import { info } from '../../codec/info.js';
import { openImage } from '../../codec/open.js';
import { decodePng, encodePng } from '../io/png.js';
import { writeProven } from '../io/prove.js';
import { modelsForEncoding } from '../session/models.js';
import { archiveCorpus, tryArchive } from './archives.js';
import { cnfzCorpus, forgePng, pngCorpus, type Specimen } from './corpus.js';
import { forgeCnfz } from './forge.js';
import { mutate } from './mutate.js';
import { randomIntegers } from './random-bytes.js';
import { tryView, viewCorpus } from './views.js';
import '../session/webp.js';

/**
 * `.cnfz` files that were damaged, or forged; PNG files and archives that were damaged, some of them with their checksums made right;
 * `.cnfz` files of which a part is there, and a part is wanted.
 */
export type FuzzKind = 'cnfz' | 'forged' | 'png' | 'archive' | 'view';

export type Outcome = 'refused' | 'unchanged' | 'accepted';

/**
 * @param corpus number of files that damage is done to
 * @returns runs the case of a seed: tells its outcome, or throws what must not be
 */
export async function prepareTrials(kind: FuzzKind, corpus: number): Promise<(seed: number) => Promise<Outcome>> {
  const models = await modelsForEncoding(4, 'fast');
  const coding: EncodingOptions = { coderOf: oncePerFlow() };
  if (kind === 'archive') return prepareArchives(corpus, { models, coding });
  const specimens = await corpusOf(kind, corpus, models);
  return async (seed) => {
    const random = randomIntegers(seed);
    const specimen = specimens[random(specimens.length)];
    const other = specimens[random(specimens.length)];
    return outcomeOf(TRIALS[kind]({ specimen, other, seed, random, models, coding }));
  };
}

async function corpusOf(kind: FuzzKind, count: number, models: readonly Model[]): Promise<Specimen[]> {
  if (kind === 'view') return viewCorpus(count, models);
  return kind === 'png' ? pngCorpus(4 * count) : cnfzCorpus(count, models);
}

async function prepareArchives(
  corpus: number,
  coding: Pick<Case, 'models' | 'coding'>,
): Promise<(seed: number) => Promise<Outcome>> {
  const specimens = await archiveCorpus(corpus, coding);
  return async (seed) => {
    const random = randomIntegers(seed);
    const [specimen, other] = [specimens[random(specimens.length)], specimens[random(specimens.length)]];
    return outcomeOf(tryArchive(specimen, other, seed, coding).then((same) => (same ? 'unchanged' : 'accepted')));
  };
}

/** A refusal is an outcome, too, if it says why in one line. */
async function outcomeOf(trial: Promise<Outcome>): Promise<Outcome> {
  try {
    return await trial;
  } catch (error) {
    if (error instanceof CnfzipError && error.message && !error.message.includes('\n')) return 'refused';
    throw error;
  }
}

interface Case {
  readonly specimen: Specimen;
  readonly other: Specimen;
  readonly seed: number;
  readonly random: (below: number) => number;
  readonly models: readonly Model[];
  readonly coding: EncodingOptions;
}

const TRIALS: Record<Exclude<FuzzKind, 'archive'>, (trial: Case) => Promise<Outcome>> = {
  /** What is accepted must be the image that was damaged, or the one that parts were taken from; a smaller one, what it shows of it. */
  async cnfz({ specimen, other, seed, models, coding }) {
    const bytes = mutate(specimen.file, other.file, seed);
    const opened = await openImage(bytes);
    const half = await opened.decode(models, { ...coding, scale: 1 / 2 });
    if (![specimen, other].some(({ image }) => sameImage(half, halfOf(image)))) throw new Error('wrong pixels at 1/2');
    info(bytes);
    const image = await decodeImage(bytes, models, coding);
    if (isOneOf(image, [specimen, other])) return 'unchanged';
    throw new Error('other pixels were accepted');
  },

  /** What is accepted must be an image like any other. */
  async forged({ specimen, other, random, models, coding }) {
    const forged = forgeCnfz(specimen.file, other.file, random);
    const found = await decodeUnchecked(readContainer(forged(new Uint8Array(0))), models, coding);
    const file = forged(found.samples);
    await mustSucceed('what is accepted', async () => {
      const image = await decodeImage(file, models, coding);
      checkImage(image);
      if (!sameImage(image, found)) throw new Error('it decodes to two images');
      const { width, height, metadata, overheadBytes } = info(file);
      const told =
        width === image.width && height === image.height && metadata.length === (image.metadata ?? []).length;
      if (!told || overheadBytes < 0) throw new Error('info tells of another image');
      const half = await (await openImage(file)).decode(models, { ...coding, scale: 1 / 2 }).catch(refused);
      if (half && !sameImage(half, halfOf(image))) throw new Error('it shows other pixels at 1/2');
      await encodeImage(image, models, coding);
      await writeProven(image);
    });
    return isOneOf(found, [specimen, other]) ? 'unchanged' : 'accepted';
  },

  /** PNG's checksums are per chunk: chunks that are lost or moved whole are not noticed by anybody. */
  async png({ specimen, other, seed, random }) {
    const damage = (bytes: Uint8Array) => mutate(bytes, other.file, seed);
    const image = decodePng(random(2) ? damage(specimen.file) : forgePng(specimen, damage, random));
    await mustSucceed('a PNG that is accepted', async () => {
      checkImage(image);
      if (!sameImage(decodePng(encodePng(image)), image)) throw new Error('it changes when written again');
    });
    return isOneOf(image, [specimen, other]) ? 'unchanged' : 'accepted';
  },

  /** What is there must be shown exactly; what is not is refused. */
  async view({ specimen, random, models, coding }) {
    return (await tryView(specimen, random, { models, coding })) ? 'unchanged' : 'refused';
  },
};

/** Every second row and column. */
function halfOf(image: Image): Image {
  const { width, height, channels } = image;
  const samples = image.samples.filter((_, i) => {
    const pixel = Math.floor(i / channels);
    return (pixel % width) % 2 === 0 && Math.floor(pixel / width) % 2 === 0;
  });
  return { ...image, width: Math.ceil(width / 2), height: Math.ceil(height / 2), samples };
}

function isOneOf(image: Image, specimens: readonly Specimen[]): boolean {
  return specimens.some((specimen) => sameImage(image, specimen.image));
}

/** Stages may be cut where no scale ends: all of them decode, and not a part. */
function refused(error: unknown): undefined {
  if (!(error instanceof CnfzipError && error.code === 'corrupt')) throw error;
}

/** Refusals are no excuse in here. */
async function mustSucceed(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw new Error(`${what}: ${(cause as Error).message}`, { cause });
  }
}
