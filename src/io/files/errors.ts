/** What failed system calls mean, for people. */
import { CnfzipError, type CnfzipErrorCode } from '../../../codec/error.js';

const REASONS: Record<string, string> = {
  ENOENT: 'no such file or folder',
  EISDIR: 'is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'it exists already',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is too large',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  EBUSY: 'it is in use',
  EIO: 'input/output error',
  EINTR: 'interrupted by a signal',
  EPIPE: 'its reader is gone',
};

/** What an error means, for people. */
export function reason(error: unknown): string {
  return REASONS[errorCode(error) ?? ''] ?? (error as Error).message;
}

/** Whether a system call failed, in a way that has a meaning for people. */
function isSystemError(error: unknown): boolean {
  return Object.hasOwn(REASONS, errorCode(error) ?? '');
}

/** Of what kind an error is, for programs; `internal` is what nobody foresaw. */
export function kindOf(error: unknown): CnfzipErrorCode | 'internal' {
  if (error instanceof CnfzipError) return error.code;
  return isSystemError(error) ? 'file' : 'internal';
}

/** The name of a system call's failure: `ENOENT`, ... */
export function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

export function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT';
}

/** An error that says what it is about; what nobody foresaw stays as it is. */
export function errorAbout(subject: string, error: unknown): unknown {
  if (!(error instanceof CnfzipError)) return error;
  return new CnfzipError(error.code, `${subject}: ${error.message}`, { cause: error });
}

/** An error whose message is what it means; those that say it already stay as they are. */
export function fileError(error: unknown): CnfzipError {
  return error instanceof CnfzipError ? error : new CnfzipError('file', reason(error), { cause: error });
}
