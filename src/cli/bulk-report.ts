/** What commands of `bulk` tell of the work. */

import { join } from 'node:path';
import { makeResultOf } from '../bulk/coding.js';
import { type Entry, isFailure, type Success } from '../bulk/manifest.js';
import { type BulkWork, type LeftOut, type Plan, sourcesWithout } from '../bulk/plan.js';
import type { Shard } from '../bulk/shard.js';
import { CnfzipError, type Codec } from '../index.js';
import { isFolder } from '../io/files/folders.js';
import { readInput } from '../io/files/read.js';
import { type CommonOptions, codecOptions } from './options.js';
import { count, countFiles, print, reportError, sayWarnings } from './report.js';

/** Images that a dry run codes to tell what all will take. */
const TRIED = 5;

/** @throws CnfzipError if there is no such folder */
export async function checkFolder(from: string): Promise<void> {
  if (!(await isFolder(from))) throw new CnfzipError('usage', 'is no folder');
}

/** A failure costs a line and the exit code, a warning a line. */
export function reportEntry(from: string, entry: Entry, { quiet }: CommonOptions): void {
  const label = join(from, entry.source);
  if (isFailure(entry)) reportError(label, new CnfzipError('file', entry.error.message), false);
  else sayWarnings(label, { quiet }, entry.warnings);
}

/** What cannot be done costs a line each, and the exit code. */
export function reportFailedBefore({ from }: BulkWork, { failed, leftOut }: Plan): void {
  reportLeftOut(leftOut);
  for (const { source, error } of failed) {
    const message = `failed before: ${error.message} (--retry tries again)`;
    reportError(join(from, source), new CnfzipError('file', message), false);
  }
}

export function reportLeftOut(leftOut: readonly LeftOut[]): void {
  for (const { path, error } of leftOut) reportError(path, error, false);
}

/** Sources that nobody has dealt with; returns how many. */
export async function reportMissing(entries: ReadonlyMap<string, Entry>, from: string, shard: Shard): Promise<number> {
  const { missing, leftOut } = await sourcesWithout(entries, from, shard);
  for (const source of missing) reportError(join(from, source), new CnfzipError('file', 'it has no result'), false);
  reportLeftOut(leftOut);
  return missing.length;
}

/** `, 4 done before, 1 failed before`. */
export function before({ done, failed }: Plan): string {
  const told = (entries: readonly Entry[], what: string) =>
    entries.length > 0 ? `, ${count(entries.length)} ${what} before` : '';
  return told(done, 'done') + told(failed, 'failed');
}

export function sizes(entries: readonly Success[]): string {
  const sum = (of: (entry: Success) => number) => entries.reduce((total, entry) => total + of(entry), 0);
  const [from, to] = [sum(({ sourceBytes }) => sourceBytes), sum(({ targetBytes }) => targetBytes)];
  const percent = from > 0 ? ` (${((100 * to) / from).toFixed(1)} %)` : '';
  return `${count(from)} -> ${count(to)} bytes${percent}, ${sum(({ seconds }) => seconds).toFixed(1)} s`;
}

/** Tells how much there is to do, and what a few images of it take. */
export async function estimate(
  { from, coding }: BulkWork,
  { todo, done, failed }: Plan,
  codec: Codec,
  options: CommonOptions,
): Promise<void> {
  const total = todo.reduce((sum, { sourceBytes }) => sum + sourceBytes, 0);
  const every = Math.max(1, Math.floor(todo.length / TRIED));
  const tried = todo.filter((_, i) => i % every === 0).slice(0, TRIED);
  const sum = { from: 0, to: 0, seconds: 0 };
  for (const { source, sourceBytes } of tried) {
    const label = join(from, source);
    try {
      const began = performance.now();
      const file = { name: source, bytes: await readInput(label) };
      const { bytes } = await makeResultOf(file, coding, codec, codecOptions(options));
      sum.from += sourceBytes;
      sum.to += bytes.length;
      sum.seconds += (performance.now() - began) / 1000;
    } catch (error) {
      reportError(label, error, options.verbose);
    }
  }
  await print(
    `to do: ${count(todo.length)} files, ${count(total)} bytes; done: ${count(done.length)}; failed: ${count(failed.length)}`,
  );
  if (sum.from === 0) return;
  const scale = total / sum.from;
  const [bytes, seconds] = [Math.round(scale * sum.to), Math.round(scale * sum.seconds)];
  await print(
    `estimate, from ${countFiles(tried.length, tried.length)}: ${count(bytes)} bytes (${((100 * sum.to) / sum.from).toFixed(1)} %), ${count(seconds)} s in one process`,
  );
}
