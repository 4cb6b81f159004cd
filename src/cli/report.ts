/** What the commands say: lines for people, in which nothing controls a terminal, and JSON for programs. */
import { errorCode, kindOf, reason } from '../io/files/errors.js';
import { writeStandardOutput } from '../io/files/standard-output.js';
import type { Input, Refusal } from './inputs.js';
import { printable } from './printable.js';

export interface ReportOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/**
 * Does `work` for each input; one that fails costs a line on stderr, a record with `json`, and the exit code, not the ones after it.
 *
 * @param key what the command's records call an input's path
 * @returns how many came through
 */
export async function forEachInput(
  inputs: readonly (Input | Refusal)[],
  key: 'input' | 'file',
  { json, verbose }: ReportOptions,
  work: (input: Input, index: number) => Promise<void>,
): Promise<number> {
  let done = 0;
  for (const [index, input] of inputs.entries()) {
    try {
      if ('error' in input) throw input.error;
      await work(input, index);
      done++;
    } catch (error) {
      reportError(input.label, error, verbose);
      // Where that cannot be written, the line on stderr and the exit code stand.
      if (json)
        await printJson({ [key]: input.path, error: { code: kindOf(error), message: meaning(error) } }).catch(() => {});
    }
  }
  return done;
}

/** @param subject what the error is about, or nothing */
export function reportError(subject: string | undefined, error: unknown, verbose: boolean | undefined): void {
  say(['cnfzip', ...(subject === undefined ? [] : [subject]), meaning(error)].join(': '));
  if (verbose && !isKnown(error)) for (const line of ((error as Error).stack ?? '').split('\n')) say(line);
  process.exitCode = 1;
}

/** Does work; what it throws costs a line about the subject, and the exit code. */
export async function reported(
  subject: string | undefined,
  { verbose }: Pick<ReportOptions, 'verbose'>,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    reportError(subject, error, verbose);
  }
}

function isKnown(error: unknown): boolean {
  return kindOf(error) !== 'internal';
}

/** What an error means, in a line. */
function meaning(error: unknown): string {
  return isKnown(error) ? reason(error) : `internal error: ${(error as Error).message.replace(/\s*\n\s*/g, ' ')}`;
}

/** What is to be known of a file beside its result, a line each. */
export function sayWarnings(label: string, { quiet }: { quiet?: boolean }, warnings: readonly string[] = []): void {
  if (!quiet) for (const warning of warnings) say(`cnfzip: ${label}: warning: ${warning}`);
}

/** A line on stderr. */
export function say(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/**
 * Lines on standard output.
 *
 * @throws CnfzipError `file`
 */
export async function print(...lines: readonly string[]): Promise<void> {
  await write(lines.map((line) => `${printable(line)}\n`).join(''));
}

/**
 * A value as a line of JSON on standard output.
 *
 * @throws CnfzipError `file`
 */
export async function printJson(value: object): Promise<void> {
  await write(`${JSON.stringify(value)}\n`);
}

/** `1 file`, `2 files`; of several, where not all came through, `2 of 3 files`. */
export function countFiles(done: number, all: number): string {
  return countOf(done, all, 'file');
}

/** As `countFiles`, of things with another name. */
export function countOf(done: number, all: number, noun: string): string {
  const things = `${count(all)} ${noun}${all === 1 ? '' : 's'}`;
  return done === all ? things : `${count(done)} of ${things}`;
}

/** 1234567 as `1,234,567`. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

async function write(text: string): Promise<void> {
  if (text === '') return;
  try {
    await writeStandardOutput(new TextEncoder().encode(text));
  } catch (error) {
    // A reader that goes away (`| head`) is no error of ours; later lines meet its stream closed.
    if (errorCode(process.stdout.errored ?? (error as Error).cause) !== 'EPIPE') throw error;
  }
}
