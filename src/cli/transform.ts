/** What `compress` and `decompress` have in common: each input becomes one output. */

import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { CnfzipError } from '../../codec/error.js';
import { makeFolder } from '../io/files/folders.js';
import { type OpenInput, removeInput } from '../io/files/read.js';
import { type FileState, sameFile } from '../io/files/state.js';
import { type Input, listInputs, open, type Refusal, STANDARD_STREAM, sizeOf } from './inputs.js';
import type { OutputOptions } from './options.js';
import { namesStandardOutput, openTarget, type Target } from './output.js';
import { type FileProgress, Progress } from './progress.js';
import { count, countFiles, forEachInput, printJson, say } from './report.js';

export interface Job {
  /** The input, for people. */
  readonly label: string;
  input(): Promise<Uint8Array>;
  /** Whether it is a regular file, of which any part can be read. */
  readonly isFile: boolean;
  source: OpenInput['source'];
  readonly progress: FileProgress;
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
  readonly facts: { readonly inputBytes: number; readonly outputBytes: number; readonly [more: string]: unknown };
  /** Whether it holds all that the input does: no input is removed otherwise. */
  readonly complete: boolean;
  /** What it does not hold, a line each. */
  readonly warnings: readonly string[];
}

/**
 * Does `work` for each input.
 *
 * @param given options, of which `-o -` and `-o /dev/stdout` mean `-c`
 * @param extensions of inputs, in lower case with their dots
 */
export async function transformFiles(
  command: Command,
  paths: readonly string[],
  given: OutputOptions,
  extensions: readonly string[],
  work: (job: Job) => Promise<Done>,
): Promise<void> {
  const named = given.output !== undefined && (await namesStandardOutput(given.output));
  const options = named ? { ...given, output: undefined, stdout: true } : given;
  const inputs = await listInputs(command, paths, options.recursive ?? false, extensions);
  requireOnePlaceEach(command, inputs, options);
  if (options.rm && !options.quiet && (options.stdout || inputs.some(({ path }) => path === STANDARD_STREAM))) {
    say('cnfzip: --rm is ignored where standard input or output is used');
  }
  const began = performance.now();
  const progress = new Progress(await Promise.all(inputs.map(sizeOf)), options);
  const sum = { inputBytes: 0, outputBytes: 0 };
  // Two inputs of one name (a.png, a.tiff) must not overwrite each other's result, even with --force.
  const results: { label: string; state: FileState }[] = [];
  const done = await forEachInput(inputs, 'input', options, async (input, index) => {
    const { path, label } = input;
    const opened = await open(input);
    let lasting = false;
    try {
      const target = async (extension: string): Promise<Target> => {
        const { name, existing, isFile, write } = await targetOf(input, options, extensions, extension, opened.state);
        const earlier = existing && results.find(({ state }) => sameFile(state, existing));
        if (earlier)
          throw new CnfzipError('usage', `its result would replace that of ${earlier.label}: name it with -o`);
        const record: Target['write'] = async (content, prove) => {
          const state = await write(content, prove);
          if (state) results.push({ label, state });
          lasting = state !== undefined;
          return state;
        };
        return { name, existing, isFile, write: record };
      };
      const done = await work({
        label,
        target,
        input: opened.read,
        isFile: opened.state.isFile(),
        source: opened.source,
        progress: progress.file(index, label),
      });
      sum.inputBytes += done.facts.inputBytes;
      sum.outputBytes += done.facts.outputBytes;
      if (options.json) await printJson({ input: path, ...done.facts });
      if (options.rm && !options.stdout && path !== STANDARD_STREAM) {
        if (!lasting) throw new CnfzipError('file', 'it is not removed, as its result is in no file');
        await removeDone(path, opened.state, done);
      }
    } finally {
      await opened.close();
    }
  });
  if (inputs.length < 2 || options.quiet || options.json) return;
  const percent = sum.inputBytes > 0 ? ` (${((100 * sum.outputBytes) / sum.inputBytes).toFixed(1)} %)` : '';
  const seconds = ((performance.now() - began) / 1000).toFixed(2);
  say(
    `${countFiles(done, inputs.length)}: ${count(sum.inputBytes)} -> ${count(sum.outputBytes)} bytes${percent}, ${seconds} s`,
  );
}

/** Several results cannot go to one place: a file holds one image. */
function requireOnePlaceEach(command: Command, inputs: readonly (Input | Refusal)[], options: OutputOptions): void {
  const { output, stdout, json } = options;
  const several = inputs.length > 1;
  const refuse = (option: string, why: string) => command.error(`error: ${option} is for one input only: ${why}`);
  if (several && output !== undefined) refuse('--output', 'a file holds one image (--output-dir names a folder)');
  if (several && stdout) refuse('--stdout', 'what follows a first image there would be taken for damage of it');
  if (json && inputs.some((input) => goesToStandardOutput(input, options)))
    command.error('error: --json would mix with the result on standard output');
}

function goesToStandardOutput({ path }: Pick<Input, 'path'>, { output, stdout = false }: OutputOptions): boolean {
  return stdout || (path === STANDARD_STREAM && output === undefined);
}

async function targetOf(
  { path, name }: Input,
  options: OutputOptions,
  from: readonly string[],
  to: string,
  source: FileState,
): Promise<Target> {
  const stdout = goesToStandardOutput({ path }, options);
  if (options.output !== undefined || stdout)
    return openTarget(options.output ?? path, { ...options, stdout }, { source });
  // A name that does not tell what kind of image it is stays whole: photo becomes photo.cnfz.
  const extension = from.find((known) => name.toLowerCase().endsWith(known)) ?? (to === '.cnfz' ? '' : undefined);
  if (extension === undefined)
    throw new CnfzipError('usage', `its name does not end in ${from.join(' or ')}: name the output with -o`);
  const renamed = (file: string) => file.slice(0, file.length - extension.length) + to;
  if (!options.outputDir) return openTarget(renamed(path), options, { source });
  const result = join(options.outputDir, renamed(name));
  await makeFolder(dirname(result));
  return openTarget(result, options, { source });
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
