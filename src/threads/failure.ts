/** Errors on their way from one thread to another. */
import { CnfzipError, type CnfzipErrorCode } from '../../codec/error.js';

export interface Failure {
  /** Of a `CnfzipError`. */
  readonly code?: CnfzipErrorCode;
  readonly message: string;
}

export function toFailure(error: unknown): Failure {
  return { code: error instanceof CnfzipError ? error.code : undefined, message: (error as Error).message };
}

export function toError({ code, message }: Failure): Error {
  return code ? new CnfzipError(code, message) : new Error(message);
}
