/** `npm run bench:train`: how fast the kernel engine trains, and how close that comes to the kernels' peak. */

import { Command } from 'commander';
import { Kernels } from '../../codec/kernels/kernels.js';
import { Operations } from '../../codec/kernels/operations.js';
import { type ModelDefinition, multiplyAdds } from '../../models/definition.js';
import { DEFINITIONS } from '../../models/shipped.js';
import type { Crop } from '../train/dataset.js';
import { initialize } from '../train/initialize.js';
import { KernelEngine } from '../train/kernel-engine.js';
import { Random } from '../train/random.js';

const SIDE = 64;
const SECONDS = 5;

const program = new Command('bench:train')
  .description('Measure crops a second and GFLOP/s of the kernel engine, and the peak of the product of its kernels.')
  .option('--definition <name>', 'what to train', 'default')
  .option('--threads <n>', 'worker threads', '2')
  .option('--batch <n>', 'crops a step', '8')
  .action(run);
await program.parseAsync();

async function run(options: { definition: string; threads: string; batch: string }): Promise<void> {
  const definition = DEFINITIONS[options.definition];
  const threads = Number(options.threads);
  const peak = threads * (await productPeak(definition));
  console.log(
    `product of ${definition.width} -> ${inner(definition)}: ${peak.toFixed(1)} GFLOP/s on ${threads} threads`,
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

/** GFLOP/s of the product that most of the work is, on one thread with its maps in the cache. */
async function productPeak(definition: ModelDefinition): Promise<number> {
  const operations = new Operations(await Kernels.create());
  const side = 16;
  const grid = { rows: side, columns: side };
  const [from, to] = [operations.map(grid, definition.width), operations.map(grid, inner(definition))];
  const linear = { weight: operations.vectors(from.channels, to.channels).address, bias: 0 };
  let calls = 0;
  const began = performance.now();
  while (performance.now() - began < 1000 * SECONDS) {
    for (let i = 0; i < 50; i++) operations.mapProduct(to, from, linear, 'replace');
    calls += 50;
  }
  const flops = calls * side ** 2 * 2 * from.channels * to.channels;
  return flops / ((performance.now() - began) / 1000) / 1e9;
}

async function cropsPerSecond(definition: ModelDefinition, threads: number, batch: number): Promise<number> {
  const engine = new KernelEngine(definition, undefined, threads);
  const random = new Random(1);
  const crops: Crop[] = Array.from({ length: batch }, () => ({
    side: SIDE,
    samples: Int32Array.from({ length: SIDE ** 2 * definition.channels }, () => random.below(64)),
  }));
  const weights = initialize(definition, 1);
  await engine.evaluate(weights, crops, true);
  let steps = 0;
  const began = performance.now();
  while (performance.now() - began < 1000 * SECONDS) {
    await engine.evaluate(weights, crops, true);
    steps++;
  }
  const seconds = (performance.now() - began) / 1000;
  await engine.close();
  return (steps * batch) / seconds;
}
