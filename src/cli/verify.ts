import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import type { Command } from 'commander';
import { type ImageHeader, maxvalOf } from '../../codec/image.js';
import { CnfzipError, type Codec, type FileInfo, type Image, type OpenFile, type Source } from '../index.js';
import { type Band, updateWithBand, WHOLE_PIXELS } from '../io/banded/image.js';
import { openBanded } from '../io/banded/open.js';
import { digestOf } from '../io/banded/prove.js';
import { isFile } from '../io/files/folders.js';
import { type OpenInput, readInput } from '../io/files/read.js';
import { openFileSource } from '../io/files/source.js';
import { openSpool } from '../io/files/spool.js';
import { INPUT_EXTENSIONS, isCnfz, naturalFormat, readImage } from '../io/formats.js';
import { writeProven } from '../io/prove.js';
import { imageToEncode, onlyMetadataDiffer } from '../io/strip.js';
import { withCodec } from '../session/codec.js';
import { modelForDecoding, shippedName } from '../session/models.js';
import { type Input, listInputs, open, STANDARD_STREAM, sizeOf } from './inputs.js';
import { type Digested, encodeLarge, headerOf, piecesOf, proveFile, sameDigested } from './large.js';
import { makersOf } from './levels.js';
import { addCommonOptions, addListing, type CommonOptions, codecOptions } from './options.js';
import { type FileProgress, Progress } from './progress.js';
import { count, countFiles, forEachInput, print, printJson, say, sayWarnings } from './report.js';

interface VerifyOptions extends CommonOptions {
  exact?: boolean;
  json?: boolean;
}

interface Trial {
  readonly codec: Codec;
  readonly input: Input;
  readonly opened: OpenInput;
  readonly source: Awaited<ReturnType<OpenInput['source']>>;
  readonly options: VerifyOptions;
  readonly progress: FileProgress;
}

interface Finding {
  /** For people. */
  readonly text: string;
  /** For programs; `bytes` are those of the compressed image. */
  readonly facts: {
    readonly bytes: number;
    readonly bitsPerSample: number;
    readonly sameAs?: string;
    readonly exact?: boolean;
  };
}

export function addVerify(program: Command): void {
  const command = program
    .command('verify')
    .description(
      'prove that files survive: a .cnfz file is decoded, its checksums checked, and compared with the image beside ' +
        'it if there is one; an image is encoded, decoded and compared',
    )
    .argument('[path...]', 'files, folders whose images and .cnfz files are all verified, or - for standard input')
    .option('--exact', 'a .cnfz file with an image beside it must also be what encoding that gives now, byte for byte');
  addCommonOptions(addListing(command))
    .addHelpText(
      'after',
      `
Examples:
  cnfzip verify photo.cnfz    decodes, its checksums match, and photo.png beside it is the same
  cnfzip verify -q photos/    exit code 0 if all is well`,
    )
    .action(async (paths: string[], options: VerifyOptions) => {
      const inputs = await listInputs(command, paths, true, ['.cnfz', ...INPUT_EXTENSIONS]);
      const shown = new Progress(await Promise.all(inputs.map(sizeOf)), options);
      const whole = await withCodec(codecOptions(options), (codec) =>
        forEachInput(inputs, 'file', options, async (input, index) => {
          const progress = shown.file(index, input.label);
          const opened = await open(input);
          const work = async () => verify({ codec, input, opened, source: await opened.source(), options, progress });
          const { text, facts } = await work().finally(() => {
            progress.clear();
            return opened.close();
          });
          if (options.json) await printJson({ file: input.path, ...facts });
          else if (!options.quiet) {
            await print(`${input.label}: ${text}, ${facts.bitsPerSample.toFixed(3)} bits per sample`);
          }
        }),
      );
      if (inputs.length > 1 && !options.quiet && !options.json) say(`${countFiles(whole, inputs.length)} whole`);
    });
}

async function verify(trial: Trial): Promise<Finding> {
  const { input, source } = trial;
  const packed = isCnfz(await source.read(0, 16)) || extname(input.path).toLowerCase() === '.cnfz';
  if (packed) return verifyCnfz(trial);
  return (await verifyLargeImage(trial)) ?? verifyImage(trial);
}

async function verifyImage({ codec, input, opened, source, options, progress }: Trial): Promise<Finding> {
  // A stream was read for the source.
  const bytes = opened.state.isFile() ? await opened.read() : await source.read(0, source.size);
  const { image, warnings } = await readImage(bytes, options);
  sayWarnings(input.label, options, warnings);
  progress.start(image);
  // It decodes and compares.
  const encoded = await codec.encode(image, { onProgress: progress.update });
  return roundTrip(bytes.length, encoded.length, { ...image, maxval: maxvalOf(image) });
}

/** As `verifyImage`, by bands; nothing where `encodeLarge` gives nothing. */
async function verifyLargeImage({ codec, input, source, options, progress }: Trial): Promise<Finding | undefined> {
  return encodeLarge({ source, codec, options, encoding: {}, progress, share: 0.5 }, async (encoded) => {
    sayWarnings(input.label, options, encoded.lost);
    return throughFile(encoded.pieces, async (written) => {
      const file = await codec.open(written);
      await proveFile(file, encoded, (part) => progress.update(0.5 + 0.5 * part));
      return roundTrip(source.size, file.info.bytes, encoded.image);
    });
  });
}

function roundTrip(read: number, bytes: number, image: ImageHeader): Finding {
  return {
    text: `round trip exact, ${count(read)} -> ${count(bytes)} bytes`,
    facts: { bytes, bitsPerSample: rate(bytes, image) },
  };
}

