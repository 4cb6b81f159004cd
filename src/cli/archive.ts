/** `cnfzip archive`: many small images in one file. */

import { dirname, join } from 'node:path';
import { type Command, Option } from 'commander';
import { isArchive, type Shard } from '../../codec/archive/directory.js';
import { ahead } from '../archive/ahead.js';
import { Originals } from '../archive/compare.js';
import { type NamedImage, SHARD_PIXELS } from '../archive/create.js';
import { extractedFile } from '../archive/extract.js';
import { filesOf, readInputImage } from '../archive/input.js';
import { buildArchive, openShards } from '../archive/library.js';
import type { Archive } from '../archive/open.js';
import { CnfzipError, type Image } from '../index.js';
import { makeFolder } from '../io/files/folders.js';
import { exists } from '../io/files/read.js';
import { openFileSource } from '../io/files/source.js';
import { type FileState, statesOf } from '../io/files/state.js';
import { isTarName, type TarFile, writeTar } from '../io/tar.js';
import { threadsOf } from '../session/options.js';
import { describeImage } from './describe.js';
import { addEncoding, type EncodingOptions, encodingOptions } from './encoding.js';
import { STANDARD_STREAM } from './inputs.js';
import { addCommonOptions, addLimits, type CommonOptions, codecOptions, parseSize } from './options.js';
import { openOutput, openTarget } from './output.js';
import { Progress } from './progress.js';
import { count, countOf, print, printJson, reportError, reported, say, sayWarnings } from './report.js';

interface CreateOptions extends EncodingOptions {
  output: string;
  force?: boolean;
  shardPixels: number;
}

interface ExtractOptions extends CommonOptions {
  output?: string;
  outputDir?: string;
  force?: boolean;
}

/** With the archive, which no image replaces. */
interface Extraction extends ExtractOptions {
  readonly inputs: readonly FileState[];
}

interface VerifyOptions extends CommonOptions {
  from?: string;
  strip?: boolean;
}

const EXTENSION = '.cnfa';

export function addArchive(program: Command): void {
  const archive = program.command('archive').description('many small images in one file, which learn from each other');

  const create = archive
    .command('create')
    .description('code all images of a folder and those below it, or of a tar file, as one archive')
    .argument('<folder>', 'of images, or a .tar file of them')
    .requiredOption('-o, --output <file>', `the archive, ${EXTENSION}, or standard output (-)`)
    .option('-f, --force', 'replace an existing file')
    .option(
      '--shard-pixels <n>',
      'pixels that are coded in sequence, and decoded to extract the last of them; K, M and G stand for 2^10, 2^20, 2^30',
      parseSize,
      SHARD_PIXELS,
    );
  addEncoding(create);
  addCommonOptions(create)
    .addHelpText('after', '\nExample:\n  cnfzip archive create thumbnails -o thumbnails.cnfa')
    .action((folder: string, options: CreateOptions) => reported(folder, options, () => make(create, folder, options)));

  addLimits(
    archive
      .command('list')
      .description('tell the images of an archive')
      .argument('<archive>')
      .option('--json', 'one JSON object a line and image'),
  ).action((path: string, options: CommonOptions & { json?: boolean }) =>
    reported(path, options, () => withArchive(path, options, (opened) => list(opened, options))),
  );

  const extract = archive
    .command('extract')
    .description('decode images of an archive to PNG, or Netpbm where no PNG holds their samples')
    .argument('<archive>')
    .argument('[name...]', 'of images, as list tells them; without any, all')
    .addOption(
      new Option(
        '-o, --output <file>',
        'write one image to this file, or to standard output (-); or all that are named into a .tar file',
      ).conflicts('outputDir'),
    )
    .option('--output-dir <folder>', 'write into this folder, which is made if need be')
    .option('-f, --force', 'replace existing files');
  addCommonOptions(extract).action((path: string, names: string[], options: ExtractOptions) => {
    if (options.output === undefined && options.outputDir === undefined) {
      extract.error('error: name a folder by --output-dir, or for one image a file by -o');
    }
    const { output } = options;
    if (output !== undefined && names.length !== 1 && !isTarName(output)) {
      extract.error('error: -o is for one image, which is named, or a .tar file');
    }
    return reported(path, options, async () => {
      const inputs = await statesOf([path]);
      await withArchive(path, options, (opened) => extractAll(opened, names, { ...options, inputs }));
    });
  });

  const verify = archive
    .command('verify')
    .description('decode all images of an archive, and check all checksums')
    .argument('<archive>')
    .option(
      '--from <folder>',
      'prove that the images of this folder, or .tar file, are those of the archive, and all of them',
    )
    .option('--strip', 'with --from: the archive was made with --strip');
  addCommonOptions(verify).action((path: string, options: VerifyOptions) =>
    reported(path, options, () => withArchive(path, options, (opened) => verifyAll(opened, path, options))),
  );
}

