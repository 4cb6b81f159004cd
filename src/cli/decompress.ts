import { type Command, InvalidArgumentError, Option } from 'commander';
import { CnfzipError, type Codec, type Image, type OpenFile, type Region } from '../index.js';
import { extensionOf, formatOfExtension, naturalFormat, OUTPUT_FORMATS, type OutputFormat } from '../io/formats.js';
import { writeProven } from '../io/prove.js';
import { withCodec } from '../session.js';
import { describeImage, describeLayers, scaleName } from './describe.js';
import { addCommonOptions, addOutputOptions, codecOptions, type OutputOptions } from './options.js';
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
      await withCodec(codecOptions(options), (codec) =>
        transformFiles(command, files, options, ['.cnfz'], (job) => decompress(job, options, codec)),
      );
    });
}

async function decompress(job: Job, options: DecompressOptions, codec: Codec): Promise<Done> {
  const bytes = await job.input();
  const file = await codec.open(bytes);
  const { info } = file;
  const { region, partial } = options;
  const wanted = options.scale ?? 1;
  const format = options.format ?? formatOfExtension(options.output ?? '') ?? naturalFormat(info);
  const target = await job.target(extensionOf(info, format));
  const started = performance.now();
  job.progress.start(info);
  let image: Image;
  let scale = wanted;
  try {
    if (partial) scale = Math.min(scale, await availableScale(file, bytes, options));
    image = await file.decode({ scale, region, onProgress: job.progress.update });
  } finally {
    job.progress.clear();
  }
  const seconds = (performance.now() - started) / 1000;
  const written = await writeProven(image, format);
  const warnings = [...written.warnings];
  const missing = scale < wanted;
  if (missing) {
    const whole = `${info.width} x ${info.height}`;
    warnings.unshift(`it is cut short or damaged: only scale ${scaleName(scale)} of ${whole} pixels is whole`);
    process.exitCode = 1;
  }
  if (!options.quiet || missing) for (const warning of warnings) say(`cnfzip: ${job.label}: warning: ${warning}`);
  await target.write(written.bytes);
  const { width, height } = image;
  if (!options.quiet && !options.json) {
    say(
      `${job.label} -> ${target.name}: ${describeImage({ ...info, width, height })}, ` +
        `${count(bytes.length)} -> ${count(written.bytes.length)} bytes, ${seconds.toFixed(2)} s`,
    );
    if (options.verbose) for (const line of describeLayers(info)) say(line);
  }
  const { channels, maxval } = info;
  const sizes = { inputBytes: bytes.length, outputBytes: written.bytes.length };
  const view = options.scale !== undefined || region || partial ? { scale, region } : {};
  const facts = { output: target.name, ...sizes, width, height, ...view, channels, maxval, format, seconds };
  const whole = width === info.width && height === info.height;
  return { facts, complete: written.complete && whole, warnings: whole ? warnings : [...warnings, PART_ONLY] };
}

/** Why an input is kept of which only a part was decoded. */
const PART_ONLY = 'it was decompressed only in part';

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
