/** Writing files, which appear whole or not at all, and last. */
import { closeSync, openSync, renameSync, unlinkSync } from 'node:fs';
import {
  type FileHandle,
  link,
  lstat,
  open,
  readlink,
  realpath,
  rename,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { CnfzipError } from '../../../codec/error.js';
import type { Source } from '../../../codec/source.js';
import { errorCode, isMissing, reason } from './errors.js';
import { syncFolder } from './folders.js';
import { MOST_AT_ONCE, sourceIn } from './source.js';
import { type FileState, sameFile } from './state.js';
import { guard, removeStale, temporaryPath, unguard } from './temporary.js';

/** What a file is made from. */
export interface MadeFrom {
  /** What the file is made from: it is never replaced, and its mode and times become those of the file. */
  readonly source?: FileState;
  /** What else it is made from: that is never replaced either. */
  readonly inputs?: readonly FileState[];
}

export interface WriteOptions extends MadeFrom {
  /** Replace an existing file; of a symbolic link, what it points to. */
  readonly force?: boolean;
  /** Reads what was written before it gets its name; what it throws, the write does. Of devices and pipes nothing can be read. */
  readonly prove?: (written: Source) => Promise<void>;
}

/** Bytes of a file, or pieces of them. */
export type Content = Uint8Array | AsyncIterable<Uint8Array>;

/** Where a file is to be written. */
export interface Place {
  /** With the links followed that are followed when it is written. */
  readonly path: string;
  /** The file that is there now. */
  readonly existing?: FileState;
}

/** As many links to links as Linux follows. */
const MAX_LINKS = 40;

/** Failures that tell that a file system knows no hard links, no modes, or no times. */
const NOT_SUPPORTED = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/**
 * Checks that a file may be written, so that long work is not begun in vain.
 *
 * @throws CnfzipError `file`
 */
export async function checkTarget(path: string, { force = false, source, inputs }: WriteOptions): Promise<Place> {
  try {
    const existing = await unlessMissing(stat(path, { bigint: true }));
    refuseInput(path, existing, { source, inputs });
    if (existing?.isDirectory()) throw targetError(path, 'is a folder');
    // Nothing is lost of what a device, a pipe or a terminal is given. Links to them may hold no path: /dev/fd/63 has pipe:[4711].
    if (existing && !existing.isFile()) return { path, existing };
    const place = await resolvePlace(path, force);
    // A link that points to nothing is something, too.
    if (!force && (existing ?? (await unlessMissing(lstat(place))))) throw existsAlready(path);
    return { path: place, existing };
  } catch (error) {
    throw error instanceof CnfzipError ? error : targetError(path, reason(error), error);
  }
}

/**
 * Writes a file under a temporary name in the target's folder, flushes it to the disk, and gives it its name; without `force`
 * in such a way that nothing is replaced that came into being meanwhile. After a failure, or SIGINT, SIGTERM or SIGHUP that
 * ends the process, neither the temporary file nor a part of the target is left; what SIGKILL leaves, the next write into the
 * folder removes.
 *
 * What a device or a pipe is given goes there.
 *
 * @returns the state of the file that was written; nothing where it is no regular file
 * @throws CnfzipError `file`
 */
export async function writeFileAtomic(
  path: string,
  content: Content,
  options: WriteOptions = {},
): Promise<FileState | undefined> {
  const place = await checkTarget(path, options);
  if (place.existing && !place.existing.isFile()) return writeThrough(path, content);
  const folder = dirname(place.path);
  await removeStale(folder);
  const temporary = temporaryPath(folder);
  guard(temporary);
  let state: FileState;
  try {
    state = await writeTemporary(temporary, content, options);
    await (options.force ? rename : nameNewFile)(temporary, place.path);
  } catch (error) {
    // What is no failure of the file system comes from the content.
    if (error instanceof CnfzipError) throw error;
    throw errorCode(error) === 'EEXIST' ? existsAlready(path, error) : targetError(path, reason(error), error);
  } finally {
    await unlink(temporary).catch(() => {});
    unguard(temporary);
  }
  try {
    await syncFolder(folder);
  } catch (error) {
    const why = `${path} is written, but its name may not be on the disk yet: ${reason(error)}`;
    throw new CnfzipError('file', why, { cause: error });
  }
  return state;
}

async function writeThrough(path: string, content: Content): Promise<undefined> {
  try {
    const handle = await open(path, 'w');
    await writeAll(handle, content).finally(() => handle.close());
  } catch (error) {
    throw error instanceof CnfzipError ? error : targetError(path, reason(error), error);
  }
}

async function writeAll(handle: FileHandle, content: Content): Promise<void> {
  if (content instanceof Uint8Array) return writeBytes(handle, content);
  for await (const piece of content) await writeBytes(handle, piece);
}

async function writeBytes(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, Math.min(bytes.length - at, MOST_AT_ONCE));
    if (bytesWritten === 0) throw new Error('the disk takes no more');
    at += bytesWritten;
  }
}

