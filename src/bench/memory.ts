/** Measures how much memory `compress` and `decompress` take, beside what `--max-memory` takes for granted. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { dot, line, selectLast, text } from '@observablehq/plot';
import { Command } from 'commander';
import { tileCount } from '../../codec/tiles.js';
import { integer } from '../cli/options.js';
import { svg } from '../drawing/svg.js';
import { info } from '../index.js';
import { netpbmPieces } from '../io/banded/netpbm.js';
import { writeFileAtomic } from '../io/files/write.js';
import { memoryFor, type Work, webpPixelsOf } from '../session/memory.js';
import { modelForDecoding } from '../session/models.js';
import { mosaicOfFiles } from './mosaic.js';
import { runMeasured } from './processes.js';

/** What a run of the command line took. */
interface Measured {
  readonly operation: Work['operation'];
  readonly file: string;
  readonly megapixels: number;
  readonly threads: number;
  /** Bytes. */
  readonly peak: number;
  readonly estimate: number;
  readonly seconds: number;
}

async function measure(file: string, { level, model, threads }: MemoryOptions): Promise<Measured[]> {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-memory-'));
  const compressed = join(folder, 'a.cnfz');
  const options = ['-q', '-T', String(threads)];
  const chosen = level === undefined ? ['--model', model] : [`-${level}`];
  try {
    const encoding = runMeasured('compress', ...options, ...chosen, '-o', compressed, file);
    const decoding = runMeasured('decompress', ...options, '-o', join(folder, 'a.png'), compressed);
    const facts = info(readFileSync(compressed));
    const used = Math.min(threads, tileCount(facts.width, facts.height));
    const hashes = facts.layers.flatMap(({ modelHash }) => modelHash ?? []);
    const models = await Promise.all(hashes.map((hash) => modelForDecoding(hash)));
    const works: [Work, typeof encoding][] = [
      [{ operation: 'encode', models }, encoding],
      [{ operation: 'decode', models, webpPixels: webpPixelsOf(facts) }, decoding],
    ];
    return works.map(([work, { peak, seconds }]) => ({
      operation: work.operation,
      file: basename(file),
      megapixels: (facts.width * facts.height) / 1e6,
      threads: used,
      peak,
      estimate: memoryFor(facts, work, used),
      seconds,
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs `work` on a mosaic of photographs. */
async function withMosaic<T>(
  photographs: readonly string[],
  megapixels: number,
  work: (file: string) => T,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-mosaic-'));
  try {
    const side = Math.round(1000 * Math.sqrt(megapixels));
    const file = join(folder, `${side} x ${side}.ppm`);
    await writeFileAtomic(file, netpbmPieces(await mosaicOfFiles(photographs, side, side)));
    return await work(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function report(rows: readonly Measured[]): void {
  for (const { operation, file, threads, peak, estimate, seconds } of rows) {
    const megabytes = [peak, estimate].map((bytes) => (bytes / 1e6).toFixed(0).padStart(6));
    const quotient = (estimate / peak).toFixed(2);
    console.log(`${operation} ${megabytes.join(' ')} ${quotient} ${Math.round(seconds)} s  ${threads} ${file}`);
  }
}

const OPERATIONS = ['encode', 'decode'] as const;

/** Memory and time by the image's size, side by side. */
function chart(rows: readonly Measured[]): string {
  const ordered = [...rows].sort((a, b) => a.megapixels - b.megapixels);
  const points = ordered.flatMap(({ operation, megapixels, peak, seconds }) => [
    { operation, megapixels, what: 'megabytes of memory', value: peak / 1e6 },
    { operation, megapixels, what: 'seconds', value: seconds },
  ]);
  const channels = { x: 'megapixels', y: 'value', fx: 'what', stroke: 'operation', z: 'operation' } as const;
  return svg({
    ariaLabel: 'Memory and time by the size of the image',
    width: 800,
    height: 360,
    marginLeft: 50,
    marginBottom: 45,
    x: { type: 'log', label: 'megapixels', tickFormat: String, ticks: 4 },
    y: { type: 'log', nice: true, label: null, grid: true, tickFormat: String },
    fx: { label: null },
    color: { domain: OPERATIONS, range: ['#c2410c', '#475569'] },
    marks: [
      line(points, channels),
      dot(points, channels),
      // They may be close: one above, one below.
      ...OPERATIONS.map((operation, i) => {
        const own = points.filter((point) => point.operation === operation);
        return text(own, {
          ...selectLast(channels),
          text: 'operation',
          dx: -8,
          dy: [-10, 12][i],
          fill: 'operation',
          stroke: 'white',
        });
      }),
    ],
  });
}

interface MemoryOptions {
  readonly level?: number;
  readonly model: string;
  readonly threads: number;
  readonly megapixels: number[];
  readonly svg?: string;
  readonly rows?: string;
}

await new Command('bench:memory')
  .description(
    'Peak memory of whole processes, in megabytes: measured, estimated (for an image that is held whole), the quotient; seconds; threads, file.',
  )
  .argument('<image...>', 'files that compress reads')
  .option('--model <model>', 'as for compress', 'default')
  .option('--level <n>', 'of compress, instead of a model', integer(1, 9))
  .option('-T, --threads <n>', 'as for compress', integer(1, 256), 1)
  .option(
    '--megapixels <n...>',
    'instead of the files, squares of so many megapixels made of them: photographs',
    (n, all: number[] = []) => [...all, Number(n)],
    [],
  )
  .option('--svg <file>', 'write a chart')
  .option('--rows <file>', 'add what is measured to a JSON file, whose earlier rows the chart shows, too')
  .action(async (files: string[], options: MemoryOptions) => {
    const rows: Measured[] =
      options.rows && existsSync(options.rows) ? JSON.parse(readFileSync(options.rows, 'utf8')) : [];
    const add = async (file: string) => {
      const measured = await measure(file, options);
      report(measured);
      rows.push(...measured);
      if (options.rows) writeFileSync(options.rows, `${JSON.stringify(rows, undefined, 2)}\n`);
    };
    for (const megapixels of options.megapixels) await withMosaic(files, megapixels, add);
    if (options.megapixels.length === 0) for (const file of files) await add(file);
    if (options.svg) writeFileSync(options.svg, chart(rows));
  })
  .parseAsync();
