/** What the commands say to people. */
import { CnfzipError } from '../../codec/error.js';

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

export function reportError(file: string, error: unknown, verbose: boolean | undefined): void {
  const { message, stack } = error as Error;
  const known = error instanceof CnfzipError;
  say(`cnfzip: ${file}: ${known ? '' : 'internal error: '}${message.replace(/\s*\n\s*/g, ' ')}`);
  if (verbose && !known && stack) say(stack);
  process.exitCode = 1;
}

/** A line on stderr. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** 1234567 as `1,234,567`. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}
