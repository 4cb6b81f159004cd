/** Inputs: files, which are opened once, and standard input. */
import { fstatSync } from 'node:fs';
import { type FileHandle, lstat, open, stat, unlink } from 'node:fs/promises';
import { CnfzipError } from '../../../codec/error.js';
import { type Source, toSource } from '../../../codec/source.js';
import { errorAbout, fileError, reason } from './errors.js';
import { sourceIn } from './source.js';
import { type FileState, unchanged } from './state.js';

/** Largest input in bytes, and the most that one call reads: a stream without an end must not fill the memory. */
const MAX_BYTES = 2 ** 31 - 1;

/** Bytes that are made ready for files that do not tell their size. */
const LEAST_BUFFER = 2 ** 16;

/** An input that is open. */
export interface OpenInput {
  /** When it was opened. */
  readonly state: FileState;
  /**
   * Everything in it; closes it.
   *
   * @throws CnfzipError `file`
   */
  read(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * What can be read of it, as long as it is open: of a regular file any part; anything else is read whole.
   *
   * @throws CnfzipError `file`
   */
  source(): Promise<Source & { readonly size: number }>;
  /** May be called again. */
  close(): Promise<void>;
}

/**
 * Opens a file, fifo or device.
 *
 * @throws CnfzipError `file`; the message does not repeat the path
 */
export async function openInput(path: string): Promise<OpenInput> {
  let handle: FileHandle | undefined;
  const close = async () => {
    const closing = handle;
    handle = undefined;
    // Nothing that was read can be lost any more.
    await closing?.close().catch(() => {});
  };
  try {
    handle = await open(path, 'r');
    const state = await handle.stat({ bigint: true });
    if (state.isDirectory()) throw new CnfzipError('file', 'is a folder');
    const opened = handle;
    const read = () => readAll(opened, Number(state.size)).finally(close);
    const source = async () => (state.isFile() ? sourceIn(opened, Number(state.size)) : sourceOfBytes(await read()));
    return { state, read, source, close };
  } catch (error) {
    await close();
    throw fileError(error);
  }
}

/** Standard input; to be read once. */
export function openStandardInput(): OpenInput {
  let reading: Promise<Uint8Array<ArrayBuffer>> | undefined;
  // Who has looked into its source may read all of it yet.
  const read = () => {
    reading ??= readStandardInput();
    return reading;
  };
  const source = async () => sourceOfBytes(await read());
  return { state: fstatSync(0, { bigint: true }), read, source, close: async () => {} };
}

function sourceOfBytes(bytes: Uint8Array): Source & { readonly size: number } {
  return { ...toSource(bytes), size: bytes.length };
}

/**
 * Reads a whole file.
 *
 * @throws CnfzipError `file`; the message does not repeat the path
 */
export async function readInput(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return (await openInput(path)).read();
}

/**
 * Reads a whole file.
 *
 * @throws CnfzipError `file`; the message begins with the path
 */
export async function readNamed(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return readInput(path).catch((error) => Promise.reject(errorAbout(path, error)));
}

/**
 * The bytes of a file, piece by piece.
 *
 * @throws CnfzipError `file`; the message does not repeat the path
 */
export async function* readPieces(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* (await open(path, 'r')).createReadStream();
  } catch (error) {
    throw fileError(error);
  }
}

/** True if something, even a broken link, has this name. */
export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Removes an input that is still what was read.
 *
 * @param opened its state when it was opened
 * @throws CnfzipError `file` if it is no regular file, was changed or replaced since, or cannot be removed
 */
export async function removeInput(path: string, opened: FileState): Promise<void> {
  const refuse = (why: string, cause?: unknown) => new CnfzipError('file', `it is not removed: ${why}`, { cause });
  if (!opened.isFile()) throw refuse('it is not a regular file');
  try {
    if (!unchanged(opened, await stat(path, { bigint: true }))) throw refuse('it was changed while it was read');
    await unlink(path);
  } catch (error) {
    throw error instanceof CnfzipError ? error : refuse(reason(error), error);
  }
}

async function readAll(handle: FileHandle, size: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    if (size > MAX_BYTES) throw tooLarge();
    // One byte more than the file has, so that its end shows.
    let bytes = new Uint8Array(Math.max(size + 1, LEAST_BUFFER));
    for (let filled = 0; ; ) {
      const { bytesRead } = await handle.read(bytes, filled, Math.min(bytes.length - filled, MAX_BYTES), null);
      if (bytesRead === 0) return bytes.subarray(0, filled);
      filled += bytesRead;
      if (filled > MAX_BYTES) throw tooLarge();
      if (filled === bytes.length) {
        const larger = new Uint8Array(Math.min(2 * filled, MAX_BYTES + 1));
        larger.set(bytes);
        bytes = larger;
      }
    }
  } catch (error) {
    throw fileError(error);
  }
}

async function readStandardInput(): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const pieces: Uint8Array[] = [];
    let total = 0;
    for await (const piece of process.stdin as AsyncIterable<Uint8Array>) {
      pieces.push(piece);
      total += piece.length;
      if (total > MAX_BYTES) throw tooLarge();
    }
    return Buffer.concat(pieces);
  } catch (error) {
    throw fileError(error);
  }
}

function tooLarge(): CnfzipError {
  return new CnfzipError('file', `it is too large: at most ${MAX_BYTES} bytes are read`);
}
