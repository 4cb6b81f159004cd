import type { Command } from 'commander';
import { type FileInfo, info } from '../index.js';
import { readInput } from '../io/files.js';
import { findShipped } from '../models.js';
import { count, forEachFile } from './report.js';

interface InfoOptions {
  json?: boolean;
}

export function addInfo(program: Command): void {
  program
    .command('info')
    .description('show what .cnfz files are made of')
    .argument('<file...>', '.cnfz files')
    .option('--json', 'one JSON object a line and file, sizes in bytes')
    .action(async (files: string[], options: InfoOptions) => {
      await forEachFile(files, false, (file) => describe(file, options));
    });
}

async function describe(file: string, { json }: InfoOptions): Promise<void> {
  const facts = info(await readInput(file));
  const model = (await findShipped(facts.modelHash))?.name ?? null;
  const text = json ? JSON.stringify({ file, model, ...facts }) : format(file, model, facts);
  process.stdout.write(`${text}\n`);
}

function format(file: string, model: string | null, facts: FileInfo): string {
  const tiles = facts.tiles.map(
    ({ x, y, width, height, bytes }, i) =>
      `  tile ${i + 1}: ${width} x ${height} at (${x}, ${y}), ${count(bytes)} bytes`,
  );
  return [
    `${file}: ${count(facts.bytes)} bytes, ${facts.bitsPerSample.toFixed(3)} bits per sample`,
    `  image: ${facts.width} x ${facts.height}, ${facts.channels === 1 ? 'gray' : 'RGB'}, ${facts.bitDepth} bits`,
    `  format version ${facts.formatVersion}, kernel arithmetic version ${facts.kernelVersion}`,
    `  model: ${facts.modelHash} (${model ?? 'not shipped with this cnfzip'})`,
    `  header, lengths and checksums: ${count(facts.overheadBytes)} bytes`,
    ...tiles,
  ].join('\n');
}
