/** Makes the results of sources, one after the other, so that each is made exactly once and proven before the manifest tells of it. */

import { createHash } from 'node:crypto';
import { dirname, extname, join } from 'node:path';
import { CnfzipError } from '../index.js';
import { kindOf, reason } from '../io/files/errors.js';
import { makeFolder } from '../io/files/folders.js';
import { exists, openInput, readInput } from '../io/files/read.js';
import { writeFileAtomic } from '../io/files/write.js';
import type { Result } from './coding.js';
import type { Entry, Failure, SourceState, Success } from './manifest.js';
import type { Folders } from './plan.js';

/**
 * Makes a source's result: written under a temporary name, synchronized, and given its name in such a way that nothing is replaced, then
 * read again. If it is there already, as after a process that was killed before the manifest knew, it must be the same, byte for byte.
 *
 * @param make encodes or decodes, and proves the result
 */
export async function makeResult(
  { from, to }: Folders,
  state: SourceState,
  make: (bytes: Uint8Array) => Promise<Result>,
): Promise<Entry> {
  const began = performance.now();
  try {
    const opened = await openInput(join(from, state.source));
    const source = await opened.read();
    if (String(opened.state.mtimeNs) !== state.sourceTime || source.length !== state.sourceBytes) {
      throw new CnfzipError('file', 'it was changed since the folder was listed');
    }
    const { bytes, samplesCrc32, extension, warnings } = await make(source);
    const target = withExtension(state.source, extension);
    const path = join(to, target);
    if (!(await exists(path))) {
      await makeFolder(dirname(path));
      await writeFileAtomic(path, bytes, { source: opened.state }).catch(async (error) => {
        // Another process that does the same may have been faster.
        if (!(await exists(path))) throw error;
      });
    }
    const written = await readInput(path);
    if (!Buffer.from(written).equals(bytes)) {
      throw new CnfzipError(
        'file',
        `${path} exists already, and is not what it becomes: remove it or name another folder`,
      );
    }
    const success: Success = {
      ...state,
      at: new Date().toISOString(),
      sourceSha256: sha256(source),
      target,
      targetBytes: bytes.length,
      targetSha256: sha256(bytes),
      samplesCrc32,
      seconds: Math.round(performance.now() - began) / 1000,
    };
    return warnings.length > 0 ? { ...success, warnings } : success;
  } catch (error) {
    return failureOf(state, error);
  }
}

/** The entry of a source that has no result. */
export function failureOf(state: SourceState, error: unknown): Failure {
  const code = kindOf(error);
  const at = new Date().toISOString();
  return { ...state, at, error: { code, message: code === 'internal' ? (error as Error).message : reason(error) } };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function withExtension(path: string, extension: string): string {
  return path.slice(0, path.length - extname(path).length) + extension;
}