async function verifyCnfz(trial: Trial): Promise<Finding> {
  const { codec, input, source, options, progress } = trial;
  const file = await codec.open(source);
  const { info } = file;
  progress.start(info);
  const isLarge = info.width * info.height > WHOLE_PIXELS;
  const decoded = await (isLarge ? decodeLarge(file, trial) : decodeWhole(file, trial));
  const summary = `${count(info.bytes)} bytes`;
  const facts = { bytes: info.bytes, bitsPerSample: info.bitsPerSample };
  const sibling = input.path === STANDARD_STREAM ? undefined : await findSibling(input.path);
  if (!sibling) return { text: `decodes, checksums match, ${summary}`, facts };
  const original = await digestOfImage(sibling, options);
  if (!sameDigested(decoded, original)) {
    const same = sameDigested(stripped(decoded), stripped(original));
    throw new CnfzipError('corrupt', same ? onlyMetadataDiffer(sibling) : `the decoded image differs from ${sibling}`);
  }
  if (!options.exact) return { text: `decodes to ${sibling}, ${summary}`, facts: { ...facts, sameAs: sibling } };
  if (!(await isMadeOf(sibling, info, trial))) {
    throw new CnfzipError('corrupt', `encoding ${sibling} gives other bytes than this file's`);
  }
  return {
    text: `decodes to ${sibling} and is encoded byte for byte, ${summary}`,
    facts: { ...facts, sameAs: sibling, exact: true },
  };
}

function stripped({ image, digest }: Digested): Digested {
  return { image: imageToEncode(image, { strip: true }), digest };
}

/** What decompressing it would write holds the image, too. */
async function decodeWhole(file: OpenFile, { progress }: Trial): Promise<Digested> {
  const image = await file.decode({ onProgress: progress.update });
  await writeProven(image);
  return digested(image);
}

/** As `decodeWhole`, by bands. */
async function decodeLarge(file: OpenFile, { options, progress }: Trial): Promise<Digested> {
  const digest = createHash('sha256');
  const onBand = (band: Band) => updateWithBand(digest, band);
  const { pieces, prove } = piecesOf(file, naturalFormat(file.info), options, progress.update, onBand);
  await throughFile(pieces, prove);
  return { image: headerOf(file), digest: digest.digest('hex') };
}

/** By bands where it can be read so, which takes less memory than what was decoded. */
async function digestOfImage(path: string, options: VerifyOptions): Promise<Digested> {
  const source = await openFileSource(path);
  try {
    const file = await openBanded(source, { maxPixels: options.maxPixels });
    if (!file) return digested((await readImage(await readInput(path), options)).image);
    const digest = await digestOf(file);
    return { image: { ...file.header, metadata: file.found().metadata }, digest };
  } finally {
    await source.close();
  }
}

function digested(image: Image): Digested {
  const digest = createHash('sha256');
  updateWithBand(digest, image.samples);
  return { image: { ...image, maxval: maxvalOf(image) }, digest: digest.digest('hex') };
}

/** Whether encoding an image gives the bytes of this file, in any of the ways that may have made it. */
async function isMadeOf(path: string, info: FileInfo, { source, options, progress }: Trial): Promise<boolean> {
  // Beside colours alpha has a model of its own, which does not tell theirs.
  const own = info.layers.filter(({ channels }) => channels === info.layers[0].channels);
  const [modelHash] = own.flatMap(({ modelHash }) => modelHash ?? []);
  const learning = info.layers.find(({ learning }) => learning)?.learning;
  const model = modelHash === undefined ? options.model : await modelForDecoding(modelHash, options.model);
  const makers = makersOf(learning, model, modelHash && shippedName(modelHash));
  const image = await openFileSource(path);
  try {
    for (const { model, ...encoding } of makers) {
      const matches = await withCodec({ ...codecOptions(options), model }, async (codec) => {
        const work = { source: image, codec, options, encoding, progress, share: 1 };
        const inBands = await encodeLarge(work, ({ pieces }) => sameBytes(pieces, source));
        if (inBands !== undefined) return inBands;
        const { image: whole } = await readImage(await readInput(path), options);
        return sameBytes([await codec.encode(whole, { ...encoding, verify: false })], source);
      });
      if (matches) return true;
    }
    return false;
  } finally {
    await image.close();
  }
}

/** Whether pieces of a file are the bytes of another. */
async function sameBytes(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { size, read }: Trial['source'],
): Promise<boolean> {
  let at = 0;
  for await (const piece of pieces) {
    if (Buffer.compare(piece, await read(at, piece.length)) !== 0) return false;
    at += piece.length;
  }
  return at === size;
}

/** Has pieces of a file written to a temporary one, and read again. */
async function throughFile<T>(pieces: AsyncIterable<Uint8Array>, use: (written: Source) => Promise<T>): Promise<T> {
  const spool = await openSpool();
  try {
    let size = 0;
    for await (const piece of pieces) {
      await spool.append(piece);
      size += piece.length;
    }
    return await use({ read: spool.read, size });
  } finally {
    await spool.close();
  }
}

/** The image beside a `.cnfz` file, of the same name but for the extension, which cameras write in capitals. */
async function findSibling(file: string): Promise<string | undefined> {
  const stem = file.slice(0, file.length - extname(file).length);
  const extensions = INPUT_EXTENSIONS.flatMap((extension) => [extension, extension.toUpperCase()]);
  for (const extension of extensions) if (await isFile(stem + extension)) return stem + extension;
  return undefined;
}

/** Bits per sample. */
function rate(bytes: number, { width, height, channels }: ImageHeader): number {
  return (8 * bytes) / (width * height * channels);
}
