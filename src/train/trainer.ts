/** The training loop: minimizes the negative log-likelihood of exactly the map that is coded, on random crops. */

import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { CnfzipError } from '../../codec/error.js';
import { type AdaptationRates, parseModel, serializeModel } from '../../codec/flow/model.js';
import { plainBits } from '../../codec/flow/tile-codec.js';
import { Kernels } from '../../codec/kernels/kernels.js';
import { type ModelDefinition, multiplyAdds } from '../../models/definition.js';
import { exists } from '../io/files/read.js';
import { checkTarget, writeFileAtomic } from '../io/files/write.js';
import { loadModel } from '../session/models.js';
import { modelCard } from './card.js';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.js';
import { learningCurve } from './curve.js';
import { type Augmentation, type Crop, cropShape, ImagePool, listImages, validationCrops } from './dataset.js';
import type { Engine } from './engine.js';
import type { History, Run } from './history.js';
import { initialize } from './initialize.js';
import { type OptimizerState, optimizerState, optimizerStep } from './optimizer.js';
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
  readonly augment: Augmentation;
  /** Peak learning rate. */
  readonly rate: number;
  readonly seed: number;
  /** Go on from the checkpoint. */
  readonly resume: boolean;
  /** A model whose weights to begin with, instead of random ones. */
  readonly init?: string;
  /** At which the model's flow is to go on learning while it codes. */
  readonly rates: AdaptationRates;
  /** How the run was started, for the model card. */
  readonly command: string;
  readonly log: (line: string) => void;
  /** Stops the run after the step at hand, with a checkpoint. */
  readonly signal?: AbortSignal;
}

const WARM_UP_STEPS = 300;
const FLOOR_RATE = 0.01;
/** Samples of the training images held in memory, of which crops are drawn. */
const POOL_SAMPLES = 2 ** 28;
const LOG_SECONDS = 20;
const CHECKPOINT_SECONDS = 240;

/** Learning rate of a step: linear warm-up, then a cosine from the peak to a hundredth of it. */
function learningRate(step: number, { rate, steps }: TrainingOptions): number {
  if (step < WARM_UP_STEPS) return (rate * (step + 1)) / WARM_UP_STEPS;
  const progress = Math.min(1, (step - WARM_UP_STEPS) / Math.max(1, steps - WARM_UP_STEPS));
  return rate * (FLOOR_RATE + ((1 - FLOOR_RATE) * (1 + Math.cos(Math.PI * progress))) / 2);
}

/** Mean bits per sample of crops under a model, what is coded plainly included. */
export async function bitsPerSample(engine: Engine, weights: Float32Array, crops: readonly Crop[]): Promise<number> {
  const { nats } = await engine.evaluate(weights, crops, false);
  const plain = crops.reduce(
    (sum, crop) => sum + plainBits(cropShape(crop).depth) * (crop.samples.length / crop.side ** 2),
    0,
  );
  return (nats / Math.LN2 + plain) / samplesOf(crops);
}

function samplesOf(crops: readonly Crop[]): number {
  return crops.reduce((sum, { samples }) => sum + samples.length, 0);
}

/**
 * Runs until the last step or the signal. Writes the model (the weights' average) and its checkpoint every few minutes; at the
 * end its card and its learning curve too, beside it as `.md` and `.svg`.
 */
