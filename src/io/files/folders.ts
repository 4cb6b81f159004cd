/** Folders: what is in them, and that new names in them outlast a loss of power. */
import { isUtf8 } from 'node:buffer';
import type { Dirent } from 'node:fs';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
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

/** Bytes of a file; 0 where that cannot be told. */
export async function fileSize(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/**
 * The regular files of a folder and those below it that have one of the extensions, in alphabetical order, by their paths in
 * it. Links to files count; fifos, devices and links to folders do not.
 *
 * @param extensions in lower case, with their dots
 * @param unreadable is told of folders below that cannot be read, and of names that are not UTF-8; without it they are errors
 * @throws CnfzipError `file`; the message does not repeat the path of the folder itself
 */
export async function filesBelow(
  folder: string,
  extensions: readonly string[],
  unreadable?: (path: string, error: CnfzipError) => void,
): Promise<string[]> {
  const files: string[] = [];
  const isWanted = (name: string) => extensions.some((extension) => name.toLowerCase().endsWith(extension));
  const leaveOut = (path: string, error: unknown) => {
    if (!unreadable) throw new CnfzipError('file', `${path}: ${reason(error)}`, { cause: error });
    unreadable(path, fileError(error));
  };
  const walk = async (below: string): Promise<void> => {
    const at = join(folder, below);
    let entries: Dirent<Buffer>[];
    try {
      entries = await readdir(at, { withFileTypes: true, encoding: 'buffer' });
    } catch (error) {
      if (below === '') throw fileError(error);
      return leaveOut(at, error);
    }
    for (const entry of entries) {
      const name = join(below, entry.name.toString());
      if (!entry.isDirectory() && !isWanted(name)) continue;
      // Node.js opens files by names of characters.
      if (!isUtf8(entry.name))
        leaveOut(join(at, spelled(entry.name)), new CnfzipError('file', 'its name is not UTF-8'));
      else if (entry.isDirectory()) await walk(name);
      else if (entry.isSymbolicLink() ? await isFile(join(folder, name)) : entry.isFile()) files.push(name);
    }
  };
  await walk('');
  return files.sort();
}

/** A name that is no text, with escapes for all that is not ASCII. */
function spelled(name: Buffer): string {
  return name.toString('latin1').replace(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
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
