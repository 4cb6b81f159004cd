/** Which file it is, and in which state: what tells whether two paths or two moments show the same. */
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileError } from './errors.js';

export type FileState = BigIntStats;

export function sameFile(a: FileState, b: FileState): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Whether nobody has replaced or written a file between two looks at it. */
export function unchanged(a: FileState, b: FileState): boolean {
  return sameFile(a, b) && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/** @throws CnfzipError `file`; the message does not repeat the path */
export async function stateOfFile(path: string): Promise<FileState> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    throw fileError(error);
  }
}

/** Of those files that can be looked at; why others cannot is told when they are read. */
export async function statesOf(paths: readonly string[]): Promise<FileState[]> {
  const found = await Promise.allSettled(paths.map(stateOfFile));
  return found.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}
