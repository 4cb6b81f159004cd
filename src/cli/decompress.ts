import { type Command, Option } from 'commander';
import { decode, type Image, info } from '../index.js';
import { extensionOf, formatOfExtension, naturalFormat, OUTPUT_FORMATS, type OutputFormat } from '../io/formats.js';
import { writeProven } from '../io/prove.js';
import { describeImage, describeLayers } from './describe.js';
import { addCommonOptions, addOutputOptions, codingOptions, type OutputOptions } from './options.js';
import { count, say } from './report.js';
import { type Done, type Job, transformFiles } from './transform.js';

interface DecompressOptions extends OutputOptions {
  format?: OutputFormat;
}

export function addDecompress(program: Command): void {
  const command = program
    .command('decompress')
    .description('decompress .cnfz files: photo.cnfz becomes photo.png, and photo.cnfz is kept')
    .argument('[file...]', '.cnfz files, folders with -r, or - for standard input');
  addOutputOptions(command);
  command.addOption(
    new Option(
      '--format <format>',
      'what to write (default: by the extension of -o, or png; ppm for samples that no PNG can hold as they are)',
    ).choices(OUTPUT_FORMATS),
  );
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cnfzip decompress photo.cnfz                 photo.png beside it
  cnfzip decompress -r z --output-dir photos   a folder, into another folder
  cnfzip -d < photo.cnfz | display -           in a pipe`,
    )
    .action(async (files: string[], options: DecompressOptions) => {
      await transformFiles(command, files, options, ['.cnfz'], (job) => decompress(job, options));
    });
}

async function decompress(job: Job, options: DecompressOptions): Promise<Done> {
  const bytes = await job.input();
  const { maxPixels, maxMemory } = options;
  const about = info(bytes, { maxPixels, maxMemory });
  const format = options.format ?? formatOfExtension(options.output ?? '') ?? naturalFormat(about);
  const target = await job.target(extensionOf(about, format));
  const started = performance.now();
  job.progress.start(about);
  let image: Image;
  try {
    image = await decode(bytes, { ...codingOptions(options), onProgress: job.progress.update });
  } finally {
    job.progress.clear();
  }
  const seconds = (performance.now() - started) / 1000;
  const written = await writeProven(image, format);
  if (!options.quiet) for (const warning of written.warnings) say(`cnfzip: ${job.label}: warning: ${warning}`);
  await target.write(written.bytes);
  if (!options.quiet && !options.json) {
    say(
      `${job.label} -> ${target.name}: ${describeImage(about)}, ` +
        `${count(bytes.length)} -> ${count(written.bytes.length)} bytes, ${seconds.toFixed(2)} s`,
    );
    if (options.verbose) for (const line of await describeLayers(about)) say(line);
  }
  const { width, height, channels, maxval } = about;
  const sizes = { inputBytes: bytes.length, outputBytes: written.bytes.length };
  const facts = { output: target.name, ...sizes, width, height, channels, maxval, format, seconds };
  return { facts, complete: written.complete, warnings: written.warnings };
}
