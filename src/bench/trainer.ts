/** `npm run bench:train`: how fast the kernel engine trains, and how close that comes to the kernels' peak. */

import { Command } from 'commander';
import { Kernels } from '../../codec/kernels/kernels.js';
import { type ModelDefinition, multiplyAdds } from '../../models/definition.js';
import { DEFINITIONS } from '../../models/shipped.js';
import type { Crop } from '../train/dataset.js';
import { initialize } from '../train/initialize.js';
import { KernelEngine } from '../train/kernel-engine.js';
import { Random } from '../train/random.js';

const SIDE = 64;
const SECONDS = 5;

const program = new Command('bench:train')
  .description('Measure crops a second and GFLOP/s of the kernel engine, and the peak of its convolution kernel.')
  .option('--definition <name>', 'what to train', 'default')
  .option('--threads <n>', 'worker threads', '2')
  .option('--batch <n>', 'crops a step', '8')
  .action(run);
await program.parseAsync();

async function run(options: { definition: string; threads: string; batch: string }): Promise<void> {
  const definition = DEFINITIONS[options.definition];
  const threads = Number(options.threads);
  const peak = threads * (await convolutionPeak(definition));
  console.log(
    `1x1 convolution ${definition.width} -> ${inner(definition)}: ${peak.toFixed(1)} GFLOP/s on ${threads} threads`,
  );
  const crops = await cropsPerSecond(definition, threads, Number(options.batch));
  // As the trainer counts: the gradient is two forward computations more, for inputs and for weights.
  const achieved = (3 * 2 * multiplyAdds(definition) * crops * SIDE ** 2) / 1e9;
  const share = ((100 * achieved) / peak).toFixed(0);
  console.log(
    `training ${options.definition}: ${crops.toFixed(1)} crops/s, ${achieved.toFixed(1)} GFLOP/s, ${share} % of that`,
  );
}

function inner({ expand, width }: ModelDefinition): number {
  return expand * width;
}

/** GFLOP/s of the convolution that most of the work is, on one thread with its maps in the cache. */
async function convolutionPeak(definition: ModelDefinition): Promise<number> {
  const kernels = await Kernels.create();
  const side = 16;
  const [from, to] = [definition.width, inner(definition)];
  const map = (channels: number) => kernels.alloc((side + 2) ** 2 * channels * 4);
  const [input, output, weights] = [map(from), map(to), kernels.alloc(from * to * 4)];
  let calls = 0;
  const began = performance.now();
  while (performance.now() - began < 1000 * SECONDS) {
    for (let i = 0; i < 50; i++) kernels.run.conv(output, input, weights, 0, side, side, from, to, 1, 0);
    calls += 50;
  }
  return (calls * side ** 2 * 2 * from * to) / ((performance.now() - began) / 1000) / 1e9;
}

async function cropsPerSecond(definition: ModelDefinition, threads: number, batch: number): Promise<number> {
  const engine = new KernelEngine(definition, threads);
  const random = new Random(1);
  const crops: Crop[] = Array.from({ length: batch }, () => ({
    side: SIDE,
    samples: Int32Array.from({ length: SIDE ** 2 * definition.channels }, () => random.below(64)),
  }));
  const weights = initialize(definition, 1);
  await engine.evaluate(weights, crops, 1, true);
  let steps = 0;
  const began = performance.now();
  while (performance.now() - began < 1000 * SECONDS) {
    await engine.evaluate(weights, crops, ++steps, true);
  }
  const seconds = (performance.now() - began) / 1000;
  await engine.close();
  return (steps * batch) / seconds;
}
