/** What went wrong, for programs; `message` says it for people in one line. */
export type CnfzipErrorCode =
  | 'bad-input'
  | 'unsupported'
  | 'corrupt'
  | 'unknown-model'
  | 'bad-model'
  | 'file'
  | 'usage';

/** The one class of error that cnfzip throws on purpose. */
export class CnfzipError extends Error {
  override readonly name = 'CnfzipError';
  constructor(
    readonly code: CnfzipErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
