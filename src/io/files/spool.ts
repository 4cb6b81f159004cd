/** A temporary file for what is too much for memory. */
import { open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Store } from '../../../codec/bands.js';
import { CnfzipError } from '../../../codec/error.js';
import { reason } from './errors.js';
import { sourceIn } from './source.js';
import { guard, temporaryPath, unguard } from './temporary.js';

export interface Spool extends Store {
  /** Removes the file. */
  close(): Promise<void>;
}

/** @throws CnfzipError `file` */
export async function openSpool(folder = tmpdir()): Promise<Spool> {
  const path = temporaryPath(folder);
  const failed = (error: unknown) =>
    new CnfzipError('file', `cannot write the temporary file ${path}: ${reason(error)}`, { cause: error });
  guard(path);
  const remove = async () => {
    await unlink(path).catch(() => {});
    unguard(path);
  };
  try {
    const handle = await open(path, 'wx+', 0o600);
    const { read } = sourceIn(handle, Number.POSITIVE_INFINITY);
    let end = 0;
    const append = async (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, end).catch((error) => {
          throw failed(error);
        });
        at += bytesWritten;
        end += bytesWritten;
      }
    };
    const close = async () => {
      await handle.close().catch(() => {});
      await remove();
    };
    return { append, read, close };
  } catch (error) {
    await remove();
    throw failed(error);
  }
}
