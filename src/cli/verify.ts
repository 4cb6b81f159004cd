import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Command } from 'commander';
import { sameImage } from '../../codec/image.js';
import { CnfzipError, decode, encode, type Image, info } from '../index.js';
import { exists, readInput, reason } from '../io/files.js';
import { INPUT_EXTENSIONS, readImage } from '../io/formats.js';
import { modelForDecoding } from '../models.js';
import { addCommonOptions, type CommonOptions, codingOptions } from './options.js';
import { Progress } from './progress.js';
import { count, forEachFile, reportError } from './report.js';

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
      for (const path of paths) {
        let files: string[];
        try {
          files = await listFiles(path);
        } catch (error) {
          reportError(path, error, options.verbose);
          continue;
        }
        await forEachFile(files, options.verbose, (file) => verify(file, options));
      }
    });
}

async function listFiles(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path, { recursive: true });
    const extensions = ['.cnfz', ...INPUT_EXTENSIONS];
    const files = names.filter((name) => extensions.includes(extname(name).toLowerCase()));
    if (files.length > 0) return files.map((name) => join(path, name)).sort();
  } catch (error) {
    throw new CnfzipError('file', reason(error), { cause: error });
  }
  throw new CnfzipError('file', 'the folder holds no images and no .cnfz files');
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
  if (!options.quiet) process.stdout.write(`${file}: ${result}\n`);
}

async function verifyImage(
  _file: string,
  bytes: Uint8Array,
  options: VerifyOptions,
  progress: Progress,
): Promise<string> {
  const { image } = await readImage(bytes, options);
  const coding = codingOptions(options);
  const encoded = await encode(image, { ...coding, onProgress: (part) => progress.update(part / 2) });
  const decoded = await decode(encoded, { ...coding, onProgress: (part) => progress.update((1 + part) / 2) });
  if (!sameImage(image, decoded)) throw new CnfzipError('corrupt', 'the decoded image differs from the original');
  return `round trip exact, ${count(bytes.length)} -> ${count(encoded.length)} bytes, ${bits(encoded, image)}`;
}

async function verifyCnfz(
  file: string,
  bytes: Uint8Array,
  options: VerifyOptions,
  progress: Progress,
): Promise<string> {
  const decoded = await decode(bytes, { ...codingOptions(options), onProgress: progress.update });
  const summary = `${count(bytes.length)} bytes, ${bits(bytes, decoded)}`;
  const sibling = await findSibling(file);
  if (!sibling) return `decodes, checksums match, ${summary}`;
  const { image } = await readImage(await readInput(sibling), options);
  if (!sameImage(image, decoded)) throw new CnfzipError('corrupt', `the decoded image differs from ${sibling}`);
  if (!options.exact) return `decodes to ${sibling}, ${summary}`;
  const [hash] = info(bytes).layers.flatMap(({ modelHash }) => modelHash ?? []);
  const model = hash === undefined ? options.model : await modelForDecoding(hash, options.model);
  const again = await encode(image, { ...codingOptions(options), model });
  if (Buffer.compare(again, bytes) !== 0) {
    throw new CnfzipError('corrupt', `encoding ${sibling} gives other bytes than this file's`);
  }
  return `decodes to ${sibling} and is encoded byte for byte, ${summary}`;
}

/** The image beside a `.cnfz` file, of the same name but for the extension. */
async function findSibling(file: string): Promise<string | undefined> {
  const stem = file.slice(0, file.length - extname(file).length);
  for (const extension of INPUT_EXTENSIONS) if (await exists(stem + extension)) return stem + extension;
  return undefined;
}

function bits(encoded: Uint8Array, image: Image): string {
  return `${((8 * encoded.length) / image.samples.length).toFixed(3)} bits per sample`;
}