async function writeTemporary(
  temporary: string,
  content: Content,
  { source, prove }: WriteOptions,
): Promise<FileState> {
  // What came from a file may be a secret: nobody else reads it before it has that file's mode.
  const handle = await open(temporary, 'wx+', source?.isFile() ? 0o600 : 0o666);
  try {
    await writeAll(handle, content);
    if (prove) await prove(sourceIn(handle, (await handle.stat()).size));
    if (source?.isFile()) await copyAttributes(source, handle);
    await handle.sync();
    return await handle.stat({ bigint: true });
  } finally {
    await handle.close();
  }
}

/** Owner (where the user may give files away), mode and times, as gzip copies them; owner first, as it takes bits off the mode. */
async function copyAttributes(source: FileState, handle: FileHandle): Promise<void> {
  if (process.getuid?.() === 0) await handle.chown(Number(source.uid), Number(source.gid)).catch(() => {});
  const whereKnown = (error: unknown) => {
    if (!NOT_SUPPORTED.includes(errorCode(error) ?? '')) throw error;
  };
  await handle.chmod(Number(source.mode & 0o777n)).catch(whereKnown);
  await handle.utimes(Number(source.atimeNs) / 1e9, Number(source.mtimeNs) / 1e9).catch(whereKnown);
}

/** Gives a file another name, at which there must be nothing: EEXIST otherwise. The temporary name may stay beside it. */
async function nameNewFile(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (!NOT_SUPPORTED.includes(errorCode(error) ?? '')) throw error;
    reserveAndRename(temporary, path);
  }
}

/** For file systems without hard links: an empty file reserves the name, and is replaced. Synchronous, for no signal to come between. */
function reserveAndRename(temporary: string, path: string): void {
  closeSync(openSync(path, 'wx'));
  try {
    renameSync(temporary, path);
  } catch (error) {
    unlinkSync(path);
    throw error;
  }
}

/** The path by its real folder, a link that is its last part followed if that is asked for, even if it points to nothing. */
async function resolvePlace(path: string, follow: boolean): Promise<string> {
  let at = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const folder = await realpath(dirname(at)).catch((error) => {
      throw isMissing(error) ? targetError(path, `there is no folder ${dirname(at)}`, error) : error;
    });
    const place = join(folder, basename(at));
    const target = follow ? await linkTarget(place) : undefined;
    if (target === undefined) return place;
    // Not normalized: behind a link to a folder `..` means something else.
    at = isAbsolute(target) ? target : `${folder}/${target}`;
  }
  throw targetError(path, 'too many symbolic links');
}

async function linkTarget(path: string): Promise<string | undefined> {
  const found = await unlessMissing(lstat(path));
  return found?.isSymbolicLink() ? readlink(path) : undefined;
}

function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  return found.catch((error) => {
    if (!isMissing(error)) throw error;
    return undefined;
  });
}

/**
 * Refuses to write over what is read, by device and inode: links lead to it, too.
 *
 * @param name of the target, for people
 * @throws {CnfzipError} `file`
 */
export function refuseInput(name: string, existing: FileState | undefined, { source, inputs = [] }: MadeFrom): void {
  const isInput = existing && [...(source ? [source] : []), ...inputs].some((input) => sameFile(input, existing));
  if (isInput) throw targetError(name, 'it is the input itself');
}

/**
 * Writes into the file that is there, or a new one, for whoever has it open already and reads on. Unlike `writeFileAtomic` it may leave a
 * part of it.
 *
 * @throws {CnfzipError} `file`
 */
export async function writeInPlace(path: string, bytes: Uint8Array, from: MadeFrom = {}): Promise<void> {
  try {
    refuseInput(path, await unlessMissing(stat(path, { bigint: true })), from);
    await writeFile(path, bytes);
  } catch (error) {
    throw error instanceof CnfzipError ? error : targetError(path, reason(error), error);
  }
}

function existsAlready(path: string, cause?: unknown): CnfzipError {
  return targetError(path, 'it exists already (use force to replace it)', cause);
}

function targetError(path: string, why: string, cause?: unknown): CnfzipError {
  return new CnfzipError('file', `cannot write ${path}: ${why}`, { cause });
}
