/** A file of which only some bytes are read. */
import { type FileHandle, open } from 'node:fs/promises';
import { CnfzipError } from '../../../codec/error.js';
import type { Source } from '../../../codec/source.js';
import { fileError } from './errors.js';

/** The most that one call reads or writes, in bytes: Node ends the process at 2^31. */
export const MOST_AT_ONCE = 2 ** 30;

export interface FileSource extends Source {
  readonly size: number;
  /** May be called again. */
  close(): Promise<void>;
}

/** @throws CnfzipError `file`; the message does not repeat the path */
export async function openFileSource(path: string | URL): Promise<FileSource> {
  try {
    const handle = await open(path, 'r');
    const state = await handle.stat();
    if (state.isFile()) return { ...sourceIn(handle, state.size), close: () => handle.close() };
    await handle.close();
    throw new CnfzipError('file', state.isDirectory() ? 'is a folder' : 'is no regular file: open it as a stream');
  } catch (error) {
    throw fileError(error);
  }
}

/** What can be read of a regular file that is open. */
export function sourceIn(handle: FileHandle, size: number): Source & { readonly size: number } {
  const readInto = async (offset: number, room: Uint8Array): Promise<number> => {
    const wanted = Math.min(room.length, Math.max(0, size - offset));
    let filled = 0;
    try {
      while (filled < wanted) {
        const most = Math.min(wanted - filled, MOST_AT_ONCE);
        const { bytesRead } = await handle.read(room, filled, most, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (error) {
      throw fileError(error);
    }
    return filled;
  };
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(Math.min(length, Math.max(0, size - offset)));
    return bytes.subarray(0, await readInto(offset, bytes));
  };
  return { size, read, readInto };
}
