/** Cheap measures of what kind an image is: how much of it repeats, and whether it does so near or far. */
import { deflatedLength } from '../container/deflate.js';
import type { Layer } from '../layer.js';

/** Copies are worth more than predictions where they deflate to this part at most: graphics have 0.73 to 0.91 there, others 0.97 to 1.3. */
const FAVOURED = 0.94;

/** Whether copies are favoured is looked for in layers of more pixels than this in bands of so many rows, of which one of four is taken. */
const BANDED_PIXELS = 1 << 18;
const BAND_ROWS = 32;
const BANDS_FOR_ONE = 4;

/** Pixels of a run that is looked for elsewhere, of which so many differ from the one before: fewer recur by chance. */
const RUN = 32;
const LEAST_CHANGES = 16;
/** Runs are remembered where both coordinates are multiples of this, and looked for everywhere. */
const GRID = 8;
const REMEMBERED_BITS = 16;
/** Of the rolling hash of a run's samples (Karp and Rabin 1987), modulo 2^32; odd. */
const HASH_BASE = 0x9e3779b1;
/** Spreads a hash over its upper bits; odd. */
const HASH_SPREAD = 0x85ebca6b;

/** The part of the pixels that are equal to the one before or above them. */
export function repeats(layer: Layer): number {
  const count = new RepeatCount();
  count.add(layer);
  return count.part;
}

/** As `repeats`, of a layer that comes in bands of whole rows. */
export class RepeatCount {
  #last: Layer['samples'] | undefined;
  #repeated = 0;
  #pixels = 0;

  add({ width, height, channels, samples }: Layer): void {
    const line = width * channels;
    for (let y = 0, at = 0; y < height; y++) {
      const above = y > 0 ? samples : this.#last;
      const from = y > 0 ? at - line : 0;
      for (let x = 0; x < width; x++, at += channels) {
        const before = x > 0 && same(samples, at, samples, at - channels, channels);
        if (before || (above && same(samples, at, above, from + x * channels, channels))) this.#repeated++;
      }
    }
    this.#last = samples.slice(-line);
    this.#pixels += width * height;
  }

  get part(): number {
    return this.#repeated / this.#pixels;
  }
}

/** Whether all pixels are alike. */
export function isConstant({ channels, samples }: Layer): boolean {
  // Then each sample is that of the pixel before it.
  for (let i = channels; i < samples.length; i++) if (samples[i] !== samples[i - channels]) return false;
  return true;
}

/** Whether so many samples are the same at two places. */
function same(a: Layer['samples'], at: number, b: Layer['samples'], other: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (a[at + i] !== b[other + i]) return false;
  return true;
}

/**
 * Whether copies from farther away (text, icons) say more of a layer of at most 8 bits than predictions from neighbours: samples as they are
 * then deflate to less than their differences from left to right do.
 */
export function favoursCopies(layer: Layer): boolean {
  const { width, channels } = layer;
  const line = width * channels;
  const plain = bandsOf(layer);
  const differences = plain.map((sample, i) => (i % line < channels ? sample : sample - plain[i - channels]));
  return deflatedLength(plain) < FAVOURED * deflatedLength(differences);
}

/** The part of the pixels, roughly, that stand in runs which have been before: what a copy says, and a prediction from neighbours cannot. */
export function copies({ width, height, channels, samples }: Layer): number {
  if (width < RUN) return 0;
  const [line, run, step] = [width * channels, RUN * channels, GRID * channels];
  const remembered = new Int32Array(1 << REMEMBERED_BITS).fill(-1);
  let leaving = 1;
  for (let i = 0; i < run; i++) leaving = Math.imul(leaving, HASH_BASE);
  let found = 0;
  for (let y = 0; y < height; y++) {
    const start = y * line;
    const last = start + line - run;
    let hash = 0;
    for (let i = start; i < start + run; i++) hash = (Math.imul(hash, HASH_BASE) + samples[i]) | 0;
    for (let at = start; ; at += channels) {
      const slot = Math.imul(hash, HASH_SPREAD) >>> (32 - REMEMBERED_BITS);
      const before = remembered[slot];
      if (before >= 0 && same(samples, at, samples, before, run) && changes(samples, at, channels)) found++;
      if (y % GRID === 0 && (at - start) % step === 0) remembered[slot] = at;
      if (at === last) break;
      for (let i = at; i < at + channels; i++) {
        hash = (Math.imul(hash, HASH_BASE) + samples[i + run] - Math.imul(leaving, samples[i])) | 0;
      }
    }
  }
  return Math.min(1, (found * GRID * GRID) / (width * height));
}

/** Whether a run is one that does not recur by chance. */
function changes(samples: Layer['samples'], at: number, channels: number): boolean {
  let count = 0;
  for (let i = at + channels; i < at + RUN * channels; i++) if (samples[i] !== samples[i - channels]) count++;
  return count >= LEAST_CHANGES;
}

/** Samples of whole rows that stand for a layer. */
function bandsOf({ width, height, channels, samples }: Layer): Uint8Array {
  if (width * height <= BANDED_PIXELS) return Uint8Array.from(samples);
  const band = BAND_ROWS * width * channels;
  const count = Math.ceil(samples.length / (BANDS_FOR_ONE * band));
  const bands = new Uint8Array(count * band);
  for (let i = 0; i < count; i++) bands.set(samples.subarray(BANDS_FOR_ONE * i * band).subarray(0, band), i * band);
  return bands;
}
