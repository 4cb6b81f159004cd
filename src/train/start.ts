/**
 * `npm run train:start`: moves the weights that a flow learns from while it codes, heads and field, to where learning ends sooner.
 * Reptile (Nichol, Achiam, Schulman 2018): after each crop a small part of the way to the weights that were learned on it.
 */

import { basename } from 'node:path';
import { Command } from 'commander';
import { Likelihood } from '../../codec/flow/likelihood.js';
import { paceOf, serializeModel } from '../../codec/flow/model.js';
import { integer } from '../cli/options.js';
import { say } from '../cli/report.js';
import { checkTarget, writeFileAtomic } from '../io/files/write.js';
import { loadModel } from '../session/models.js';
import { cropShape, ImagePool, listImages } from './dataset.js';
import { Random } from './random.js';

/** Samples of the training images held in memory. */
const POOL_SAMPLES = 2 ** 27;
/** Part of the way at first; it falls linearly to a tenth of that. */
const PART = 0.05;
const REPORT = 50;

interface Options {
  data: string[];
  out: string;
  crops: number;
  crop: number;
  seed: number;
}

await new Command('train:start')
  .description('Trains the weights that a flow which goes on learning starts from.')
  .argument('<model>', 'model file')
  .requiredOption('--data <folder...>', 'training images')
  .requiredOption('--out <model>', 'model file to write')
  .option('--crops <n>', 'crops to learn from, one after the other', integer(1, 1e6), 900)
  .option('--crop <pixels>', "a crop's side", integer(8, 512), 320)
  .option('--seed <n>', 'seed of all random numbers', integer(0, 0xffffffff), 1)
  .action(run)
  .parseAsync();

async function run(file: string, { data, out, crops, crop, seed }: Options): Promise<void> {
  await checkTarget(out, {});
  const { definition, rates, weights } = await loadModel(file);
  const random = new Random(seed);
  const paths = await listImages(data);
  const pool = await ImagePool.open(paths, {
    channels: definition.channels,
    size: POOL_SAMPLES,
    side: crop,
    augmentation: 'full',
    random,
    warn: say,
  });
  const likelihood = await Likelihood.create(definition, paceOf(rates, 'heads'));
  const began = performance.now();
  let nats = 0;
  for (let i = 0; i < crops; i++) {
    const own = pool.crop();
    likelihood.load(weights);
    nats += likelihood.evaluate(own.samples, cropShape(own), false) / own.samples.length;
    const part = PART * (1 - (0.9 * i) / crops);
    for (const [n, learned] of likelihood.learned().entries()) weights[n] += part * (learned - weights[n]);
    await pool.refresh();
    if ((i + 1) % REPORT > 0) continue;
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(`${i + 1} crops: ${(nats / REPORT / Math.LN2).toFixed(4)} bits per sample, ${seconds} s`);
    nats = 0;
  }
  const name = basename(out).replace(/\.cnfm$/, '');
  await writeFileAtomic(out, serializeModel({ name, definition, rates, weights }), {});
}
