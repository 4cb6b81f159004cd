import { type Command, Option } from 'commander';
import { type Codec, type EncodeCallOptions, type FileInfo, info, type Source } from '../index.js';
import { INPUT_EXTENSIONS, readImage } from '../io/formats.js';
import { imageToEncode } from '../io/strip.js';
import { withCodec } from '../session/codec.js';
import { describeLayers } from './describe.js';
import { addEncoding, type EncodingOptions, encodingOptions } from './encoding.js';
import { encodeLarge, proveFile } from './large.js';
import { addCommonOptions, addOutputOptions, type OutputOptions } from './options.js';
import type { Target } from './output.js';
import { count, say, sayWarnings } from './report.js';
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

/** Compressing under way. */
interface Work {
  readonly job: Job;
  readonly target: Target;
  readonly options: CompressOptions;
  readonly codec: Codec;
  readonly encoding: EncodeCallOptions;
}

/** What was written, and what of the input it holds. */
interface Written {
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly samples: number;
  readonly seconds: number;
  readonly layers: FileInfo['layers'];
  readonly warnings: readonly string[];
  readonly complete: boolean;
}

async function compress(job: Job, options: CompressOptions, codec: Codec, encoding: EncodeCallOptions): Promise<Done> {
  const target = await job.target('.cnfz');
  const work: Work = { job, target, options, codec, encoding };
  const written = (await compressInBands(work)) ?? (await compressWhole(work));
  const { inputBytes, outputBytes, samples, seconds, layers, warnings, complete } = written;
  const bitsPerSample = (8 * outputBytes) / samples;
  if (!options.quiet && !options.json) {
    const percent = ((100 * outputBytes) / inputBytes).toFixed(1);
    say(
      `${job.label} -> ${target.name}: ${count(inputBytes)} -> ${count(outputBytes)} bytes (${percent} %), ` +
        `${bitsPerSample.toFixed(3)} bits per sample, ${seconds.toFixed(2)} s`,
    );
    if (options.verbose) for (const line of describeLayers({ layers })) say(line);
  }
  return { facts: { output: target.name, inputBytes, outputBytes, bitsPerSample, seconds }, complete, warnings };
}

async function compressWhole({ job, target, options, codec, encoding }: Work): Promise<Written> {
  const file = await job.input();
  const { image, warnings, complete } = await readImage(file, options);
  sayWarnings(job.label, options, warnings);
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
  const { layers } = info(bytes);
  const sizes = { inputBytes: file.length, outputBytes: bytes.length, samples: image.samples.length };
  return { ...sizes, seconds, layers, warnings, complete };
}

/** As `compressWhole`, by bands; nothing where `encodeLarge` gives nothing. */
async function compressInBands({ job, target, options, codec, encoding }: Work): Promise<Written | undefined> {
  if (!job.isFile || !target.isFile) return undefined;
  const { verify, ...how } = encoding;
  const source = await job.source();
  const share = verify === false ? 1 : 0.5;
  const started = performance.now();
  return encodeLarge({ source, codec, options, encoding: how, progress: job.progress, share }, async (encoded) => {
    const { pieces, image, lost } = encoded;
    sayWarnings(job.label, options, lost);
    let layers: FileInfo['layers'] = [];
    const prove = async (written: Source) => {
      const file = await codec.open(written);
      layers = file.info.layers;
      if (verify !== false) await proveFile(file, encoded, (part) => job.progress.update(share + share * part));
    };
    const state = await target.write(pieces, prove);
    const { width, height, channels } = image;
    const sizes = { inputBytes: source.size, outputBytes: Number(state?.size), samples: width * height * channels };
    const seconds = (performance.now() - started) / 1000;
    return { ...sizes, seconds, layers, warnings: lost, complete: lost.length === 0 };
  });
}
