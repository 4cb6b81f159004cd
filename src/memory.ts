/** How much memory coding takes, by measurements of whole processes, on the high side. */
import { CnfzipError } from '../codec/error.js';

/** Bytes: of a process that does nothing yet, of each thread that codes tiles, and of each sample of the image. */
const BASE = 90e6;
const PER_THREAD = 150e6;
const PER_SAMPLE = 18;

/**
 * As many threads, up to `wanted`, as stay within a limit.
 *
 * @param limit in bytes; without it there is none
 * @throws CnfzipError `unsupported` if one thread is too much
 */
export function threadsWithin(
  limit: number | undefined,
  { width, height, channels }: { width: number; height: number; channels: number },
  wanted: number,
): number {
  if (limit === undefined) return wanted;
  const fixed = BASE + PER_SAMPLE * width * height * channels;
  const fitting = Math.floor((limit - fixed) / PER_THREAD);
  if (fitting >= 1) return Math.min(wanted, fitting);
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  throw new CnfzipError(
    'unsupported',
    `${width} x ${height} pixels take about ${megabytes(fixed + PER_THREAD)} of memory, more than the limit of ${megabytes(limit)}`,
  );
}
