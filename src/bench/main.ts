/** `npm run bench -- FOLDER`: cnfzip and other lossless codecs on the same PNG files, every file decoded and compared. */

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { readImage } from '../index.js';
import { cnfzip, peers } from './codecs.js';
import { ChangedError, type Measurement, measure, missing } from './measure.js';
import { chart, csv, table, totals } from './report.js';

interface BenchOptions {
  levels: string[];
  models: string[];
  threads: string;
  csv?: string;
  svg?: string;
}

const program = new Command('bench')
  .description('Compress PNG files with cnfzip and other lossless codecs, decode and compare them.')
  .argument('<folder>', 'folder of PNG files')
  .option('--levels <n...>', 'levels of cnfzip', ['1', '3', '4', '9'])
  .option('--models <file...>', 'models of cnfzip beside those of the levels', [])
  .option('--threads <n>', 'threads of every codec that has the option', '1')
  .option('--csv <file>', 'write every measurement')
  .option('--svg <file>', 'write a chart of rate against speed')
  .action(run);
try {
  await program.parseAsync();
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}

async function run(folder: string, options: BenchOptions): Promise<void> {
  const threads = Number(options.threads);
  const choices = [
    ...options.levels.map((level) => [`-${level}`]),
    ...options.models.map((model) => ['--model', model]),
  ];
  const all = [...choices.map((choice) => cnfzip(choice, threads)), ...peers(threads)];
  let codecs = all.filter((codec) => {
    const absent = missing(codec);
    if (absent.length > 0) console.error(`${codec.name}: skipped, ${absent.join(' and ')} cannot be found`);
    return absent.length === 0;
  });
  const files = (await readdir(folder)).filter((name) => /\.png$/i.test(name)).sort();
  if (files.length === 0) throw new Error(`${folder}: no PNG files`);
  let measurements: Measurement[] = [];
  const work = await mkdtemp(join(tmpdir(), 'cnfzip-bench-'));
  try {
    for (const name of files) {
      const file = join(folder, name);
      const image = await readImage(file);
      for (const codec of codecs) {
        try {
          measurements.push(await measure(codec, file, image, work));
        } catch (error) {
          if (!(error instanceof ChangedError) || codec.own) throw error;
          // A peer for 8 bits only, say.
          console.error(`${codec.name}: left out, ${error.message}`);
          codecs = codecs.filter((other) => other !== codec);
          measurements = measurements.filter(({ codec: name }) => name !== codec.name);
        }
      }
      const sizes = measurements.slice(-codecs.length).map(({ codec, bytes }) => `${codec} ${bytes}`);
      console.error(`${basename(file)}: ${sizes.join(', ')}`);
    }
  } finally {
    await rm(work, { recursive: true });
  }
  const results = totals(measurements);
  console.log(`${files.length} files, ${threads} threads; all decoded and compared`);
  console.log(table(results, 'cjxl -d 0 -e 7'));
  if (options.csv) await writeFile(options.csv, csv(measurements));
  const own = new Set(all.filter((codec) => codec.own).map(({ name }) => name));
  if (options.svg) await writeFile(options.svg, chart(results, own));
}