export async function train(options: TrainingOptions): Promise<void> {
  const { definition, engine, out, log, signal } = options;
  const name = basename(out).replace(/\.cnfm$/, '');
  const beside = (extension: string) => `${out.slice(0, out.length - basename(out).length)}${name}${extension}`;
  const [checkpointFile, cardFile, curveFile] = [`${out}.ckpt`, beside('.md'), beside('.svg')];
  for (const file of [out, checkpointFile, cardFile, curveFile]) {
    if (!options.resume && (await exists(file))) {
      throw new CnfzipError('file', `${file} exists already: name another, or go on from its checkpoint with --resume`);
    }
    await checkTarget(file, { force: true });
  }
  const history: History = { runs: [], curve: [] };
  const start: Pick<Checkpoint, 'optimizer' | 'random' | 'history' | 'modelBefore'> = options.resume
    ? await resumable(out, await readCheckpoint(checkpointFile, definition))
    : { optimizer: optimizerState(await firstWeights(options)), random: options.seed, history };
  const { optimizer } = start;
  let { modelBefore } = start;
  const kernels = await Kernels.create();
  const { runs, curve } = start.history;
  const random = new Random(start.random);
  const { channels } = definition;
  const paths = await listImages(options.data);
  const held = options.valid.length > 0 ? await validationCrops(await listImages(options.valid), channels, log) : [];
  log(`${paths.length} training images, ${held.length} held-out crops, ${optimizer.weights.length} parameters`);
  const pool = await ImagePool.open(paths, {
    channels,
    size: POOL_SAMPLES,
    side: options.crop,
    augmentation: options.augment,
    random,
    warn: log,
  });

  const before = runs.reduce((sum, { pixels }) => sum + pixels, 0);
  const run: Run = {
    command: options.command,
    images: paths.length,
    engine: engine.name,
    fromStep: optimizer.steps,
    toStep: optimizer.steps,
    pixels: 0,
    seconds: 0,
  };
  runs.push(run);
  const began = performance.now();
  let reported = began;
  let saved = began;
  let [sum, count] = [0, 0];
  let since = { nats: 0, samples: 0 };
  let heldOut: number | undefined;

  const save = async () => {
    run.toStep = optimizer.steps;
    run.seconds = (performance.now() - began) / 1000;
    heldOut = held.length > 0 ? await bitsPerSample(engine, optimizer.average, held) : undefined;
    if (since.samples > 0) {
      const bits = since.nats / since.samples / Math.LN2;
      curve.push({ step: optimizer.steps, pixels: before + run.pixels, train: bits, heldOut });
      since = { nats: 0, samples: 0 };
    }
    const bytes = serializeModel({ name, definition, rates: options.rates, weights: optimizer.average });
    const { hash } = await parseModel(bytes);
    await writeCheckpoint(checkpointFile, {
      definition,
      optimizer,
      random: random.state,
      history: start.history,
      model: hash,
      modelBefore,
    });
    await writeFileAtomic(out, bytes, { force: true });
    modelBefore = hash;
    if (heldOut === undefined) return;
    log(`step ${optimizer.steps}: held-out ${heldOut.toFixed(4)} bits per sample, ${Math.round(run.seconds)} s`);
  };

  while (optimizer.steps < options.steps && !signal?.aborted) {
    const crops = Array.from({ length: options.batch }, () => pool.crop());
    const [nats] = await Promise.all([trainingStep(options, kernels, optimizer, crops), pool.refresh()]);
    const samples = samplesOf(crops);
    sum += nats;
    count += samples;
    since.nats += nats;
    since.samples += samples;
    run.pixels += samples / channels;
    const now = performance.now();
    if (now - reported >= LOG_SECONDS * 1000) {
      const seconds = (now - reported) / 1000;
      log(progressLine(options, optimizer.steps, sum / count / Math.LN2, count / channels / seconds));
      reported = now;
      [sum, count] = [0, 0];
    }
    if (now - saved >= CHECKPOINT_SECONDS * 1000) {
      await save();
      saved = performance.now();
    }
  }
  if (optimizer.steps === 0) return;
  await save();
  const text = (path: string, content: string) => writeFileAtomic(path, Buffer.from(content), { force: true });
  await text(cardFile, modelCard(name, options, start.history, heldOut));
  await text(curveFile, learningCurve(name, curve));
  log(`${optimizer.steps} steps, ${((before + run.pixels) / 1e9).toFixed(3)} gigapixels: ${out}`);
}

/** Random weights, or those of a model that the options name. */
async function firstWeights({ definition, seed, init }: TrainingOptions): Promise<Float32Array> {
  if (init === undefined) return initialize(definition, seed);
  const model = await loadModel(init);
  if (isDeepStrictEqual(model.definition, definition)) return model.weights.slice();
  throw new CnfzipError('bad-input', `${init}: it has another model definition`);
}

/**
 * A checkpoint whose model is the file at hand. The checkpoint is written first: a run that ended between the two left the model
 * of the checkpoint before, or none.
 *
 * @throws CnfzipError `bad-input` if the model is another, which the run would replace; `file`, `bad-model`
 */
async function resumable(out: string, checkpoint: Checkpoint): Promise<Checkpoint> {
  const found = (await exists(out)) ? (await loadModel(out)).hash : undefined;
  const { model, modelBefore } = checkpoint;
  if (found === undefined || found === model || found === modelBefore) return { ...checkpoint, modelBefore: found };
  throw new CnfzipError('bad-input', `${out}: not the model that its checkpoint was written with, but ${found}`);
}

/** Loss, speed and time left. The gradient is counted as two forward computations, for inputs and for weights. */
function progressLine(options: TrainingOptions, step: number, bits: number, pixelsPerSecond: number): string {
  const { definition, batch, crop, steps } = options;
  const crops = pixelsPerSecond / crop ** 2;
  const left = ((steps - step) * batch) / crops / 60;
  const flops = 3 * 2 * multiplyAdds(definition) * pixelsPerSecond;
  return `step ${step}: ${bits.toFixed(4)} bits per sample, ${crops.toFixed(1)} crops/s, ${(flops / 1e9).toFixed(1)} GFLOP/s, ${left.toFixed(0)} min left`;
}

/** One optimizer step; returns the batch's loss in nats. */
async function trainingStep(
  options: TrainingOptions,
  kernels: Kernels,
  optimizer: OptimizerState,
  crops: Crop[],
): Promise<number> {
  const { nats, gradient } = await options.engine.evaluate(optimizer.weights, crops, true);
  if (!Number.isFinite(nats))
    throw new CnfzipError('unsupported', `the loss is ${nats} at step ${optimizer.steps}: lower the rate`);
  const rate = learningRate(optimizer.steps, options);
  optimizerStep(optimizer, kernels, options.definition, gradient, 1 / samplesOf(crops), rate);
  return nats;
}
