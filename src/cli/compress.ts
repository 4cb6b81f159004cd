import type { Command } from 'commander';
import { CnfzipError } from '../../codec/error.js';
import { sameImage } from '../../codec/image.js';
import { decode, encode, type Image } from '../index.js';
import { INPUT_EXTENSIONS, readImage } from '../io/formats.js';
import { addLevels, modelOfLevel } from './levels.js';
import { addCommonOptions, addOutputOptions, codingOptions, type OutputOptions } from './options.js';
import { Progress } from './progress.js';
import { count, say } from './report.js';
import { type Job, transformFiles } from './transform.js';

interface CompressOptions extends OutputOptions {
  verify: boolean;
  strip?: boolean;
}

/** Part of the progress bar that encoding takes where the result is then decoded. */
const ENCODING_SHARE = 0.5;

/** Metadata that `--strip` keeps: without it the samples would look different. */
const PART_OF_THE_PICTURE = ['tRNS'];

export function addCompress(program: Command): void {
  const command = program
    .command('compress')
    .description('compress images: photo.png becomes photo.cnfz, and photo.png is kept')
    .argument('<file...>', 'PNG, Netpbm, TIFF, WebP, BMP, GIF or JPEG files, folders with -r, or - for standard input');
  addOutputOptions(command);
  addLevels(command);
  command.option('--strip', 'leave out colour profiles, EXIF, text and all else that is no sample');
  command.option('--no-verify', 'do not decode and compare the result before it is written');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cnfzip compress photo.png                      photo.cnfz beside it
  cnfzip compress -9 -r photos/ --output-dir z   the best model, a folder, into another folder
  cnfzip compress -c - < photo.png > photo.cnfz  in a pipe`,
    )
    .action(async (files: string[], given: CompressOptions) => {
      const options = { ...given, model: modelOfLevel(command, given) };
      await transformFiles(command, files, options, INPUT_EXTENSIONS, (job) => compress(job, options));
    });
}

async function compress(job: Job, options: CompressOptions): Promise<object> {
  const target = await job.target('.cnfz');
  const file = await job.input();
  const { image, warnings } = await readImage(file, options);
  if (!options.quiet) for (const warning of warnings) say(`cnfzip: ${job.label}: warning: ${warning}`);
  const started = performance.now();
  const bytes = await encodeChecked(options.strip ? stripped(image) : image, job.label, options);
  const seconds = (performance.now() - started) / 1000;
  await target.write(bytes);
  const bitsPerSample = (8 * bytes.length) / image.samples.length;
  if (!options.quiet && !options.json) {
    const percent = ((100 * bytes.length) / file.length).toFixed(1);
    say(
      `${job.label} -> ${target.name}: ${count(file.length)} -> ${count(bytes.length)} bytes (${percent} %), ` +
        `${bitsPerSample.toFixed(3)} bits per sample, ${seconds.toFixed(2)} s`,
    );
  }
  return { output: target.name, inputBytes: file.length, outputBytes: bytes.length, bitsPerSample, seconds };
}

function stripped(image: Image): Image {
  return { ...image, metadata: image.metadata?.filter(({ type }) => PART_OF_THE_PICTURE.includes(type)) };
}

/** Encodes; unless told not to, also decodes the result and compares. */
async function encodeChecked(image: Image, label: string, options: CompressOptions): Promise<Uint8Array> {
  const progress = new Progress(label, options);
  const coding = codingOptions(options);
  const share = options.verify ? ENCODING_SHARE : 1;
  try {
    const bytes = await encode(image, { ...coding, onProgress: (part) => progress.update(share * part) });
    if (!options.verify) return bytes;
    const onProgress = (part: number) => progress.update(share + (1 - share) * part);
    if (sameImage(await decode(bytes, { ...coding, onProgress }), image)) return bytes;
    throw new CnfzipError('corrupt', 'the result does not decode to the input; nothing is written');
  } finally {
    progress.clear();
  }
}
