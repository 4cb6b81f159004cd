import { type Command, InvalidArgumentError, Option } from 'commander';
import { CnfzipError, decode, type Image, info, type OpenFile, open, type Region } from '../index.js';
import { extensionOf, formatOfExtension, naturalFormat, OUTPUT_FORMATS, type OutputFormat } from '../io/formats.js';
import { writeProven } from '../io/prove.js';
import { describeImage, describeLayers, scaleName } from './describe.js';
import { addCommonOptions, addOutputOptions, codingOptions, type OutputOptions } from './options.js';
import { count, say } from './report.js';
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
  addOutputOptions(command);
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
      await transformFiles(command, files, options, ['.cnfz'], (job) => decompress(job, options));
    });
}

async function decompress(job: Job, options: DecompressOptions): Promise<Done> {
  const bytes = await job.input();
  const file = await openForView(bytes, options);
  const { maxPixels, maxMemory } = options;
  const about = file ? file.info : info(bytes, { maxPixels, maxMemory });
  const format = options.format ?? formatOfExtension(options.output ?? '') ?? naturalFormat(about);
  const target = await job.target(extensionOf(about, format));
  const started = performance.now();
  job.progress.start(about);
  let image: Image;
  let scale = options.scale ?? 1;
  try {
    if (file) {
      if (options.partial) scale = Math.min(scale, await availableScale(file, bytes, options));
      image = await file.decode({ scale, region: options.region, onProgress: job.progress.update });
    } else {
      image = await decode(bytes, { ...codingOptions(options), onProgress: job.progress.update });
    }
  } finally {
    job.progress.clear();
  }
  const seconds = (performance.now() - started) / 1000;
  const written = await writeProven(image, format);
  const missing = scale < (options.scale ?? 1);
  const warnings = [...written.warnings];
  if (missing) {
    const whole = `${about.width} x ${about.height}`;
    warnings.unshift(`it is cut short or damaged: only scale ${scaleName(scale)} of ${whole} pixels is whole`);
    process.exitCode = 1;
  }
  if (!options.quiet || missing) for (const warning of warnings) say(`cnfzip: ${job.label}: warning: ${warning}`);
  await target.write(written.bytes);
  const { width, height } = image;
  if (!options.quiet && !options.json) {
    say(
      `${job.label} -> ${target.name}: ${describeImage({ ...about, width, height })}, ` +
        `${count(bytes.length)} -> ${count(written.bytes.length)} bytes, ${seconds.toFixed(2)} s`,
    );
    if (options.verbose) for (const line of await describeLayers(about)) say(line);
  }
  const { channels, maxval } = about;
  const sizes = { inputBytes: bytes.length, outputBytes: written.bytes.length };
  const view = file ? { scale, region: options.region } : {};
  const facts = { output: target.name, ...sizes, width, height, ...view, channels, maxval, format, seconds };
  const whole = !file || (width === about.width && height === about.height);
  return { facts, complete: written.complete && whole, warnings: whole ? warnings : [...warnings, PART_ONLY] };
}

/** Why an input is kept of which only a part was decoded. */
const PART_ONLY = 'it was decompressed only in part';

/** The file, open, if not all of it is wanted. */
async function openForView(bytes: Uint8Array, options: DecompressOptions): Promise<OpenFile | undefined> {
  const { scale, region, partial, threads, model, maxPixels, maxMemory } = options;
  if (scale === undefined && region === undefined && !partial) return undefined;
  return open(bytes, { threads, model, maxPixels, maxMemory });
}

async function availableScale(file: OpenFile, bytes: Uint8Array, { region }: DecompressOptions): Promise<number> {
  const scale = await file.available(region);
  if (scale !== undefined) return scale;
  const what = bytes.length < file.info.bytes ? 'cut short' : 'damaged';
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
