/** The training loop: minimizes the negative ELBO of exactly the map that is coded, on random crops. */

import { basename } from 'node:path';
import { CnfzipError } from '../../codec/error.js';
import { serializeModel } from '../../codec/model.js';
import { TOP_BITS } from '../../codec/tile-codec.js';
import type { ModelDefinition } from '../../models/definition.js';
import { checkTarget, exists, writeFileAtomic } from '../io/files.js';
import { type AdamState, adamState, adamStep } from './adam.js';
import { readCheckpoint, writeCheckpoint } from './checkpoint.js';
import { type Crop, ImagePool, listImages, validationCrops } from './dataset.js';
import type { Engine } from './engine.js';
import { initialize } from './initialize.js';
import { Random } from './random.js';

export interface TrainingOptions {
  readonly definition: ModelDefinition;
  readonly engine: Engine;
  /** Folders of training images, and of held-out ones. */
  readonly data: readonly string[];
  readonly valid: readonly string[];
  /** The model's file; the checkpoint is kept beside it as `<out>.ckpt`. */
  readonly out: string;
  /** Step at which the run ends: the learning rate's cosine reaches its floor there. */
  readonly steps: number;
  readonly batch: number;
  /** Side of a crop in pixels. */
  readonly crop: number;
  /** Peak learning rate. */
  readonly rate: number;
  readonly seed: number;
  /** Go on from the checkpoint. */
  readonly resume: boolean;
  readonly log: (line: string) => void;
  /** Stops the run after the step at hand, with a checkpoint. */
  readonly signal?: AbortSignal;
}

const WARM_UP_STEPS = 300;
const FLOOR_RATE = 0.01;
const POOL_IMAGES = 384;
const LOG_SECONDS = 20;
const CHECKPOINT_SECONDS = 240;

/** Learning rate of a step: linear warm-up, then a cosine from the peak to a hundredth of it. */
function learningRate(step: number, { rate, steps }: TrainingOptions): number {
  if (step < WARM_UP_STEPS) return (rate * (step + 1)) / WARM_UP_STEPS;
  const progress = Math.min(1, (step - WARM_UP_STEPS) / Math.max(1, steps - WARM_UP_STEPS));
  return rate * (FLOOR_RATE + ((1 - FLOOR_RATE) * (1 + Math.cos(Math.PI * progress))) / 2);
}

/** Mean bits per sample of crops under a model, the pyramid's top included, their dequantization drawn with a fixed seed. */
export async function bitsPerSample(engine: Engine, weights: Float32Array, crops: readonly Crop[]): Promise<number> {
  const { nats } = await engine.evaluate(weights, crops, 1, false);
  const top = TOP_BITS * crops.reduce((sum, { samples, side }) => sum + samples.length / side ** 2, 0);
  return (nats / Math.LN2 + top) / samplesOf(crops);
}

function samplesOf(crops: readonly Crop[]): number {
  return crops.reduce((sum, { samples }) => sum + samples.length, 0);
}

/** Runs until the last step or the signal; writes checkpoints and the model (the weights' average) on the way. */
export async function train(options: TrainingOptions): Promise<void> {
  const { definition, engine, out, log, signal } = options;
  const checkpointFile = `${out}.ckpt`;
  for (const file of [out, checkpointFile]) {
    if (!options.resume && (await exists(file))) {
      throw new CnfzipError('file', `${file} exists already: name another, or go on from its checkpoint with --resume`);
    }
    await checkTarget(file, true);
  }
  const start = options.resume
    ? await readCheckpoint(checkpointFile, definition)
    : { adam: adamState(initialize(definition, options.seed)), random: options.seed, pixels: 0, seconds: 0 };
  const { adam } = start;
  const random = new Random(start.random);
  let { pixels } = start;
  const { channels } = definition;
  const paths = await listImages(options.data);
  const held = options.valid.length > 0 ? await validationCrops(await listImages(options.valid), channels, log) : [];
  log(`${paths.length} training images, ${held.length} held-out crops, ${adam.weights.length} parameters`);
  const pool = await ImagePool.open(paths, channels, POOL_IMAGES, options.crop, random, log);

  const began = performance.now();
  const seconds = () => start.seconds + (performance.now() - began) / 1000;
  let reported = performance.now();
  let saved = performance.now();
  let [sum, count, stepsSince] = [0, 0, 0];

  const save = async () => {
    await writeCheckpoint(checkpointFile, { definition, adam, random: random.state, pixels, seconds: seconds() });
    const name = basename(out).replace(/\.cnfm$/, '');
    await writeFileAtomic(out, serializeModel(name, definition, adam.average), { force: true });
    if (held.length === 0) return;
    const bits = await bitsPerSample(engine, adam.average, held);
    log(`step ${adam.steps}: held-out ${bits.toFixed(4)} bits per sample, ${Math.round(seconds())} s`);
  };

  while (adam.steps < options.steps && !signal?.aborted) {
    const crops = Array.from({ length: options.batch }, () => pool.crop());
    const [nats] = await Promise.all([trainingStep(options, adam, crops, random.word()), pool.refresh()]);
    const samples = samplesOf(crops);
    sum += nats;
    count += samples;
    stepsSince++;
    pixels += samples / channels;
    const now = performance.now();
    if (now - reported >= LOG_SECONDS * 1000) {
      const left = ((now - reported) / stepsSince / 60000) * (options.steps - adam.steps);
      const bits = (sum / count / Math.LN2).toFixed(4);
      const speed = (count / channels / (now - reported)).toFixed(0);
      log(`step ${adam.steps}: ${bits} bits per sample, ${speed} kpx/s, ${left.toFixed(0)} min left`);
      reported = now;
      [sum, count, stepsSince] = [0, 0, 0];
    }
    if (now - saved >= CHECKPOINT_SECONDS * 1000) {
      await save();
      saved = performance.now();
    }
  }
  if (adam.steps === 0) return;
  await save();
  log(`${adam.steps} steps, ${(pixels / 1e9).toFixed(3)} gigapixels, ${Math.round(seconds())} s: ${out}`);
}

/** One optimizer step; returns the batch's loss in nats. */
async function trainingStep(options: TrainingOptions, adam: AdamState, crops: Crop[], seed: number): Promise<number> {
  const { nats, gradient } = await options.engine.evaluate(adam.weights, crops, seed, true);
  if (!Number.isFinite(nats)) throw new Error(`the loss is ${nats} at step ${adam.steps}`);
  adamStep(adam, gradient, 1 / samplesOf(crops), learningRate(adam.steps, options));
  return nats;
}
