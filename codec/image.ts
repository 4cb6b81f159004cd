/** Images as their files hold them: samples row by row, the channels of a pixel side by side. */
import { CnfzipError } from './error.js';
import { attachmentsProblem } from './metadata.js';

/** Largest image of a file, in pixels: 2^32, as 65,536 x 65,536. */
export const MAX_PIXELS = 0x100000000;

/** Largest image, or part of one, that is in memory at once, in pixels: 16,384 x 16,384. Of larger ones there are bands, regions and scales. */
export const MAX_HELD_PIXELS = 1 << 28;

/** Longest side of an image, in pixels. */
export const MAX_SIDE = 1 << 24;

/** Largest sample there is. */
export const MAX_VALUE = 65535;

export type Channels = 1 | 2 | 3 | 4;

export interface Image {
  /** Pixels, 1 .. 2^24 a side and at most 2^28 in all: of larger files there are only parts. */
  readonly width: number;
  readonly height: number;
  /** 1: gray, or indexes of a palette. 2: gray, alpha. 3: red, green, blue. 4: red, green, blue, alpha. */
  readonly channels: Channels;
  /** Largest value a sample may have, 1 .. 65535. Left out, it is 255 for a `Uint8Array` and 65535 for a `Uint16Array`. */
  readonly maxval?: number;
  /** `height * width * channels` samples, 0 .. `maxval`: a `Uint16Array` where `maxval` is above 255. */
  readonly samples: Uint8Array | Uint16Array;
  /**
   * Colours that the samples of an image with one channel are indexes of: red, green, blue, 0 .. 255; at least one of them,
   * at most `maxval` + 1.
   */
  readonly palette?: Uint8Array;
  /** What a file tells beside its samples, in the order of the file. */
  readonly metadata?: readonly Metadata[];
}

/**
 * One piece of metadata: a chunk of a PNG file other than header, palette, samples and end (PNG, third edition, 11.3). Of
 * those that must be understood, whose types begin with a capital, there is one: an RGB or RGBA image's PLTE, at the `start`.
 */
export interface Metadata {
  /** Four letters: `iCCP`, `eXIf`, `tRNS`, ... */
  readonly type: string;
  /** Where it stands: `after palette` if there is one. Images without a palette have their samples behind the `start`. */
  readonly place: 'start' | 'after palette' | 'end';
  readonly data: Uint8Array;
}

/** All of an image but its samples. */
export interface ImageHeader extends Omit<Image, 'samples' | 'maxval'> {
  readonly maxval: number;
}

/** Largest value of an image's samples. */
export function maxvalOf({ maxval, samples }: Pick<Image, 'maxval' | 'samples'>): number {
  return maxval ?? (samples instanceof Uint16Array ? MAX_VALUE : 255);
}

/** Bytes of palette and metadata. */
export function metadataBytes({ palette, metadata = [] }: Pick<Image, 'palette' | 'metadata'>): number {
  return metadata.reduce((sum, { data }) => sum + data.length, palette?.length ?? 0);
}

/** Whether no sample is above `maxval`; where the array cannot hold any, none is looked at. */
export function within(samples: Uint8Array | Uint16Array, maxval: number): boolean {
  return maxval === 255 || maxval === MAX_VALUE || samples.every((sample) => sample <= maxval);
}

/** An array for samples up to `maxval`. */
export function allocSamples(count: number, maxval: number): Uint8Array | Uint16Array {
  return maxval > 255 ? new Uint16Array(count) : new Uint8Array(count);
}

/** Whether two images are the same: size, channels, range, samples, palette and metadata. */
export function sameImage(a: Image, b: Image): boolean {
  const [left, right] = [a.metadata ?? [], b.metadata ?? []];
  return (
    a.width === b.width &&
    a.height === b.height &&
    a.channels === b.channels &&
    maxvalOf(a) === maxvalOf(b) &&
    sameValues(a.samples, b.samples) &&
    sameValues(a.palette ?? [], b.palette ?? []) &&
    left.length === right.length &&
    left.every(({ type, place, data }, i) => {
      const other = right[i];
      return type === other.type && place === other.place && sameValues(data, other.data);
    })
  );
}

/** @throws {CnfzipError} `bad-input` or `unsupported` if it is not what `Image` says; the message names the member */
export function checkImage(image: Image): void {
  checkMembers(image);
  const maxval = maxvalOf(image);
  if (!within(image.samples, maxval)) throw bad(`image.samples holds values above image.maxval, ${maxval}`);
}

/** As `checkImage`, which takes time only for the values of the samples, but without these. */
export function checkMembers(image: Image): void {
  if (typeof image !== 'object' || image === null)
    throw bad('an image must be an object of width, height, samples, ...');
  const { width, height, channels, samples } = image;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw bad(`image.width and image.height must be positive integers: ${width} x ${height}`);
  }
  checkHeld(width, height);
  if (![1, 2, 3, 4].includes(channels)) {
    throw new CnfzipError('unsupported', `image.channels must be 1, 2, 3 or 4: ${channels}`);
  }
  const maxval = maxvalOf(image);
  if (!Number.isInteger(maxval) || maxval < 1 || maxval > MAX_VALUE) {
    throw bad(`image.maxval must be an integer from 1 to ${MAX_VALUE}: ${maxval}`);
  }
  const count = width * height * channels;
  const array = maxval > 255 ? 'Uint16Array' : 'Uint8Array';
  if (!(maxval > 255 ? samples instanceof Uint16Array : samples instanceof Uint8Array) || samples.length !== count) {
    throw bad(`image.samples must be a ${array} of ${count} samples`);
  }
  const problem = attachmentsProblem(image, maxval);
  if (problem) throw bad(`image: ${problem}`);
}

function bad(what: string): CnfzipError {
  return new CnfzipError('bad-input', what);
}

/** Whether a file may have an image of this size. */
export function isSize(width: number, height: number): boolean {
  return width >= 1 && height >= 1 && width <= MAX_SIDE && height <= MAX_SIDE && width * height <= MAX_PIXELS;
}

/** @throws {CnfzipError} `unsupported` if an image of this size, at least 1 x 1, is too large for any file */
export function checkSize(width: number, height: number): void {
  if (!isSize(width, height)) {
    throw new CnfzipError('unsupported', `${width} x ${height} pixels are too many: at most 2^32, no side over 2^24`);
  }
}

/** @throws {CnfzipError} `unsupported` if an image of this size, at least 1 x 1, is too large to be in memory at once */
export function checkHeld(width: number, height: number): void {
  checkSize(width, height);
  if (width * height > MAX_HELD_PIXELS) {
    throw new CnfzipError('unsupported', `${width} x ${height} pixels are too many at once: at most 2^28`);
  }
}

/** Whether two arrays hold the same numbers. */
export function sameValues(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
