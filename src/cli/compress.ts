import type { Command } from 'commander';
import { decodePng, encode } from '../index.js';
import { readInput } from '../io/files.js';
import { listPngMetadata } from '../io/png.js';
import { addCommonOptions, addOutputOptions, codingOptions, type OutputOptions, requireOneInput } from './options.js';
import { openTarget } from './output.js';
import { Progress } from './progress.js';
import { count, forEachFile, say } from './report.js';

export function addCompress(program: Command): void {
  const command = program
    .command('compress')
    .description('compress PNG files: photo.png becomes photo.cnfz, and photo.png is kept')
    .argument('<file...>', 'PNG files of 8-bit gray or RGB samples');
  addOutputOptions(command);
  addCommonOptions(command).action(async (files: string[], options: OutputOptions) => {
    requireOneInput(command, files, options);
    await forEachFile(files, options.verbose, (file) => compress(file, options));
  });
}

async function compress(file: string, options: OutputOptions): Promise<void> {
  const png = await readInput(file);
  const image = decodePng(png);
  const target = await openTarget(file, '.cnfz', options);
  if (options.verbose) {
    const metadata = listPngMetadata(png);
    if (metadata.length > 0) say(`cnfzip: ${file}: warning: metadata is not kept yet: ${metadata.join(', ')}`);
  }
  const started = performance.now();
  const progress = new Progress(file, options.quiet);
  let bytes: Uint8Array;
  try {
    bytes = await encode(image, { ...codingOptions(options), onProgress: progress.update });
  } finally {
    progress.clear();
  }
  const seconds = (performance.now() - started) / 1000;
  await target.write(bytes);
  if (options.quiet) return;
  const percent = ((100 * bytes.length) / png.length).toFixed(1);
  const bits = ((8 * bytes.length) / image.samples.length).toFixed(3);
  say(
    `${file} -> ${target.name}: ${count(png.length)} -> ${count(bytes.length)} bytes (${percent} %), ` +
      `${bits} bits per sample, ${seconds.toFixed(2)} s`,
  );
}
