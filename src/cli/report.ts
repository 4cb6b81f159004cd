/** What the commands say: lines for people, in which nothing controls a terminal, and JSON for programs. */
import { CnfzipError } from '../../codec/error.js';
import { errorCode, isSystemError, reason } from '../io/files/errors.js';
import { writeStandardOutput } from '../io/files/standard-output.js';
import { printable } from './printable.js';

/** Does `work` for each file; one that fails costs a line on stderr and the exit code, not the files after it. */
export async function forEachFile(
  files: readonly string[],
  verbose: boolean | undefined,
  work: (file: string) => Promise<void>,
): Promise<void> {
  for (const file of files) {
    try {
      await work(file);
    } catch (error) {
      reportError(file, error, verbose);
    }
  }
}

/** @param subject what the error is about, or nothing */
export function reportError(subject: string | undefined, error: unknown, verbose: boolean | undefined): void {
  const known = error instanceof CnfzipError || isSystemError(error);
  const what = known ? reason(error) : `internal error: ${(error as Error).message.replace(/\s*\n\s*/g, ' ')}`;
  say(['cnfzip', ...(subject === undefined ? [] : [subject]), what].join(': '));
  if (verbose && !known) for (const line of ((error as Error).stack ?? '').split('\n')) say(line);
  process.exitCode = 1;
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
