import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { CnfzipError } from '../../codec/error.js';
import { exists } from '../io/files/read.js';
import { requirePackages } from '../package/packages.js';
import { integer } from './options.js';
import { print, reportError, reported, say } from './report.js';

interface RunOptions {
  quick?: boolean;
  seed: number;
  out: string;
  data?: string;
  threads: number;
  verbose?: boolean;
  quiet?: boolean;
}

export function addLab(program: Command, version: string): void {
  const lab = program
    .command('lab')
    .description('experiments on continuous normalizing flows, each of which writes a report')
    .addHelpText(
      'after',
      `
Examples:
  cnfzip lab list
  cnfzip lab run hutchinson --quick     cnfzip-lab/hutchinson.html and .json
  cnfzip lab run all --out reports      all of them, and reports/index.html`,
    );
  lab
    .command('list')
    .description('the experiments and what each asks')
    .action(() => withPackages(false, list));
  lab
    .command('run')
    .description('run experiments; exit code 1 if a prediction does not hold')
    .argument('<name...>', 'names as `lab list` tells them, or all')
    .option('--quick', 'less data and fewer steps: under a minute each')
    .option('--seed <n>', 'seed of all random numbers', integer(0, 0xffffffff), 1)
    .option('--out <folder>', 'folder for the reports', 'cnfzip-lab')
    .option('--data <folder>', 'folder of data sets that the project does not hold (default: data, if there is one)')
    .option('-T, --threads <n>', 'experiments that run at once', integer(1, 256), availableParallelism())
    .option('-q, --quiet', 'print nothing but errors')
    .option('-v, --verbose', 'print what each experiment is doing')
    .action((names: string[], options: RunOptions) =>
      withPackages(options.verbose, () => run(names, version, options)),
    );
}

const PACKAGES = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-wasm', '@observablehq/plot', 'linkedom'];

/** Runs what needs the laboratory's packages. */
function withPackages(verbose: boolean | undefined, work: () => Promise<void>): Promise<void> {
  return reported('lab', { verbose }, async () => {
    await requirePackages('the laboratory', PACKAGES);
    await work();
  });
}

async function list(): Promise<void> {
  const { loadExperiment, NAMES } = await import('../lab/registry.js');
  const width = Math.max(...NAMES.map((name) => name.length));
  for (const name of NAMES) {
    await print(`${name.padEnd(width)}  ${(await loadExperiment(name)).title}`);
  }
}

async function run(names: string[], version: string, options: RunOptions): Promise<void> {
  const { quiet, verbose, quick = false, data, ...rest } = options;
  if (data !== undefined && !(await exists(data))) {
    throw new CnfzipError('file', `there is no folder ${data} (option --data)`);
  }
  const { runExperiments } = await import('../lab/run.js');
  const { passed, verdict } = await import('../lab/report.js');
  const { significant, toldSpread } = await import('../lab/experiment.js');
  await runExperiments(names, {
    ...rest,
    data: data ?? 'data',
    quick,
    version,
    onStart: (name, begun, all) => quiet || say(`${name}: begins, ${begun} of ${all}`),
    onLog: (name, line) => verbose && say(`${name}: ${line}`),
    onDone(done, file) {
      const { checks, contests = [] } = done.findings;
      if (!passed(done)) process.exitCode = 1;
      if (quiet) return;
      const lines = checks.map(
        ({ claim, measured, error, predicted, unit, passed: holds }) =>
          `  ${holds ? 'pass' : 'FAIL'}  ${claim}: ${error === undefined ? significant(measured) : toldSpread({ mean: measured, error })}${unit && ` ${unit}`} (${predicted})`,
      );
      const decided = contests.map(
        ({ claim, gain, unit, outcome }) => `  ${outcome}  ${claim}: by ${toldSpread(gain)} ${unit}`,
      );
      const head = `${done.name}: ${verdict(done.findings)}, ${done.seconds.toFixed(1)} s -> ${file}`;
      print(head, ...lines, ...decided).catch((error) => reportError(`lab: ${done.name}`, error, verbose));
    },
    onError: (name, error) => reportError(`lab: ${name}`, error, verbose),
  });
}
