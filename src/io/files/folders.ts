/** Folders: what is in them, and that new names in them outlast a loss of power. */
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { CnfzipError } from '../../../codec/error.js';
import { errorCode, fileError, reason } from './errors.js';

/** Failures that tell that folders cannot be opened or synchronized here. */
const NO_SYNC = ['EINVAL', 'EISDIR', 'EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** @throws CnfzipError `file`; the message does not repeat the path */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(rethrow)).isDirectory();
}

/** Whether it is a regular file, or a link to one: reading others might never end. */
export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/**
 * The regular files of a folder and those below it that have one of the extensions, in alphabetical order, by their paths in
 * it. Links to files count, fifos and devices do not.
 *
 * @param extensions in lower case, with their dots
 * @throws CnfzipError `file`; the message does not repeat the path
 */
export async function filesBelow(folder: string, extensions: readonly string[]): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(rethrow);
  const files: string[] = [];
  for (const entry of entries) {
    if (!extensions.some((extension) => entry.name.toLowerCase().endsWith(extension))) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    if (entry.isSymbolicLink() ? await isFile(path) : entry.isFile()) files.push(relative(folder, path));
  }
  return files.sort();
}

/** Makes a folder, and those above it, where there is none. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    const first = await mkdir(folder, { recursive: true });
    if (first === undefined) return;
    const above = dirname(resolve(first));
    for (let made = resolve(folder); made.length > above.length; made = dirname(made)) await syncFolder(dirname(made));
  } catch (error) {
    throw new CnfzipError('file', `cannot make the folder ${folder}: ${reason(error)}`, { cause: error });
  }
}

/** Flushes a folder's names to the disk, where that can be done. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (!NO_SYNC.includes(errorCode(error) ?? '')) throw error;
  }
}

function rethrow(error: unknown): never {
  throw fileError(error);
}
