/** `npm run bench:scales -- FOLDER`: what part of a file each scale needs, and what JPEG XL's progressive files take, on a folder of PNG files. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { encode, info, readImage } from '../index.js';

/** Scales of the table: 1/8, 1/4, 1/2. */
const LEVELS = [3, 2, 1];

function bytesOfJxl(file: string, ...options: string[]): number {
  const folder = mkdtempSync(join(tmpdir(), 'cnfzip-scales-'));
  try {
    const out = join(folder, 'a.jxl');
    const { status, error } = spawnSync('cjxl', ['-d', '0', ...options, file, out]);
    if (status !== 0) throw new Error(`cjxl failed on ${file}: ${error?.message ?? status}`);
    return statSync(out).size;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`;

await new Command('bench:scales')
  .description(
    'Bytes of PNG files by cnfzip, the parts of them that scales need, and bytes by cjxl -d 0 without and with -p.',
  )
  .argument('<folder>', 'folder of PNG files')
  .option('--model <model>', 'as for compress', 'fast')
  .action(async (folder: string, { model }: { model: string }) => {
    console.log('file: cnfzip bytes (1/8, 1/4, 1/2 of it); cjxl -d 0, cjxl -d 0 -p');
    const sums = { cnfz: 0, plain: 0, progressive: 0, scales: LEVELS.map(() => 0) };
    const line = (name: string, { cnfz, plain, progressive, scales }: typeof sums) => {
      const parts = scales.map((bytes) => percent(bytes, cnfz)).join(', ');
      const more = percent(progressive - plain, plain);
      console.log(`${name}: ${cnfz} (${parts}); ${plain}, ${progressive} (${more} more)`);
    };
    for (const name of readdirSync(folder).filter((name) => name.endsWith('.png'))) {
      const file = join(folder, name);
      const facts = info(await encode(await readImage(file), { model, verify: false }));
      const scales = LEVELS.map((level) => facts.scales.find(({ scale }) => scale >= 2 ** -level)!.bytes);
      const own = { cnfz: facts.bytes, plain: bytesOfJxl(file), progressive: bytesOfJxl(file, '-p'), scales };
      line(name, own);
      for (const key of ['cnfz', 'plain', 'progressive'] as const) sums[key] += own[key];
      sums.scales = sums.scales.map((sum, i) => sum + scales[i]);
    }
    line('all', sums);
  })
  .parseAsync();
