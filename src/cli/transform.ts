/** What `compress` and `decompress` have in common: each input becomes one output. */

import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { CnfzipError } from '../../codec/error.js';
import { makeFolder } from '../io/files/folders.js';
import { type OpenInput, openInput, openStandardInput, removeInput } from '../io/files/read.js';
import { type FileState, sameFile } from '../io/files/state.js';
import { type Input, listInputs, STANDARD_STREAM } from './inputs.js';
import { type OutputOptions, requireOneInput } from './options.js';
import { openTarget, type Target } from './output.js';
import { printJson, reportError, say } from './report.js';

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

/** A result that is written, and proven to be what it should be. */
export interface Done {
  /** What `--json` tells beside the input's name. */
  readonly facts: object;
  /** Whether it holds all that the input does: no input is removed otherwise. */
  readonly complete: boolean;
  /** What it does not hold, a line each. */
  readonly warnings: readonly string[];
}

/**
 * Does `work` for each input; one that fails costs a line on stderr and the exit code, not the ones after it.
 *
 * @param extensions of inputs, in lower case with their dots
 */
export async function transformFiles(
  command: Command,
  paths: readonly string[],
  options: OutputOptions,
  extensions: readonly string[],
  work: (job: Job) => Promise<Done>,
): Promise<void> {
  requireOneInput(command, paths, options);
  if (options.rm && !options.quiet && (options.stdout || paths.includes(STANDARD_STREAM))) {
    say('cnfzip: --rm is ignored where standard input or output is used');
  }
  // Two inputs of one name (a.png, a.tiff) must not overwrite each other's result, even with --force.
  const results: { label: string; state: FileState }[] = [];
  for (const found of await listInputs(paths, options.recursive ?? false, extensions)) {
    const { path } = found;
    const label = path === STANDARD_STREAM ? 'standard input' : path;
    let input: OpenInput | undefined;
    try {
      if ('error' in found) throw found.error;
      const opened = path === STANDARD_STREAM ? openStandardInput() : await openInput(path);
      input = opened;
      const target = async (extension: string): Promise<Target> => {
        const { name, existing, write } = await targetOf(found, options, extensions, extension, opened.state);
        const earlier = existing && results.find(({ state }) => sameFile(state, existing));
        if (earlier)
          throw new CnfzipError('usage', `its result would replace that of ${earlier.label}: name it with -o`);
        const record = async (bytes: Uint8Array) => {
          const state = await write(bytes);
          if (state) results.push({ label, state });
          return state;
        };
        return { name, existing, write: record };
      };
      const done = await work({ label, target, input: opened.read });
      if (options.json) await printJson({ input: path, ...done.facts });
      if (options.rm && !options.stdout && path !== STANDARD_STREAM) await removeDone(path, opened.state, done);
    } catch (error) {
      reportError(label, error, options.verbose);
    } finally {
      await input?.close();
    }
  }
}

async function targetOf(
  { path, name }: Input,
  options: OutputOptions,
  from: readonly string[],
  to: string,
  source: FileState,
): Promise<Target> {
  if (path === STANDARD_STREAM && !options.output) return openTarget(path, { ...options, stdout: true }, source);
  if (options.output || options.stdout) return openTarget(options.output ?? path, options, source);
  const extension = from.find((known) => name.toLowerCase().endsWith(known));
  if (!extension)
    throw new CnfzipError('usage', `its name does not end in ${from.join(' or ')}: name the output with -o`);
  const renamed = (file: string) => file.slice(0, file.length - extension.length) + to;
  if (!options.outputDir) return openTarget(renamed(path), options, source);
  const result = join(options.outputDir, renamed(name));
  await makeFolder(dirname(result));
  return openTarget(result, options, source);
}

async function removeDone(path: string, opened: FileState, { complete, warnings }: Done): Promise<void> {
  if (!complete) {
    throw new CnfzipError(
      'unsupported',
      `it is not removed, as its result does not hold all of it: ${warnings.join('; ')}`,
    );
  }
  await removeInput(path, opened);
}
