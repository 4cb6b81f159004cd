import { type Command, Option } from 'commander';
import { type Codec, type EncodeCallOptions, info } from '../index.js';
import { INPUT_EXTENSIONS, readImage } from '../io/formats.js';
import { withCodec } from '../session.js';
import { describeLayers } from './describe.js';
import { addEncoding, type EncodingOptions, encodingOptions, imageToEncode } from './encoding.js';
import { addCommonOptions, addOutputOptions, type OutputOptions } from './options.js';
import { count, say } from './report.js';
import { type Done, type Job, transformFiles } from './transform.js';

interface CompressOptions extends OutputOptions, EncodingOptions {
  verify: boolean;
}

export function addCompress(program: Command): void {
  const command = program
    .command('compress')
    .description('compress images: photo.png becomes photo.cnfz, and photo.png is kept')
    .argument('[file...]', 'PNG, Netpbm, TIFF, WebP, BMP, GIF or JPEG files, folders with -r, or - for standard input');
  addOutputOptions(command);
  addEncoding(command);
  command.addOption(
    new Option('--no-verify', 'do not decode and compare the result before it is written').conflicts('rm'),
  );
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cnfzip compress photo.png                      photo.cnfz beside it
  cnfzip compress -9 -r photos/ --output-dir z   the best model, a folder, into another folder
  cnfzip < photo.png > photo.cnfz                in a pipe`,
    )
    .action(async (files: string[], options: CompressOptions) => {
      const { all, each } = encodingOptions(command, options);
      const encoding = { ...each, verify: options.verify };
      await withCodec(all, (codec) =>
        transformFiles(command, files, options, INPUT_EXTENSIONS, (job) => compress(job, options, codec, encoding)),
      );
    });
}

async function compress(job: Job, options: CompressOptions, codec: Codec, encoding: EncodeCallOptions): Promise<Done> {
  const target = await job.target('.cnfz');
  const file = await job.input();
  const { image, warnings, complete } = await readImage(file, options);
  if (!options.quiet) for (const warning of warnings) say(`cnfzip: ${job.label}: warning: ${warning}`);
  const started = performance.now();
  job.progress.start(image);
  let bytes: Uint8Array;
  try {
    bytes = await codec.encode(imageToEncode(image, options), { ...encoding, onProgress: job.progress.update });
  } finally {
    job.progress.clear();
  }
  const seconds = (performance.now() - started) / 1000;
  await target.write(bytes);
  const bitsPerSample = (8 * bytes.length) / image.samples.length;
  if (!options.quiet && !options.json) {
    const percent = ((100 * bytes.length) / file.length).toFixed(1);
    say(
      `${job.label} -> ${target.name}: ${count(file.length)} -> ${count(bytes.length)} bytes (${percent} %), ` +
        `${bitsPerSample.toFixed(3)} bits per sample, ${seconds.toFixed(2)} s`,
    );
    if (options.verbose) for (const line of describeLayers(info(bytes))) say(line);
  }
  const sizes = { inputBytes: file.length, outputBytes: bytes.length };
  return { facts: { output: target.name, ...sizes, bitsPerSample, seconds }, complete, warnings };
}
