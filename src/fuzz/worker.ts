/** Decodes damaged files, one after the other, and tells of each what came out. */
import { parentPort, workerData } from 'node:worker_threads';
import { decodeImage } from '../../codec/codec.js';
import type { CodingOptions } from '../../codec/coding.js';
import { CnfzipError } from '../../codec/error.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { checkImage, type Image, sameImage } from '../../codec/image.js';
import { info } from '../../codec/info.js';
import { decodePng, encodePng } from '../io/png.js';
import { modelsForEncoding } from '../models.js';
import '../webp.js';
import { cnfzCorpus, forgeCnfz, forgePng, pngCorpus, type Specimen } from './corpus.js';
import { mutate } from './mutate.js';
import { randomIntegers } from './random-bytes.js';

export interface FuzzTask {
  readonly kind: 'cnfz' | 'png';
  readonly firstSeed: number;
  readonly cases: number;
}

export type FuzzReport =
  | { seed: number; begun: true }
  | { seed: number; outcome: 'refused' | 'unchanged' | 'accepted' }
  | { seed: number; failure: string };

const CORPUS = 64;

const { kind, firstSeed, cases } = workerData as FuzzTask;
const report = (message: FuzzReport) => parentPort!.postMessage(message);
const models = await modelsForEncoding(4, 'fast');
const corpus = kind === 'cnfz' ? await cnfzCorpus(CORPUS, models) : pngCorpus(4 * CORPUS);
const codecs = new Map<string, TileCodec>();
for (const model of models) codecs.set(model.hash, await TileCodec.create(model));
const coding: CodingOptions = {
  coderOf: async ({ hash }) => ({
    concurrency: 1,
    encode: async () => Promise.reject(new Error('nothing is encoded here')),
    decode: async (payload, shape) => codecs.get(hash)!.decode(payload, shape),
  }),
};

for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
  report({ seed, begun: true });
  try {
    report({ seed, outcome: await run(seed) });
  } catch (error) {
    report({ seed, failure: (error as Error).stack ?? String(error) });
  }
}

async function run(seed: number): Promise<'refused' | 'unchanged' | 'accepted'> {
  const random = randomIntegers(seed);
  const specimen = corpus[random(corpus.length)];
  const other = corpus[random(corpus.length)];
  const forged = random(2) === 0;
  const damage = (bytes: Uint8Array) => mutate(bytes, other.file, seed);
  const forge = kind === 'cnfz' ? forgeCnfz : forgePng;
  const bytes = forged ? forge(specimen, damage, random) : damage(specimen.file);
  let image: Image;
  try {
    if (kind === 'cnfz') info(bytes);
    image = kind === 'cnfz' ? await decodeImage(bytes, models, coding) : decodePng(bytes);
  } catch (error) {
    if (error instanceof CnfzipError && error.message && !error.message.includes('\n')) return 'refused';
    throw error;
  }
  return judge(image, [specimen, other], forged);
}

/** What is accepted must be an image; without forgery, the one that was damaged, or the one that parts were taken from. */
function judge(image: Image, specimens: readonly Specimen[], forged: boolean): 'unchanged' | 'accepted' {
  checkImage(image);
  if (kind === 'png' && !sameImage(decodePng(encodePng(image)), image))
    throw new Error('a PNG changes when written again');
  if (specimens.some((specimen) => sameImage(image, specimen.image))) return 'unchanged';
  // PNG's checksums are per chunk: chunks that are lost or moved whole are not noticed by anybody.
  if (!forged && kind === 'cnfz') throw new Error('other pixels were accepted');
  return 'accepted';
}
