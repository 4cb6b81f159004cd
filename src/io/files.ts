/** Reading and writing files with errors for people; a file that is written appears whole or not at all. */
import { randomBytes } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import { type FileHandle, lstat, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CnfzipError } from '../../codec/error.js';

const REASONS: Record<string, string> = {
  ENOENT: 'no such file or folder',
  EISDIR: 'is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files',
  EIO: 'input/output error',
  ERR_FS_FILE_TOO_LARGE: 'the file is too large',
};

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Temporary files that exist now. */
const pending = new Set<string>();

/**
 * Reads a whole file.
 *
 * @throws CnfzipError `file`; the message does not repeat the path
 */
export async function readInput(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CnfzipError('file', reason(error), { cause: error });
  }
}

/**
 * Checks that a file may be written, so that long work is not begun in vain.
 *
 * @param force an existing file may be replaced
 * @throws CnfzipError `file`
 */
export async function checkTarget(path: string, force: boolean): Promise<void> {
  let existing: Awaited<ReturnType<typeof stat>> | undefined;
  try {
    existing = await stat(path);
    if (existing.isDirectory()) throw targetError(path, 'is a folder');
    if (!existing.isFile()) throw targetError(path, 'is not a regular file');
  } catch (error) {
    if (error instanceof CnfzipError) throw error;
    if (!isMissing(error)) throw targetError(path, reason(error), error);
  }
  if (existing && !force) throw targetError(path, 'it exists already (use force to replace it)');
  try {
    const folder = await stat(dirname(path));
    if (!folder.isDirectory()) throw targetError(path, `${dirname(path)} is not a folder`);
  } catch (error) {
    if (error instanceof CnfzipError) throw error;
    throw targetError(path, isMissing(error) ? `there is no folder ${dirname(path)}` : reason(error), error);
  }
}

/**
 * Writes a file under a temporary name in the target's folder, flushes it to the disk and renames it. After a failure,
 * SIGINT, SIGTERM or SIGHUP that ends the process, neither the temporary file nor a part of the target is left.
 *
 * @param options.force replace an existing file
 * @throws CnfzipError `file`
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  options: { force?: boolean } = {},
): Promise<void> {
  await checkTarget(path, options.force ?? false);
  const temporary = join(dirname(path), `.cnfzip-${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
  watchSignals(temporary);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'wx');
    await handle.writeFile(bytes);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
  } catch (error) {
    await handle?.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    throw targetError(path, reason(error), error);
  } finally {
    unwatchSignals(temporary);
  }
}

/** True if something, even a broken link, has this name. */
export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** What a failed system call means, for people. */
export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code && REASONS[code]) || message;
}

function targetError(path: string, why: string, cause?: unknown): CnfzipError {
  return new CnfzipError('file', `cannot write ${path}: ${why}`, { cause });
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function watchSignals(temporary: string): void {
  if (pending.size === 0) for (const signal of SIGNALS) process.on(signal, removePending);
  pending.add(temporary);
}

function unwatchSignals(temporary: string): void {
  pending.delete(temporary);
  if (pending.size === 0) for (const signal of SIGNALS) process.off(signal, removePending);
}

function removePending(signal: NodeJS.Signals): void {
  for (const each of SIGNALS) process.off(each, removePending);
  // Other listeners decide what the signal means, and the write goes on; without any it ends the process.
  if (process.listenerCount(signal) > 0) return;
  for (const temporary of pending) {
    try {
      unlinkSync(temporary);
    } catch {
      // Not yet created, or renamed already.
    }
  }
  process.kill(process.pid, signal);
}
