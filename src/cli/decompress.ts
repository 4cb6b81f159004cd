import type { Command } from 'commander';
import { CnfzipError, decode, encodePng, type Image } from '../index.js';
import { readInput } from '../io/files.js';
import { addCommonOptions, addOutputOptions, codingOptions, type OutputOptions, requireOneInput } from './options.js';
import { openTarget } from './output.js';
import { Progress } from './progress.js';
import { count, forEachFile, say } from './report.js';

export function addDecompress(program: Command): void {
  const command = program
    .command('decompress')
    .description('decompress .cnfz files: photo.cnfz becomes photo.png, and photo.cnfz is kept')
    .argument('<file...>', '.cnfz files');
  addOutputOptions(command);
  addCommonOptions(command).action(async (files: string[], options: OutputOptions) => {
    requireOneInput(command, files, options);
    await forEachFile(files, options.verbose, (file) => decompress(file, options));
  });
}

async function decompress(file: string, options: OutputOptions): Promise<void> {
  if (!options.output && !options.stdout && !file.endsWith('.cnfz')) {
    throw new CnfzipError('usage', 'its name does not end in .cnfz: name the output with -o');
  }
  const bytes = await readInput(file);
  const target = await openTarget(file, '.png', options);
  const started = performance.now();
  const progress = new Progress(file, options.quiet);
  let image: Image;
  try {
    image = await decode(bytes, { ...codingOptions(options), onProgress: progress.update });
  } finally {
    progress.clear();
  }
  const seconds = (performance.now() - started) / 1000;
  const png = encodePng(image);
  await target.write(png);
  if (options.quiet) return;
  const { width, height, channels } = image;
  say(
    `${file} -> ${target.name}: ${width} x ${height} ${channels === 1 ? 'gray' : 'RGB'}, ` +
      `${count(bytes.length)} -> ${count(png.length)} bytes, ${seconds.toFixed(2)} s`,
  );
}
