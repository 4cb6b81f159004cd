/** Decodes damaged and forged files, one after the other, and tells of each what came out. */
import { parentPort, workerData } from 'node:worker_threads';
import { type FuzzKind, type Outcome, prepareTrials } from './trials.js';

export interface FuzzTask {
  readonly kind: FuzzKind;
  readonly firstSeed: number;
  readonly cases: number;
}

export type FuzzReport =
  | { seed: number; begun: true }
  | { seed: number; outcome: Outcome }
  | { seed: number; failure: string };

const CORPUS = 64;

const { kind, firstSeed, cases } = workerData as FuzzTask;
const report = (message: FuzzReport) => parentPort!.postMessage(message);
const run = await prepareTrials(kind, CORPUS);

for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
  report({ seed, begun: true });
  try {
    report({ seed, outcome: await run(seed) });
  } catch (error) {
    report({ seed, failure: (error as Error).stack ?? String(error) });
  }
}
