import { extname } from 'node:path';
import type { Command } from 'commander';
import { sameImage } from '../../codec/image.js';
import { CnfzipError, type Codec, encode, type Image } from '../index.js';
import { isFile } from '../io/files/folders.js';
import { readInput } from '../io/files/read.js';
import { INPUT_EXTENSIONS, isCnfz, readImage } from '../io/formats.js';
import { writeProven } from '../io/prove.js';
import { withCodec } from '../session/codec.js';
import { modelForDecoding } from '../session/models.js';
import { type Input, listInputs, read, STANDARD_STREAM, sizeOf } from './inputs.js';
import { addCommonOptions, addListing, type CommonOptions, codecOptions } from './options.js';
import { type FileProgress, Progress } from './progress.js';
import { count, countFiles, forEachInput, print, printJson, say } from './report.js';

interface VerifyOptions extends CommonOptions {
  exact?: boolean;
  json?: boolean;
}

interface Trial {
  readonly codec: Codec;
  readonly input: Input;
  readonly bytes: Uint8Array;
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
      const progress = new Progress(await Promise.all(inputs.map(sizeOf)), options);
      const whole = await withCodec(codecOptions(options), (codec) =>
        forEachInput(inputs, 'file', options, async (input, index) => {
          const shown = progress.file(index, input.label);
          const trial: Trial = { codec, input, bytes: await read(input), options, progress: shown };
          const { text, facts } = await verify(trial).finally(() => shown.clear());
          if (options.json) await printJson({ file: input.path, ...facts });
          else if (!options.quiet) {
            await print(`${input.label}: ${text}, ${facts.bitsPerSample.toFixed(3)} bits per sample`);
          }
        }),
      );
      if (inputs.length > 1 && !options.quiet && !options.json) say(`${countFiles(whole, inputs.length)} whole`);
    });
}

function verify(trial: Trial): Promise<Finding> {
  const { input, bytes } = trial;
  const packed = isCnfz(bytes) || extname(input.path).toLowerCase() === '.cnfz';
  return packed ? verifyCnfz(trial) : verifyImage(trial);
}

async function verifyImage({ codec, input, bytes, options, progress }: Trial): Promise<Finding> {
  const { image, warnings } = await readImage(bytes, options);
  if (!options.quiet) for (const warning of warnings) say(`cnfzip: ${input.label}: warning: ${warning}`);
  progress.start(image);
  // It decodes and compares.
  const encoded = await codec.encode(image, { onProgress: progress.update });
  return {
    text: `round trip exact, ${count(bytes.length)} -> ${count(encoded.length)} bytes`,
    facts: { bytes: encoded.length, bitsPerSample: rate(encoded, image) },
  };
}

async function verifyCnfz({ codec, input, bytes, options, progress }: Trial): Promise<Finding> {
  const file = await codec.open(bytes);
  progress.start(file.info);
  const decoded = await file.decode({ onProgress: progress.update });
  // What decompressing it would write holds the image, too.
  await writeProven(decoded);
  const summary = `${count(bytes.length)} bytes`;
  const facts = { bytes: bytes.length, bitsPerSample: rate(bytes, decoded) };
  const sibling = input.path === STANDARD_STREAM ? undefined : await findSibling(input.path);
  if (!sibling) return { text: `decodes, checksums match, ${summary}`, facts };
  const { image } = await readImage(await readInput(sibling), options);
  if (!sameImage(image, decoded)) throw new CnfzipError('corrupt', `the decoded image differs from ${sibling}`);
  if (!options.exact) return { text: `decodes to ${sibling}, ${summary}`, facts: { ...facts, sameAs: sibling } };
  const [hash] = file.info.layers.flatMap(({ modelHash }) => modelHash ?? []);
  const model = hash === undefined ? options.model : await modelForDecoding(hash, options.model);
  const again = await encode(image, { ...codecOptions(options), model, verify: false });
  if (Buffer.compare(again, bytes) !== 0) {
    throw new CnfzipError('corrupt', `encoding ${sibling} gives other bytes than this file's`);
  }
  return {
    text: `decodes to ${sibling} and is encoded byte for byte, ${summary}`,
    facts: { ...facts, sameAs: sibling, exact: true },
  };
}

/** The image beside a `.cnfz` file, of the same name but for the extension, which cameras write in capitals. */
async function findSibling(file: string): Promise<string | undefined> {
  const stem = file.slice(0, file.length - extname(file).length);
  const extensions = INPUT_EXTENSIONS.flatMap((extension) => [extension, extension.toUpperCase()]);
  for (const extension of extensions) if (await isFile(stem + extension)) return stem + extension;
  return undefined;
}

/** Bits per sample. */
function rate(encoded: Uint8Array, image: Image): number {
  return (8 * encoded.length) / image.samples.length;
}
