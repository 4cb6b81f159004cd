import type { Command } from 'commander';
import { decode, encodePng, type Image } from '../index.js';
import { addCommonOptions, addOutputOptions, codingOptions, type OutputOptions } from './options.js';
import { Progress } from './progress.js';
import { count, say } from './report.js';
import { type Job, transformFiles } from './transform.js';

export function addDecompress(program: Command): void {
  const command = program
    .command('decompress')
    .description('decompress .cnfz files: photo.cnfz becomes photo.png, and photo.cnfz is kept')
    .argument('<file...>', '.cnfz files, folders with -r, or - for standard input');
  addOutputOptions(command);
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cnfzip decompress photo.cnfz                 photo.png beside it
  cnfzip decompress -r z --output-dir photos   a folder, into another folder
  cnfzip decompress -c - < photo.cnfz | display -`,
    )
    .action(async (files: string[], options: OutputOptions) => {
      await transformFiles(command, files, options, { from: ['.cnfz'], to: '.png' }, (job) => decompress(job, options));
    });
}

async function decompress({ input, label, target }: Job, options: OutputOptions): Promise<object> {
  const bytes = await input();
  const started = performance.now();
  const progress = new Progress(label, options);
  let image: Image;
  try {
    image = await decode(bytes, { ...codingOptions(options), onProgress: progress.update });
  } finally {
    progress.clear();
  }
  const seconds = (performance.now() - started) / 1000;
  const png = encodePng(image);
  await target.write(png);
  const { width, height, channels } = image;
  if (!options.quiet && !options.json) {
    say(
      `${label} -> ${target.name}: ${width} x ${height} ${channels === 1 ? 'gray' : 'RGB'}, ` +
        `${count(bytes.length)} -> ${count(png.length)} bytes, ${seconds.toFixed(2)} s`,
    );
  }
  return { inputBytes: bytes.length, outputBytes: png.length, width, height, channels, seconds };
}
