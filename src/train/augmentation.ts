/**
 * What is done to crops so that a model meets photographs of many origins: other colours, demosaicing, sharpening, noise and
 * grain, chroma of half the resolution. `torch/crops.py` does the same on a GPU.
 */

import type { Random } from './random.js';

/** A square piece of an image: side * side * channels numbers of 0 to 255, interleaved. */
export interface Square {
  readonly side: number;
  readonly channels: 1 | 3;
  readonly samples: Float32Array;
}

/** Shares of the crops that each kind of augmentation changes. */
const CAST_SHARE = 0.15;
const BAYER_SHARE = 0.04;
const SHARPENED_SHARE = 0.12;
const NOISE_SHARE = 0.35;
const HALF_CHROMA_SHARE = 0.22;

/** A cast's greatest saturation, the range of its channels' gains and that of what it adds to brightness. */
const MOST_SATURATION = 1.6;
const GAINS = [0.85, 1.15] as const;
const BRIGHTNESS = [-8, 8] as const;

/** The most that is added of what sharpening adds: the differences to the smoothed image. */
const MOST_SHARPENING = 1.2;

/** Mean of the noise's standard deviation, which is distributed exponentially. */
const NOISE_MEAN = 1.5;
/** Of the noise, the share that grows with the light, and the share that is coarse as film's grain is. */
const SHOT_SHARE = 0.25;
const COARSE_SHARE = 0.25;

/** Range of the steps that chroma of half the resolution is rounded to, in sample units. */
const CHROMA_STEPS = [1, 2.5] as const;

/** Rec. 601. */
const LUMA = [0.299, 0.587, 0.114] as const;

/** Changes a square at random, in place; what comes out are integers again. */
export function augment(square: Square, random: Random): void {
  const sometimes = (share: number, change: (square: Square, random: Random) => void) => {
    if (random.uniform() < share) change(square, random);
  };
  const colour = square.channels === 3;
  if (colour) sometimes(CAST_SHARE, cast);
  if (colour) sometimes(BAYER_SHARE, demosaic);
  sometimes(SHARPENED_SHARE, sharpen);
  sometimes(NOISE_SHARE, addNoise);
  toIntegers(square);
  if (!colour) return;
  sometimes(HALF_CHROMA_SHARE, halveChroma);
  toIntegers(square);
}

function toIntegers({ samples }: Square): void {
  for (let i = 0; i < samples.length; i++) samples[i] = Math.max(0, Math.min(255, Math.round(samples[i])));
}

function within([from, to]: readonly [number, number], random: Random): number {
  return from + (to - from) * random.uniform();
}

/** Another saturation, gains of the channels, another brightness. */
function cast({ samples }: Square, random: Random): void {
  const saturation = MOST_SATURATION * random.uniform();
  const gains = [0, 1, 2].map(() => within(GAINS, random));
  const added = within(BRIGHTNESS, random);
  for (let i = 0; i < samples.length; i += 3) {
    const mean = (samples[i] + samples[i + 1] + samples[i + 2]) / 3;
    for (let c = 0; c < 3; c++) samples[i + c] = (mean + (samples[i + c] - mean) * saturation) * gains[c] + added;
  }
}

/** Keeps of each pixel the one channel that a Bayer pattern has there, and interpolates the others. */
function demosaic(square: Square): void {
  const { side, samples } = square;
  const known = Float32Array.from(samples, (_, i) => {
    const [row, column, channel] = [Math.floor(i / 3 / side) % 2, (Math.floor(i / 3) % side) % 2, i % 3];
    return row + column === channel ? 1 : 0;
  });
  const of = (numbers: Float32Array) => smoothed({ ...square, samples: numbers });
  const total = of(samples.map((sample, i) => sample * known[i]));
  const weight = of(known);
  for (let i = 0; i < samples.length; i++) if (known[i] === 0) samples[i] = total[i] / weight[i];
}

function sharpen(square: Square, random: Random): void {
  const { samples } = square;
  const strength = MOST_SHARPENING * random.uniform();
  const smooth = smoothed(square);
  for (let i = 0; i < samples.length; i++) samples[i] += strength * (samples[i] - smooth[i]);
}

/** Gaussian noise of random strength and random correlation between the channels. */
function addNoise(square: Square, random: Random): void {
  const { channels, samples } = square;
  const strength = -NOISE_MEAN * Math.log(random.uniform());
  const shared = random.uniform();
  const [common, own] = [strength * Math.sqrt(shared), strength * Math.sqrt(1 - shared)];
  const shot = random.uniform() < SHOT_SHARE;
  let noise: Float32Array = new Float32Array(samples.length);
  for (let i = 0; i < noise.length; i += channels) {
    const ofPixel = common * random.normal();
    for (let c = 0; c < channels; c++) {
      const light = shot ? Math.sqrt(Math.max(0, samples[i + c]) / 128) : 1;
      noise[i + c] = light * (ofPixel + own * random.normal());
    }
  }
  // Smoothing takes about half of the noise's strength.
  const coarse = random.uniform() < COARSE_SHARE;
  if (coarse) noise = smoothed({ ...square, samples: noise });
  for (let i = 0; i < noise.length; i++) samples[i] += (coarse ? 2 : 1) * noise[i];
}

/**
 * Keeps a square's chroma (R - Y and B - Y) at even rows and columns only and interpolates the rest from those, as Photo CD
 * scans, video stills and decoded 4:2:0 files have it; luma keeps its resolution.
 */
function halveChroma({ side, samples }: Square, random: Random): void {
  const step = within(CHROMA_STEPS, random);
  const luma = (i: number) => LUMA[0] * samples[i] + LUMA[1] * samples[i + 1] + LUMA[2] * samples[i + 2];
  const planes = [0, 2].map((c) =>
    Float64Array.from({ length: side * side }, (_, i) => samples[3 * i + c] - luma(3 * i)),
  );
  const between = (plane: Float64Array, i: number, stride: number, last: boolean) =>
    last ? plane[i - stride] : (plane[i - stride] + plane[i + stride]) / 2;
  for (const plane of planes) {
    for (let y = 0; y < side; y += 2) {
      for (let x = 1; x < side; x += 2) plane[y * side + x] = between(plane, y * side + x, 1, x === side - 1);
    }
    for (let y = 1; y < side; y += 2) {
      for (let x = 0; x < side; x++) plane[y * side + x] = between(plane, y * side + x, side, y === side - 1);
    }
  }
  for (let i = 0; i < side * side; i++) {
    const y = luma(3 * i);
    const [red, blue] = planes.map((plane) => step * Math.round(plane[i] / step));
    samples[3 * i] = y + red;
    samples[3 * i + 1] = y - (LUMA[0] * red + LUMA[2] * blue) / LUMA[1];
    samples[3 * i + 2] = y + blue;
  }
}

/** Each channel filtered by the binomial 3 x 3 kernel; at the square's edges samples are repeated. */
function smoothed({ side, channels, samples }: Square): Float32Array {
  const stride = channels * side;
  const rows = new Float32Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    const column = Math.floor(i / channels) % side;
    const before = column > 0 ? samples[i - channels] : samples[i];
    const after = column < side - 1 ? samples[i + channels] : samples[i];
    rows[i] = (before + 2 * samples[i] + after) / 4;
  }
  return rows.map((here, i) => {
    const above = i >= stride ? rows[i - stride] : here;
    const below = i < rows.length - stride ? rows[i + stride] : here;
    return (above + 2 * here + below) / 4;
  });
}
