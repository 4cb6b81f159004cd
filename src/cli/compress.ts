import type { Command } from 'commander';
import { CnfzipError } from '../../codec/error.js';
import { decode, decodePng, encode, type Image } from '../index.js';
import { listPngMetadata } from '../io/png.js';
import { addLevels, modelOfLevel } from './levels.js';
import { addCommonOptions, addOutputOptions, codingOptions, type OutputOptions } from './options.js';
import { Progress } from './progress.js';
import { count, say } from './report.js';
import { type Job, transformFiles } from './transform.js';

interface CompressOptions extends OutputOptions {
  verify: boolean;
}

/** Part of the progress bar that encoding takes where the result is then decoded. */
const ENCODING_SHARE = 0.5;

export function addCompress(program: Command): void {
  const command = program
    .command('compress')
    .description('compress PNG files: photo.png becomes photo.cnfz, and photo.png is kept')
    .argument('<file...>', 'PNG files of 8-bit gray or RGB samples, folders with -r, or - for standard input');
  addOutputOptions(command);
  addLevels(command);
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
      await transformFiles(command, files, options, { from: ['.png'], to: '.cnfz' }, (job) => compress(job, options));
    });
}

async function compress({ input, label, target }: Job, options: CompressOptions): Promise<object> {
  const png = await input();
  const image = decodePng(png);
  if (options.verbose) {
    const metadata = listPngMetadata(png);
    if (metadata.length > 0) say(`cnfzip: ${label}: warning: metadata is not kept yet: ${metadata.join(', ')}`);
  }
  const started = performance.now();
  const bytes = await encodeChecked(image, label, options);
  const seconds = (performance.now() - started) / 1000;
  await target.write(bytes);
  const bitsPerSample = (8 * bytes.length) / image.samples.length;
  if (!options.quiet && !options.json) {
    const percent = ((100 * bytes.length) / png.length).toFixed(1);
    say(
      `${label} -> ${target.name}: ${count(png.length)} -> ${count(bytes.length)} bytes (${percent} %), ` +
        `${bitsPerSample.toFixed(3)} bits per sample, ${seconds.toFixed(2)} s`,
    );
  }
  return { inputBytes: png.length, outputBytes: bytes.length, bitsPerSample, seconds };
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
    const { samples } = await decode(bytes, { ...coding, onProgress });
    if (Buffer.compare(samples, image.samples) === 0) return bytes;
    throw new CnfzipError('corrupt', 'the result does not decode to the input; nothing is written');
  } finally {
    progress.clear();
  }
}
