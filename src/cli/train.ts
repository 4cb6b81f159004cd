import { basename } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CnfzipError } from '../../codec/error.js';
import { type AdaptationRates, checkDefinition, type Pace, paceOf, USUAL_RATES } from '../../codec/flow/model.js';
import type { ModelDefinition } from '../../models/definition.js';
import { DEFINITIONS } from '../../models/shipped.js';
import { exists, readNamed } from '../io/files/read.js';
import { requirePackages } from '../package/packages.js';
import { loadModel } from '../session/models.js';
import type { Augmentation } from '../train/dataset.js';
import type { Engine } from '../train/engine.js';
import { integer } from './options.js';
import { reportError, say } from './report.js';

interface TrainOptions {
  data: string[];
  valid?: string[];
  out: string;
  definition: string;
  steps: number;
  batch: number;
  crop: number;
  augment: Augmentation;
  rate: number;
  seed: number;
  threads: number;
  engine: 'auto' | 'kernel' | 'tfjs';
  resume?: boolean;
  init?: string;
  learning?: number;
  adapt?: boolean;
}

export function addTrain(program: Command): void {
  program
    .command('train')
    .description('train a model on folders of images that hold no JPEG traces')
    .requiredOption('--data <folder...>', 'training images: PNG, WebP, TIFF')
    .option('--valid <folder...>', 'held-out images')
    .requiredOption('--out <model>', 'model file to write; the checkpoint goes beside it as <model>.ckpt')
    .option(
      '--definition <name>',
      `what to train: ${Object.keys(DEFINITIONS).join(', ')}, or a JSON file with a model definition`,
      'default',
    )
    .option('--steps <n>', 'optimizer steps', integer(1, 1e9), 20000)
    .option('--batch <n>', 'crops a step', integer(1, 4096), 8)
    .option('--crop <pixels>', "a crop's side", integer(8, 512), 64)
    .addOption(
      new Option('--augment <how>', 'full: all that photographs differ in (docs/training.md); flips: nothing else')
        .choices(['full', 'flips'])
        .default('full'),
    )
    .option('--rate <x>', 'peak learning rate', positive, 0.004)
    .option('--seed <n>', 'seed of all random numbers', integer(0, 0xffffffff), 1)
    .option('--threads <n>', 'worker threads of the kernel engine', integer(1, 256), 2)
    .addOption(
      new Option('--engine <engine>', 'what computes; auto: tfjs where tfjs-node-gpu finds a GPU, else the kernels')
        .choices(['auto', 'kernel', 'tfjs'])
        .default('auto'),
    )
    .addOption(new Option('--init <model>', 'begin with the weights of this model').conflicts('resume'))
    .option(
      '--learning <x>',
      `rate at which the model's heads and field are to go on learning while they code (default: what the model begun with tells, else ${USUAL_RATES.head})`,
      positive,
    )
    .option('--adapt', 'let it do so in every crop that is trained on, too, by the kernels: for crops of 128 and more')
    .option('--resume', 'go on from the checkpoint')
    .addHelpText(
      'after',
      `
Examples:
  cnfzip train --data photos --valid held-out --out mine.cnfm --definition fast
  cnfzip train --data photos --valid held-out --out mine.cnfm --definition fast --steps 40000 --resume`,
    )
    .action(run);
}

async function run({ threads, valid = [], resume = false, learning, adapt, ...options }: TrainOptions): Promise<void> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  let engine: Engine | undefined;
  try {
    if (adapt && options.engine === 'tfjs') {
      throw new CnfzipError('usage', '--adapt needs the kernels: it does not go with --engine tfjs');
    }
    await requirePackages('training', ['sharp', '@observablehq/plot', 'linkedom']);
    const { train } = await import('../train/trainer.js');
    const definition = await readDefinition(options.definition);
    const begun = options.init ?? (resume && (await exists(options.out)) ? options.out : undefined);
    const known = begun === undefined ? USUAL_RATES : (await loadModel(begun)).rates;
    const rates: AdaptationRates = learning === undefined ? known : { ...known, head: learning, field: learning };
    engine = await openEngine(
      adapt ? 'kernel' : options.engine,
      definition,
      paceOf(rates, adapt ? 'heads' : 'none'),
      threads,
    );
    await train({
      ...options,
      definition,
      engine,
      valid,
      resume,
      rates,
      command: command(),
      log: say,
      signal: stop.signal,
    });
  } catch (error) {
    reportError('train', error, false);
  } finally {
    await engine?.close();
  }
}

/** The command as it was typed, with the last names of its paths: a card tells what was done, not where. */
function command(): string {
  return ['cnfzip', ...process.argv.slice(2).map((word) => basename(word))].join(' ');
}

async function readDefinition(name: string): Promise<ModelDefinition> {
  if (Object.hasOwn(DEFINITIONS, name)) return DEFINITIONS[name];
  if (!name.endsWith('.json')) {
    throw new CnfzipError(
      'usage',
      `there is no definition ${name}: name one of ${Object.keys(DEFINITIONS).join(', ')}, or a .json file`,
    );
  }
  const text = new TextDecoder().decode(await readNamed(name));
  const bad = (why: string) => new CnfzipError('bad-model', `${name}: ${why}`);
  let definition: unknown;
  try {
    definition = JSON.parse(text);
  } catch {
    throw bad('not JSON');
  }
  checkDefinition(definition, (why) => bad(why));
  return definition;
}

async function openEngine(
  name: TrainOptions['engine'],
  definition: ModelDefinition,
  pace: Pace | undefined,
  threads: number,
): Promise<Engine> {
  if (name !== 'kernel') {
    const { loadGpuBackend, selectBackend } = await import('../train/backend.js');
    const tf = await (name === 'tfjs' ? selectBackend : loadGpuBackend)(say);
    if (tf) {
      const { TfjsEngine } = await import('../train/tfjs-engine.js');
      say(`training with TensorFlow.js, backend ${tf.getBackend()}`);
      return new TfjsEngine(tf, definition);
    }
  }
  const { KernelEngine } = await import('../train/kernel-engine.js');
  return new KernelEngine(definition, pace, threads);
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a positive number.');
  return value;
}
