/** Layers: channels of an image that are coded together. An image is one layer, or colour and alpha are layers of their own. */
import { allocSamples, type Channels } from './image.js';

/** Samples of some channels: as in `Image`, with a range of their own. */
export interface Layer {
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  /** Largest value of a sample, 0 .. 65535. */
  readonly maxval: number;
  readonly samples: Uint8Array | Uint16Array;
}

/** Whether an image has alpha, which is a layer of its own. */
export function hasAlpha(channels: Channels): boolean {
  return channels % 2 === 0;
}

/** Channels of an image's layers. */
export function layerChannels(channels: Channels, split: boolean): Channels[] {
  return split ? [(channels - 1) as Channels, 1] : [channels];
}

/** Colour (or gray) and alpha of a layer of two or four channels. */
export function splitAlpha({ width, height, channels, maxval, samples }: Layer): [colour: Layer, alpha: Layer] {
  const pixels = width * height;
  const colour = allocSamples(pixels * (channels - 1), maxval);
  const alpha = allocSamples(pixels, maxval);
  const colours = channels - 1;
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < colours; c++) colour[i * colours + c] = samples[i * channels + c];
    alpha[i] = samples[i * channels + colours];
  }
  const size = { width, height, maxval };
  return [
    { ...size, channels: colours as Channels, samples: colour },
    { ...size, channels: 1, samples: alpha },
  ];
}

/** The layers of an image whose samples are one: itself, or colour and alpha. */
export function splitLayers(image: Layer): Layer[] {
  return hasAlpha(image.channels) ? splitAlpha(image) : [image];
}

/** Undoes `splitAlpha`. */
export function joinAlpha(colour: Layer, alpha: Layer): Layer {
  const { width, height, channels: colours, maxval } = colour;
  const pixels = width * height;
  const channels = (colours + 1) as Channels;
  const samples = allocSamples(pixels * channels, maxval);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < colours; c++) samples[i * channels + c] = colour.samples[i * colours + c];
    samples[i * channels + colours] = alpha.samples[i];
  }
  return { width, height, channels, maxval, samples };
}
