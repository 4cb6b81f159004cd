/** How much memory coding takes, by measurements of whole processes, on the high side. */
import { CnfzipError } from '../codec/error.js';

/** What an image may take. */
export interface Limits {
  /** Images of more pixels are refused before memory is taken for them; 2^28 without it, which is also the most. */
  maxPixels?: number;
  /** Bytes of memory to stay within, by estimate: threads are left out for it, and what needs more is refused. */
  maxMemory?: number;
}

/** Of an image; also one whose samples are not decoded yet. */
export interface Size {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Largest value of a sample. */
  readonly maxval: number;
}

/** Bytes: of a process that does nothing yet, and of each thread that codes tiles. */
const BASE = 90e6;
const PER_THREAD = 150e6;
/** Copies of the samples. */
const COPIES = 6;

/** @throws CnfzipError `unsupported` if the image is beyond the limits, even on one thread */
export function checkLimits(size: Size, { maxPixels, maxMemory }: Limits): void {
  const { width, height } = size;
  if (maxPixels !== undefined && width * height > maxPixels) {
    throw new CnfzipError('unsupported', `${width} x ${height} pixels are more than the limit of ${maxPixels}`);
  }
  if (maxMemory === undefined) return;
  const needed = fixedMemory(size) + PER_THREAD;
  if (needed <= maxMemory) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  throw new CnfzipError(
    'unsupported',
    `${width} x ${height} pixels take about ${megabytes(needed)} of memory, more than the limit of ${megabytes(maxMemory)}`,
  );
}

/**
 * As many threads, up to `wanted` but at least one, as stay within a limit.
 *
 * @param limit in bytes; without it there is none
 */
export function threadsWithin(limit: number | undefined, size: Size, wanted: number): number {
  if (limit === undefined) return wanted;
  const fitting = Math.floor((limit - fixedMemory(size)) / PER_THREAD);
  return Math.max(1, Math.min(wanted, fitting));
}

function fixedMemory({ width, height, channels, maxval }: Size): number {
  const bytes = width * height * channels * (maxval > 255 ? 2 : 1);
  return BASE + COPIES * bytes;
}
