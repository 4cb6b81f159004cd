/** Measures how much memory `compress` and `decompress` take, beside what `--max-memory` takes for granted. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import type { Channels } from '../../codec/image.js';
import { tileCount } from '../../codec/tiles.js';
import { integer } from '../cli/options.js';
import { info } from '../index.js';
import { memoryFor, type Work, webpPixelsOf } from '../memory.js';
import { modelsForEncoding } from '../models.js';
import { MAIN } from '../packages.js';

/** Tells a process's peak at its end. */
const HOOK = `data:text/javascript,process.on('exit',()=>console.log('peak',process.resourceUsage().maxRSS))`;

/** The largest resident set of a run of the command line, in bytes. */
function peakOf(...args: string[]): number {
  const { status, stdout } = spawnSync(process.execPath, ['--import', HOOK, MAIN, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`cnfzip ${args.join(' ')} ended with ${status}`);
  return 1024 * Math.max(...[...stdout.matchAll(/peak (\d+)/g)].map(([, kilobytes]) => Number(kilobytes)));
}

async function measure(file: string, model: string, threads: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-memory-'));
  const compressed = join(folder, 'a.cnfz');
  const options = ['-q', '-T', String(threads)];
  try {
    const encoding = peakOf('compress', ...options, '--model', model, '-o', compressed, file);
    const decoding = peakOf('decompress', ...options, '-o', join(folder, 'a.png'), compressed);
    const facts = info(readFileSync(compressed));
    const used = Math.min(threads, tileCount(facts.width, facts.height));
    const models = await modelsForEncoding(facts.channels as Channels, model);
    const hashes = facts.layers.map(({ modelHash }) => modelHash);
    const webpPixels = webpPixelsOf(facts);
    const rows: [Work, number][] = [
      [{ operation: 'encode', models }, encoding],
      [{ operation: 'decode', models: models.filter(({ hash }) => hashes.includes(hash)), webpPixels }, decoding],
    ];
    for (const [work, peak] of rows) {
      const estimate = memoryFor(facts, work, used);
      const megabytes = [peak, estimate].map((bytes) => (bytes / 1e6).toFixed(0).padStart(6));
      console.log(
        `${work.operation} ${megabytes.join(' ')} ${(estimate / peak).toFixed(2)}  ${used} ${basename(file)}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await new Command('bench:memory')
  .description('Peak memory of whole processes, in megabytes: measured, estimated, the quotient; threads, file.')
  .argument('<image...>', 'files that compress reads')
  .option('--model <model>', 'as for compress', 'default')
  .option('-T, --threads <n>', 'as for compress', integer(1, 256), 1)
  .action(async (files: string[], { model, threads }: { model: string; threads: number }) => {
    for (const file of files) await measure(file, model, threads);
  })
  .parseAsync();
