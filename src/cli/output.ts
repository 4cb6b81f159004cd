/** Where a command's result goes: a file beside the input, a named file, or standard output. */
import { CnfzipError } from '../../codec/error.js';
import { isStandardOutput, standardOutputState, writeStandardOutput } from '../io/files/standard-output.js';
import type { FileState } from '../io/files/state.js';
import {
  type Content,
  checkTarget,
  type MadeFrom,
  refuseInput,
  type WriteOptions,
  writeFileAtomic,
} from '../io/files/write.js';
import { STANDARD_STREAM } from './inputs.js';

export interface Target {
  /** For people: a path, or `standard output`. */
  readonly name: string;
  /** The file there that is to be replaced. */
  readonly existing?: FileState;
  /** Whether it is a regular file: what is written there can be read again before it gets its name. */
  readonly isFile: boolean;
  /**
   * Returns what is there then, if that is a file of ours.
   *
   * @param prove as for `writeFileAtomic`
   */
  write(content: Content, prove?: WriteOptions['prove']): Promise<FileState | undefined>;
}

interface TargetOptions {
  readonly force?: boolean;
  readonly stdout?: boolean;
}

/** Whether what is given to `-o` stands for standard output. */
export async function namesStandardOutput(output: string): Promise<boolean> {
  return output === STANDARD_STREAM || (await isStandardOutput(output));
}

/** As `openTarget`, of what is given to `-o`. */
export async function openOutput(output: string, { force }: TargetOptions, from: MadeFrom): Promise<Target> {
  return openTarget(output, { force, stdout: await namesStandardOutput(output) }, from);
}

/**
 * Finds the target and checks that it can be written, before any work is done.
 *
 * @param path of the result, unless the options say standard output
 */
export async function openTarget(
  path: string,
  { force = false, stdout }: TargetOptions,
  from: MadeFrom,
): Promise<Target> {
  if (stdout) return openStandardOutput(force, from);
  const options = { force, ...from };
  const { existing } = await checkTarget(path, options);
  const write: Target['write'] = (content, prove) => writeFileAtomic(path, content, { ...options, prove });
  return { name: path, existing, isFile: existing?.isFile() ?? true, write };
}

function openStandardOutput(force: boolean, from: MadeFrom): Target {
  if (process.stdout.isTTY && !force) {
    throw new CnfzipError('usage', 'binary data is not written to a terminal (-f does it all the same)');
  }
  const output = standardOutputState();
  // A terminal or a socket may be both.
  if (output.isFile()) refuseInput('standard output', output, from);
  const write = async (content: Content) => {
    const pieces = content instanceof Uint8Array ? [content] : content;
    for await (const piece of pieces) await writeStandardOutput(piece, { flush: true });
    return undefined;
  };
  return { name: 'standard output', isFile: false, write };
}
