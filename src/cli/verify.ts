import { extname } from 'node:path';
import type { Command } from 'commander';
import { sameImage } from '../../codec/image.js';
import { CnfzipError, decode, encode, type Image, info } from '../index.js';
import { isFile } from '../io/files/folders.js';
import { readInput } from '../io/files/read.js';
import { INPUT_EXTENSIONS, readImage } from '../io/formats.js';
import { writeProven } from '../io/prove.js';
import { modelForDecoding } from '../models.js';
import { listInputs } from './inputs.js';
import { addCommonOptions, type CommonOptions, codingOptions } from './options.js';
import { Progress } from './progress.js';
import { count, forEachFile, print, reportError, say } from './report.js';

interface VerifyOptions extends CommonOptions {
  exact?: boolean;
}

export function addVerify(program: Command): void {
  const command = program
    .command('verify')
    .description(
      'prove that files survive: a .cnfz file is decoded, its checksums checked, and compared with the image beside ' +
        'it if there is one; an image is encoded, decoded and compared',
    )
    .argument('<path...>', 'files, or folders whose images and .cnfz files are all verified')
    .option('--exact', 'a .cnfz file with an image beside it must also be what encoding that gives now, byte for byte');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cnfzip verify photo.cnfz    decodes, its checksums match, and photo.png beside it is the same
  cnfzip verify -q photos/    exit code 0 if all is well`,
    )
    .action(async (paths: string[], options: VerifyOptions) => {
      for (const found of await listInputs(paths, true, ['.cnfz', ...INPUT_EXTENSIONS])) {
        if ('error' in found) reportError(found.path, found.error, options.verbose);
        else await forEachFile([found.path], options.verbose, (file) => verify(file, options));
      }
    });
}

async function verify(file: string, options: VerifyOptions): Promise<void> {
  const bytes = await readInput(file);
  const progress = new Progress(file, options);
  let result: string;
  try {
    result = await (extname(file).toLowerCase() === '.cnfz' ? verifyCnfz : verifyImage)(file, bytes, options, progress);
  } finally {
    progress.clear();
  }
  if (!options.quiet) await print(`${file}: ${result}`);
}

async function verifyImage(
  file: string,
  bytes: Uint8Array,
  options: VerifyOptions,
  progress: Progress,
): Promise<string> {
  const { image, warnings } = await readImage(bytes, options);
  if (!options.quiet) for (const warning of warnings) say(`cnfzip: ${file}: warning: ${warning}`);
  // It decodes and compares.
  const encoded = await encode(image, { ...codingOptions(options), onProgress: progress.update });
  return `round trip exact, ${count(bytes.length)} -> ${count(encoded.length)} bytes, ${bits(encoded, image)}`;
}

async function verifyCnfz(
  file: string,
  bytes: Uint8Array,
  options: VerifyOptions,
  progress: Progress,
): Promise<string> {
  const decoded = await decode(bytes, { ...codingOptions(options), onProgress: progress.update });
  // What decompressing it would write holds the image, too.
  await writeProven(decoded);
  const summary = `${count(bytes.length)} bytes, ${bits(bytes, decoded)}`;
  const sibling = await findSibling(file);
  if (!sibling) return `decodes, checksums match, ${summary}`;
  const { image } = await readImage(await readInput(sibling), options);
  if (!sameImage(image, decoded)) throw new CnfzipError('corrupt', `the decoded image differs from ${sibling}`);
  if (!options.exact) return `decodes to ${sibling}, ${summary}`;
  const [hash] = info(bytes).layers.flatMap(({ modelHash }) => modelHash ?? []);
  const model = hash === undefined ? options.model : await modelForDecoding(hash, options.model);
  const again = await encode(image, { ...codingOptions(options), model, verify: false });
  if (Buffer.compare(again, bytes) !== 0) {
    throw new CnfzipError('corrupt', `encoding ${sibling} gives other bytes than this file's`);
  }
  return `decodes to ${sibling} and is encoded byte for byte, ${summary}`;
}

/** The image beside a `.cnfz` file, of the same name but for the extension, which cameras write in capitals. */
async function findSibling(file: string): Promise<string | undefined> {
  const stem = file.slice(0, file.length - extname(file).length);
  const extensions = INPUT_EXTENSIONS.flatMap((extension) => [extension, extension.toUpperCase()]);
  for (const extension of extensions) if (await isFile(stem + extension)) return stem + extension;
  return undefined;
}

function bits(encoded: Uint8Array, image: Image): string {
  return `${((8 * encoded.length) / image.samples.length).toFixed(3)} bits per sample`;
}
