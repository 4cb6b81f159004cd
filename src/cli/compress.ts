import { createHash } from 'node:crypto';
import { type Command, Option } from 'commander';
import { type ImageHeader, sameImage } from '../../codec/image.js';
import { MAX_WEBP_PIXELS } from '../../codec/layers/webp.js';
import {
  CnfzipError,
  type Codec,
  type EncodeCallOptions,
  type FileInfo,
  type Image,
  info,
  type OpenFile,
  type Source,
} from '../index.js';
import { updateWithBand, WHOLE_PIXELS } from '../io/banded/image.js';
import { openBanded } from '../io/banded/open.js';
import { openSpool } from '../io/files/spool.js';
import { INPUT_EXTENSIONS, readImage } from '../io/formats.js';
import { imageToEncode } from '../io/strip.js';
import { withCodec } from '../session/codec.js';
import { memoryFor } from '../session/memory.js';
import { describeLayers } from './describe.js';
import { addEncoding, type EncodingOptions, encodingOptions } from './encoding.js';
import { addCommonOptions, addOutputOptions, type OutputOptions } from './options.js';
import type { Target } from './output.js';
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
  warn(job, options, warnings);
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

/**
 * Compresses a large image in memory for one band of it; nothing if it is not large, cannot be read by bands, or is such that its file would
 * be another one than by all of it at once, for which there is memory.
 */
async function compressInBands({ job, target, options, codec, encoding }: Work): Promise<Written | undefined> {
  if (!job.isFile || !target.isFile) return undefined;
  const source = await job.source();
  const openFile = () => openBanded(source, { maxPixels: options.maxPixels });
  const header = (await openFile())?.header;
  if (!header) return undefined;
  const asWhole = mayBeWhole(header, options);
  if (asWhole && header.width * header.height <= WHOLE_PIXELS) return undefined;
  const started = performance.now();
  job.progress.start(header);
  const spool = await openSpool();
  try {
    const digest = createHash('sha256');
    const share = encoding.verify === false ? 1 : 0.5;
    const encoded = await codec.encodeBands(async () => (await openFile())!, spool, {
      ...encoding,
      asWhole,
      keep: (whole) => imageToEncode(whole, options),
      onBand: (band) => updateWithBand(digest, band),
      onProgress: (part) => job.progress.update(share * part),
    });
    job.progress.clear();
    if (!encoded) return undefined;
    const { pieces, image, lost } = encoded;
    warn(job, options, lost);
    let layers: FileInfo['layers'] = [];
    const prove = async (written: Source) => {
      const file = await codec.open(written);
      layers = file.info.layers;
      if (encoding.verify === false) return;
      const onProgress = (part: number) => job.progress.update(share + share * part);
      await proveFile(file, image, digest.digest('hex'), onProgress);
    };
    const state = await target.write(pieces, prove);
    const { width, height, channels } = image;
    const sizes = { inputBytes: source.size, outputBytes: Number(state?.size), samples: width * height * channels };
    const seconds = (performance.now() - started) / 1000;
    return { ...sizes, seconds, layers, warnings: lost, complete: lost.length === 0 };
  } finally {
    job.progress.clear();
    await spool.close();
  }
}

/** Decodes what was written, and compares. */
async function proveFile(
  file: OpenFile,
  image: ImageHeader,
  digest: string,
  onProgress: (part: number) => void,
): Promise<void> {
  const found = createHash('sha256');
  for await (const band of file.bands({ onProgress })) updateWithBand(found, band.samples);
  const { info, palette, metadata } = file;
  const { width, height, channels, maxval } = info;
  const back: Image = { width, height, channels, maxval, palette, metadata, samples: new Uint8Array() };
  if (found.digest('hex') === digest && sameImage(back, { ...image, samples: new Uint8Array() })) return;
  throw new CnfzipError('corrupt', 'the result does not decode to the image that was encoded');
}

/** Whether an image may be compressed as a whole: where WebP codes it not only in tiles, and there is memory for all of it. */
function mayBeWhole(image: ImageHeader, { maxMemory = Number.POSITIVE_INFINITY }: CompressOptions): boolean {
  const whole = memoryFor(image, { operation: 'encode', models: [] }, 1);
  return image.width * image.height <= MAX_WEBP_PIXELS && whole <= maxMemory;
}

function warn({ label }: Job, { quiet }: CompressOptions, warnings: readonly string[]): void {
  if (!quiet) for (const warning of warnings) say(`cnfzip: ${label}: warning: ${warning}`);
}
