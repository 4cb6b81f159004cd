/** A thread that runs one experiment: TensorFlow.js computes in the thread that calls it, so each experiment has its own. */

import { parentPort, workerData } from 'node:worker_threads';
import { CnfzipError } from '../../codec/error.js';
import { selectBackend } from '../train/backend.js';
import { Random } from '../train/random.js';
import { loadExperiment } from './registry.js';
import type { Reply, Task } from './task.js';

const { name, quick, seed, data } = workerData as Task;
const reply = (message: Reply) => parentPort!.postMessage(message);
const log = (line: string) => reply({ kind: 'log', line });

try {
  const start = performance.now();
  const experiment = await loadExperiment(name);
  await selectBackend(log);
  const findings = await experiment.run({ quick, seed, random: new Random(seed), data, log });
  reply({ kind: 'done', findings, seconds: (performance.now() - start) / 1000 });
} catch (error) {
  const { message, stack } = error as Error;
  reply({ kind: 'failed', message, known: error instanceof CnfzipError, stack });
}
