/** How much memory coding takes, by measurements of whole processes, on the high side. */
import { CnfzipError } from '../codec/error.js';

/** Bytes: of a process that does nothing yet, of each thread that codes tiles, and of each sample of the image. */
const BASE = 90e6;
const PER_THREAD = 150e6;
const PER_SAMPLE = 18;

/** What an image, and work on it, may take. */
export interface Limits {
  /** Images of more pixels are refused before memory is taken for them; 2^28 without it, which is also the most. */
  maxPixels?: number;
  /** Bytes of memory to stay within, by estimate: threads are left out for it, and what needs more is refused. */
  maxMemory?: number;
}

/** What decides how much memory an image takes. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly maxval: number;
  /** Bytes of palette and metadata; 0 without it. */
  readonly metadataBytes?: number;
}

/** @throws CnfzipError `unsupported` if the image is beyond the limits */
export function checkLimits(size: ImageSize, { maxPixels, maxMemory }: Limits): void {
  const { width, height } = size;
  if (maxPixels !== undefined && width * height > maxPixels) {
    throw new CnfzipError('unsupported', `${width} x ${height} pixels are more than the limit of ${maxPixels}`);
  }
  threadsWithin(maxMemory, size, 1);
}

/**
 * As many threads, up to `wanted`, as stay within a limit.
 *
 * @param limit in bytes; without it there is none
 * @throws CnfzipError `unsupported` if one thread is too much
 */
export function threadsWithin(
  limit: number | undefined,
  { width, height, channels, metadataBytes = 0 }: ImageSize,
  wanted: number,
): number {
  if (limit === undefined) return wanted;
  const fixed = BASE + PER_SAMPLE * width * height * channels + 2 * metadataBytes;
  const fitting = Math.floor((limit - fixed) / PER_THREAD);
  if (fitting >= 1) return Math.min(wanted, fitting);
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  const metadata = metadataBytes > 0 ? ` and ${megabytes(metadataBytes)} of metadata` : '';
  throw new CnfzipError(
    'unsupported',
    `${width} x ${height} pixels${metadata} take about ${megabytes(fixed + PER_THREAD)} of memory, more than the limit of ${megabytes(limit)}`,
  );
}
