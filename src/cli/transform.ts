/** What `compress` and `decompress` have in common: each input becomes one output. */

import { mkdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { CnfzipError } from '../../codec/error.js';
import { reason } from '../io/files.js';
import { type Input, listInputs, readInput, STANDARD_STREAM } from './inputs.js';
import { type OutputOptions, requireOneInput } from './options.js';
import { openTarget, type Target } from './output.js';
import { reportError } from './report.js';

export interface Job {
  /** The input, for people. */
  readonly label: string;
  input(): Promise<Uint8Array>;
  /**
   * Where the result goes; checks that it can be written.
   *
   * @param extension of the result, with its dot, where the command line does not name it
   */
  target(extension: string): Promise<Target>;
}

/**
 * Does `work` for each input; one that fails costs a line on stderr and the exit code, not the ones after it.
 *
 * @param extensions of inputs, in lower case with their dots
 * @param work returns what `--json` tells beside the input's name
 */
export async function transformFiles(
  command: Command,
  paths: readonly string[],
  options: OutputOptions,
  extensions: readonly string[],
  work: (job: Job) => Promise<object>,
): Promise<void> {
  requireOneInput(command, paths, options);
  // Two inputs of one name (a.png, a.tiff) must not overwrite each other's result, even with --force.
  const written = new Map<string, string>();
  for (const found of await listInputs(paths, options.recursive ?? false, extensions)) {
    const { path } = found;
    try {
      if ('error' in found) throw found.error;
      const target = async (extension: string) => {
        const opened = await targetOf(found, options, extensions, extension);
        const earlier = written.get(opened.name);
        if (earlier) throw new CnfzipError('usage', `its result would replace that of ${earlier}: name it with -o`);
        written.set(opened.name, labelOf(path));
        return opened;
      };
      const facts = await work({ label: labelOf(path), target, input: () => readInput(path) });
      if (options.json) process.stdout.write(`${JSON.stringify({ input: path, ...facts })}\n`);
      if (options.rm && path !== STANDARD_STREAM) await remove(path);
    } catch (error) {
      reportError(labelOf(path), error, options.verbose);
    }
  }
}

function labelOf(path: string): string {
  return path === STANDARD_STREAM ? 'standard input' : path;
}

async function targetOf(
  { path, name }: Input,
  options: OutputOptions,
  from: readonly string[],
  to: string,
): Promise<Target> {
  if (path === STANDARD_STREAM && !options.output) return openTarget(path, { ...options, stdout: true });
  if (options.output || options.stdout) return openTarget(options.output ?? path, options);
  const extension = from.find((known) => name.toLowerCase().endsWith(known));
  if (!extension)
    throw new CnfzipError('usage', `its name does not end in ${from.join(' or ')}: name the output with -o`);
  const renamed = (file: string) => file.slice(0, file.length - extension.length) + to;
  if (!options.outputDir) return openTarget(renamed(path), options);
  const result = join(options.outputDir, renamed(name));
  try {
    await mkdir(dirname(result), { recursive: true });
  } catch (error) {
    throw new CnfzipError('file', `cannot make the folder ${dirname(result)}: ${reason(error)}`, { cause: error });
  }
  return openTarget(result, options);
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    throw new CnfzipError('file', `cannot remove it: ${reason(error)}`, { cause: error });
  }
}