async function make(command: Command, folder: string, options: CreateOptions): Promise<void> {
  const { output, force, shardPixels, quiet } = options;
  const { all: common, each } = encodingOptions(command, options);
  if (output !== STANDARD_STREAM) await refuseToAppend(output, force);
  const input = await filesOf(folder);
  const target = await openOutput(output, { force }, { inputs: input.states });
  const progress = new Progress(input.weights, options);
  const began = performance.now();
  let read = 0;
  let samples = 0;
  let found = 0;
  async function* images(): AsyncGenerator<NamedImage, void, undefined> {
    for await (const file of input.files()) {
      const shown = progress.file(Math.min(found++, input.weights.length - 1), file.label);
      shown.update(0);
      const { named, bytes, warnings } = await readInputImage(file, options);
      sayWarnings(file.label, options, warnings);
      read += bytes;
      samples += named.image.samples.length;
      yield named;
      shown.clear();
    }
    if (found === 0) throw new CnfzipError('file', 'it holds no images');
  }
  const { bytes, shards } = await buildArchive(images(), { ...common, ...each, shardPixels }).catch((error) => {
    if (!(error instanceof CnfzipError)) throw error;
    throw new CnfzipError(error.code, `${error.message}; no archive is written`, { cause: error });
  });
  await target.write(bytes);
  if (quiet) return;
  const others = input.others();
  if (others > 0) say(`cnfzip: ${folder}: warning: ${count(others)} files that are no images are left out`);
  const percent = ((100 * bytes.length) / read).toFixed(1);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(
    `${folder} -> ${target.name}: ${countOf(found, found, 'image')}, ${count(read)} -> ${count(bytes.length)} bytes (${percent} %), ` +
      `${((8 * bytes.length) / samples).toFixed(4)} bits per sample, ${count(shards.length)} shards, ${seconds} s`,
  );
}

/** What was coded is what the decoder learns from: nothing can be put behind it without its being coded again. */
async function refuseToAppend(path: string, force: boolean | undefined): Promise<void> {
  if (force || !(await exists(path))) return;
  const file = await openFileSource(path).catch(() => undefined);
  if (!file) return;
  const start = await file.read(0, 4).finally(() => file.close());
  if (!isArchive(start)) return;
  throw new CnfzipError(
    'file',
    `${path} exists already, and nothing is added to an archive, whose images are coded by what was learned from those before: ` +
      'make another, or replace it (-f)',
  );
}

async function withArchive(
  path: string,
  options: CommonOptions,
  run: (opened: Archive) => Promise<void>,
): Promise<void> {
  const { archive, close } = await openShards(path, codecOptions(options));
  try {
    await run(archive);
  } finally {
    await close();
  }
}

async function list({ shards }: Archive, { json }: { json?: boolean }): Promise<void> {
  for (const [i, { names, width, height, channels, maxval, flow, length }] of shards.entries()) {
    const shape = { width, height, channels, maxval };
    if (json) {
      const facts = {
        ...shape,
        shard: i + 1,
        shardImages: names.length,
        shardBytes: length,
        sequence: flow !== undefined,
      };
      for (const name of names) await printJson({ name, ...facts });
    } else {
      await print(...names.map((name) => `${name}: ${describeImage({ ...shape, paletteColours: 0 })}`));
    }
  }
}

