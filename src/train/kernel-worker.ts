/** A thread of the kernel engine. */
import { parentPort, workerData } from 'node:worker_threads';
import { Likelihood } from '../../codec/flow/likelihood.js';
import { cropShape } from './dataset.js';
import type { KernelTask, KernelWorkerData } from './kernel-engine.js';

const { definition, pace, weights, gradient } = workerData as KernelWorkerData;
const likelihood = Likelihood.create(definition, pace);

parentPort!.on('message', async (task: KernelTask) => {
  const model = await likelihood;
  model.load(weights);
  let nats = 0;
  for (const crop of task.crops) nats += model.evaluate(crop.samples, cropShape(crop), task.gradient);
  gradient.set(model.gradient());
  parentPort!.postMessage(nats);
});
