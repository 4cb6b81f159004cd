/** Runs experiments, several at once, and writes their reports. */

import { join } from 'node:path';
import { CnfzipError } from '../../codec/error.js';
import { makeFolder } from '../io/files/folders.js';
import { writeFileAtomic } from '../io/files/write.js';
import { startThread } from '../threads/thread.js';
import { loadExperiment, NAMES } from './registry.js';
import { htmlReport, indexPage, jsonReport, type Run } from './report.js';
import type { Reply, Task } from './task.js';

export interface LabOptions extends Omit<Task, 'name'> {
  /** Folder for the reports; made if there is none. */
  readonly out: string;
  readonly version: string;
  /** Experiments that run at once. */
  readonly threads: number;
  /** @param begun experiments that have begun, this one included */
  onStart(name: string, begun: number, all: number): void;
  onLog(name: string, line: string): void;
  onDone(run: Run, file: string): void;
  onError(name: string, error: Error): void;
}

/**
 * Runs experiments by their names, or `all`; one that fails does not keep the others from running.
 *
 * @throws {CnfzipError} `usage` for an unknown name, `file` if the folder cannot be made
 */
export async function runExperiments(names: readonly string[], options: LabOptions): Promise<void> {
  const queue = names.includes('all') ? [...NAMES] : [...new Set(names)];
  await Promise.all(queue.map(loadExperiment));
  await makeFolder(options.out);
  const runs: Run[] = [];
  const next = [...queue];
  const lane = async () => {
    for (let name = next.shift(); name; name = next.shift()) {
      options.onStart(name, queue.length - next.length, queue.length);
      try {
        const run = await runOne(name, options);
        runs.push(run);
        options.onDone(run, await writeReport(run, options.out));
      } catch (error) {
        options.onError(name, error as Error);
      }
    }
  };
  await Promise.all(Array.from({ length: options.threads }, lane));
  if (queue.length > 1 && runs.length > 0) {
    const inOrder = runs.sort((a, b) => NAMES.indexOf(a.name) - NAMES.indexOf(b.name));
    await write(join(options.out, 'index.html'), indexPage(inOrder));
  }
}

async function runOne(name: string, { quick, seed, data, version, onLog }: LabOptions): Promise<Run> {
  const { title, claim } = await loadExperiment(name);
  const task: Task = { name, quick, seed, data };
  const worker = startThread(new URL('./experiment-worker.js', import.meta.url), { workerData: task });
  try {
    return await new Promise((resolve, reject) => {
      worker.on('message', (reply: Reply) => {
        if (reply.kind === 'log') return onLog(name, reply.line);
        if (reply.kind === 'done') {
          const { findings, seconds } = reply;
          return resolve({ name, experiment: { title, claim }, findings, quick, seed, seconds, version });
        }
        const { message, known, stack } = reply;
        reject(known ? new CnfzipError('file', message) : Object.assign(new Error(message), { stack }));
      });
      worker.on('error', reject);
      worker.on('exit', () => reject(new Error('the experiment ended without an answer')));
    });
  } finally {
    await worker.terminate();
  }
}

async function writeReport(run: Run, folder: string): Promise<string> {
  const page = join(folder, `${run.name}.html`);
  await write(page, htmlReport(run));
  await write(join(folder, `${run.name}.json`), jsonReport(run));
  return page;
}

async function write(path: string, text: string): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(text), { force: true });
}
