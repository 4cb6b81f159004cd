/** Files in tar files, one after the other: their names and bytes, nothing else of them is kept. */
import { Readable } from 'node:stream';
import { CnfzipError } from '../../codec/error.js';
import { requirePackages } from '../package/packages.js';

export interface TarFile {
  /** Path with `/` between its parts, without `./` before it. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const NEEDS = 'a tar file';
const PACKAGES = ['tar-stream'];

export function isTarName(path: string): boolean {
  return path.toLowerCase().endsWith('.tar');
}

/**
 * The regular files of a tar file, in their order.
 *
 * @param pieces of its bytes, in their order, however it is cut
 * @throws CnfzipError `corrupt` if it is cut short, damaged, or none; `unsupported` without the package; what the pieces throw
 */
export async function* readTar(
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<TarFile, void, undefined> {
  await requirePackages(NEEDS, PACKAGES);
  const { extract } = await import('tar-stream');
  const entries = extract();
  const input = Readable.from(pieces);
  input.on('error', (error) => entries.destroy(error));
  input.pipe(entries);
  try {
    for await (const entry of entries) {
      const parts: Uint8Array[] = [];
      for await (const part of entry as AsyncIterable<Uint8Array>) parts.push(part);
      if (entry.header.type !== 'file') continue;
      yield { name: entry.header.name.replace(/^(\.\/)+/, ''), bytes: Buffer.concat(parts) };
    }
  } catch (error) {
    if (error instanceof CnfzipError) throw error;
    throw new CnfzipError('corrupt', `the tar file: ${(error as Error).message}`, { cause: error });
  } finally {
    input.destroy();
  }
}

/**
 * The bytes of a tar file; the same files give the same bytes.
 *
 * @throws CnfzipError `unsupported` without the package; what the files throw
 */
export async function* writeTar(files: AsyncIterable<TarFile>): AsyncGenerator<Uint8Array, void, undefined> {
  await requirePackages(NEEDS, PACKAGES);
  const { pack } = await import('tar-stream');
  const packed = pack();
  const ready = function* () {
    for (let piece = packed.read(); piece !== null; piece = packed.read()) yield piece as Uint8Array;
  };
  for await (const { name, bytes } of files) {
    packed.entry({ name, size: bytes.length, mode: 0o644, mtime: new Date(0) }, Buffer.from(bytes));
    yield* ready();
  }
  packed.finalize();
  yield* packed as AsyncIterable<Uint8Array>;
}
