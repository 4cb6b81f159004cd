import { type Command, InvalidArgumentError, Option } from 'commander';
import { CnfzipError, type Codec, type FileInfo, type OpenFile, type Region, type ViewingOptions } from '../index.js';
import { WHOLE_PIXELS } from '../io/banded/image.js';
import { type BandedFormat, isBanded } from '../io/banded/prove.js';
import type { Content, WriteOptions } from '../io/files/write.js';
import { extensionOf, formatOfExtension, naturalFormat, OUTPUT_FORMATS, type OutputFormat } from '../io/formats.js';
import { writeProven } from '../io/prove.js';
import { withCodec } from '../session/codec.js';
import { describeImage, describeLayers, scaleName } from './describe.js';
import { piecesOf } from './large.js';
import { addCommonOptions, addOutputOptions, addVainLevels, codecOptions, type OutputOptions } from './options.js';
import type { Target } from './output.js';
import { count, say, sayWarnings } from './report.js';
import { type Done, type Job, transformFiles } from './transform.js';

interface DecompressOptions extends OutputOptions {
  format?: OutputFormat;
  scale?: number;
  region?: Region;
  partial?: boolean;
}

export function addDecompress(program: Command): void {
  const command = program
    .command('decompress')
    .description('decompress .cnfz files: photo.cnfz becomes photo.png, and photo.cnfz is kept')
    .argument('[file...]', '.cnfz files, folders with -r, or - for standard input');
  addVainLevels(addOutputOptions(command));
  command.addOption(
    new Option(
      '--format <format>',
      'what to write (default: by the extension of -o, or png; ppm for samples that no PNG can hold as they are)',
    ).choices(OUTPUT_FORMATS),
  );
  command
    .option(
      '--scale <scale>',
      'a smaller image, 1/2, 1/4, 1/8 ...: every second, fourth, eighth row and column',
      parseScale,
    )
    .option(
      '--region <WxH+X+Y>',
      'only a rectangle: its size, and its left and upper edge, in pixels of the whole',
      parseRegion,
    )
    .addOption(
      new Option(
        '--partial',
        'of a file that is cut short or damaged, the smaller image that is whole, exit code 1',
      ).conflicts('rm'),
    );
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cnfzip decompress photo.cnfz                 photo.png beside it
  cnfzip decompress -r z --output-dir photos   a folder, into another folder
  cnfzip decompress --scale 1/8 -o small.png photo.cnfz
  cnfzip -d < photo.cnfz | display -           in a pipe`,
    )
    .action(async (files: string[], options: DecompressOptions) => {
      await withCodec(codecOptions(options), (codec) =>
        transformFiles(command, files, options, ['.cnfz'], (job) => decompress(job, options, codec)),
      );
    });
}

/** What is to be written, and what it is of the image. */
interface Written {
  readonly content: Content;
  readonly prove?: WriteOptions['prove'];
  readonly width: number;
  readonly height: number;
  readonly warnings: readonly string[];
  readonly complete: boolean;
}

async function decompress(job: Job, options: DecompressOptions, codec: Codec): Promise<Done> {
  const source = await job.source();
  const file = await codec.open(source);
  const { info } = file;
  const { region, partial } = options;
  const wanted = options.scale ?? 1;
  const format = options.format ?? formatOfExtension(options.output ?? '') ?? naturalFormat(info);
  const target = await job.target(extensionOf(info, format));
  const scale = partial ? Math.min(wanted, await availableScale(file, source.size, options)) : wanted;
  const all = scale === 1 && !region;
  const started = performance.now();
  job.progress.start(info);
  let written: Written;
  let outputBytes: number;
  try {
    const large = info.width * info.height > WHOLE_PIXELS && target.isFile;
    if (large && all && isBanded(format)) written = inBands(file, format, options, job.progress.update);
    else written = await asWhole(file, format, { scale, region, onProgress: job.progress.update });
    job.progress.clear();
    const missing = scale < wanted ? [missingParts(info, scale)] : [];
    if (missing.length > 0) process.exitCode = 1;
    const warnings = [...missing, ...written.warnings];
    sayWarnings(job.label, { quiet: options.quiet && missing.length === 0 }, warnings);
    written = { ...written, warnings };
    outputBytes = await writeTo(target, written);
  } finally {
    job.progress.clear();
  }
  const seconds = (performance.now() - started) / 1000;
  const { width, height, warnings } = written;
  if (!options.quiet && !options.json) {
    say(
      `${job.label} -> ${target.name}: ${describeImage({ ...info, width, height })}, ` +
        `${count(source.size)} -> ${count(outputBytes)} bytes, ${seconds.toFixed(2)} s`,
    );
    if (options.verbose) for (const line of describeLayers(info)) say(line);
  }
  const { channels, maxval } = info;
  const sizes = { inputBytes: source.size, outputBytes };
  const view = options.scale !== undefined || region || partial ? { scale, region } : {};
  const facts = { output: target.name, ...sizes, width, height, ...view, channels, maxval, format, seconds };
  const whole = width === info.width && height === info.height;
  return { facts, complete: written.complete && whole, warnings: whole ? warnings : [...warnings, PART_ONLY] };
}

async function asWhole(file: OpenFile, format: OutputFormat, options: ViewingOptions): Promise<Written> {
  const image = await file.decode(options);
  const { bytes, ...written } = await writeProven(image, format);
  const { width, height } = image;
  return { content: bytes, width, height, ...written };
}

function inBands(
  file: OpenFile,
  format: BandedFormat,
  limits: DecompressOptions,
  onProgress: (fraction: number) => void,
): Written {
  const { width, height } = file.info;
  const { pieces, ...written } = piecesOf(file, format, limits, onProgress);
  return { content: pieces, width, height, ...written };
}

/** @returns bytes of the result */
async function writeTo(target: Target, { content, prove }: Written): Promise<number> {
  const state = await target.write(content, prove);
  return content instanceof Uint8Array ? content.length : Number(state?.size);
}

function missingParts({ width, height }: FileInfo, scale: number): string {
  return `it is cut short or damaged: only scale ${scaleName(scale)} of ${width} x ${height} pixels is whole`;
}

/** Why an input is kept of which only a part was decoded. */
const PART_ONLY = 'it was decompressed only in part';

async function availableScale(file: OpenFile, size: number, { region }: DecompressOptions): Promise<number> {
  const scale = await file.available(region);
  if (scale !== undefined) return scale;
  const what = size < file.info.bytes ? 'cut short' : 'damaged';
  throw new CnfzipError('corrupt', `${what}: not even the smallest image of it is whole`);
}

function parseScale(text: string): number {
  const denominator = Number(/^1(?:\/(\d+))?$/.exec(text)?.[1] ?? (text === '1' ? 1 : Number.NaN));
  if (Number.isInteger(Math.log2(denominator))) return 1 / denominator;
  throw new InvalidArgumentError('It must be 1/2, 1/4, 1/8 ...');
}

function parseRegion(text: string): Region {
  const match = /^(\d+)x(\d+)\+(\d+)\+(\d+)$/.exec(text);
  if (!match) throw new InvalidArgumentError('It must be WIDTHxHEIGHT+X+Y.');
  const [width, height, x, y] = match.slice(1).map(Number);
  return { x, y, width, height };
}