async function extractAll(opened: Archive, names: readonly string[], options: Extraction): Promise<void> {
  const all = opened.shards.flatMap((shard) => shard.names);
  const missing = names.find((name) => !all.includes(name));
  if (missing !== undefined) throw new CnfzipError('usage', `it holds no image ${missing}`);
  const wanted = new Set(names.length > 0 ? names : all);
  if (options.output !== undefined && isTarName(options.output)) {
    await extractTar(opened, wanted, options.output, options);
    if (!options.quiet) say(`${countOf(wanted.size, wanted.size, 'image')} extracted`);
    return;
  }
  let written = 0;
  await forEachShard(opened, wanted, options, async (name, image) => {
    await extractOne(name, image, options);
    written++;
  });
  if (!options.quiet) say(`${countOf(written, wanted.size, 'image')} extracted`);
}

async function extractOne(name: string, image: Image, options: Extraction): Promise<void> {
  const { output, outputDir = '.', force, inputs } = options;
  const { name: ownName, bytes, warnings } = await extractedFile({ name, image });
  const path = join(outputDir, ownName);
  if (output === undefined) await makeFolder(dirname(path));
  const target = await (output === undefined
    ? openTarget(path, { force }, { inputs })
    : openOutput(output, { force }, { inputs }));
  await target.write(bytes);
  sayWarnings(target.name, options, warnings);
}

/** All wanted images, or none. */
async function extractTar(
  opened: Archive,
  wanted: ReadonlySet<string>,
  path: string,
  options: Extraction,
): Promise<void> {
  const target = await openTarget(path, { force: options.force }, { inputs: options.inputs });
  async function* files(): AsyncGenerator<TarFile, void, undefined> {
    for await (const { shard, places, images } of decoded(opened, wanted, options)) {
      if ('error' in images) throw images.error;
      for (const i of places) yield await extractedFile({ name: shard.names[i], image: images[i] });
    }
  }
  await target.write(writeTar(files()));
}

async function verifyAll(opened: Archive, path: string, options: VerifyOptions): Promise<void> {
  const { from } = options;
  const all = new Set(opened.shards.flatMap(({ names }) => names));
  const originals = from === undefined ? undefined : await Originals.read(await filesOf(from), options);
  let proven = 0;
  await forEachShard(opened, all, options, async (name, image) => {
    originals?.compare({ name, image });
    proven++;
  });
  for (const [name, label] of originals?.notFound() ?? []) {
    if (!all.has(name)) reportError(label, new CnfzipError('corrupt', 'it is not in the archive'), options.verbose);
  }
  if (!options.quiet) await print(`${path}: ${countOf(proven, all.size, 'image')} proven`);
}

/** Does `work` for each wanted image; a shard that is damaged, or an image that fails, costs a line, and not the others. */
async function forEachShard(
  opened: Archive,
  wanted: ReadonlySet<string>,
  options: CommonOptions,
  work: (name: string, image: Image) => Promise<void>,
): Promise<void> {
  const shards = shardsWith(opened, wanted);
  const progress = new Progress(
    shards.map(({ length }) => length),
    options,
  );
  let index = 0;
  progress.file(0, shards[0]?.names[0] ?? '').update(0);
  for await (const { shard, places, images } of decoded(opened, wanted, options)) {
    const { names } = shard;
    const shown = progress.file(index++, names[0]);
    shown.clear();
    if ('error' in images) {
      const subject = names.length > 1 ? `${names[0]} to ${names[names.length - 1]}` : names[0];
      reportError(subject, images.error, options.verbose);
    } else for (const i of places) await reported(names[i], options, () => work(names[i], images[i]));
    shown.update(1);
  }
  progress.file(0, '').clear();
}

/** Shards with wanted images, in their order, several decoded at the same time as far as they are wanted, or why they cannot be. */
function decoded(opened: Archive, wanted: ReadonlySet<string>, options: CommonOptions) {
  return ahead(shardsWith(opened, wanted), threadsOf(codecOptions(options)), async (shard: Shard) => {
    const places = shard.names.flatMap((name, i) => (wanted.has(name) ? [i] : []));
    const images = opened.decode(shard, places[places.length - 1] + 1);
    return { shard, places, images: await images.catch((error: unknown) => ({ error })) };
  });
}

function shardsWith({ shards }: Archive, wanted: ReadonlySet<string>): Shard[] {
  return shards.filter(({ names }) => names.some((name) => wanted.has(name)));
}
