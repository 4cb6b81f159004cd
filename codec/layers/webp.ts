/**
 * Lossless WebP (libwebp in WebAssembly) of layers of up to 8 bits: gray as red = green = blue. A payload is the VP8L stream
 * (RFC 9649, 3), without the RIFF container around it, whose 20 bytes its length tells.
 */
import type { WebPModule as Decoder } from '@jsquash/webp/codec/dec/webp_dec.js';
import type { WebPModule as Encoder } from '@jsquash/webp/codec/enc/webp_enc.js';
import { defaultOptions } from '@jsquash/webp/meta.js';
import { initEmscriptenModule as load } from '@jsquash/webp/utils.js';
import { CnfzipError } from '../error.js';
import { allocSamples, type Channels, sameValues } from '../image.js';
import type { Layer } from '../layer.js';
import { once } from '../once.js';
import { MAX_TILE_SIDE } from '../tiles.js';

/** libwebp's two halves, compiled: `codec/enc/webp_enc.wasm` and `codec/dec/webp_dec.wasm` of @jsquash/webp. */
export interface WebpModules {
  encoder(): Promise<WebAssembly.Module>;
  decoder(): Promise<WebAssembly.Module>;
}

/** How hard the encoder tries: of a megapixel some 0.05 s, 0.5 s, 2 s, or 2 to 20 s. The best tries each set of transforms. */
export type WebpEffort = 'probe' | 'good' | 'thorough' | 'best';

/** libwebp's settings (cwebp -m, -q). */
const EFFORTS: Record<WebpEffort, { method: number; quality: number }> = {
  probe: { method: 0, quality: 0 },
  good: { method: 4, quality: 75 },
  thorough: { method: 4, quality: 100 },
  best: { method: 6, quality: 100 },
};

/** Longest side of a WebP image, in pixels. */
const MAX_WEBP_SIDE = 16383;
/** Most pixels of one WebP image here: libwebp works in less than 2 GB of memory. */
export const MAX_WEBP_PIXELS = 1 << 25;

const RIFF_BYTES = 20;
const VP8L_SIGNATURE = 0x2f;

let modules: WebpModules | undefined;

/** Tells where libwebp's modules come from, where they cannot be fetched by their address as in browsers. */
export function provideWebp(given: WebpModules): void {
  modules = given;
}

interface LoadedEncoder extends Pick<Encoder, 'encode'> {
  readonly room: Uint8ClampedArray<ArrayBuffer>;
}

// Not the package's `encode.js`, which takes the build with SIMD where there is SIMD: V8's baseline compiler computes its
// `i8x16.swizzle` wrongly on x86 without AVX, and the build without is no slower.
async function loadEncoder(): Promise<LoadedEncoder> {
  provideImageData();
  const { default: factory } = await import('@jsquash/webp/codec/enc/webp_enc.js');
  const { encode } = await load(factory, await modules?.encoder());
  // A tile's pixels at a time: what is used once would be kept until it is looked for.
  return { encode, room: new Uint8ClampedArray(4 * MAX_TILE_SIDE * MAX_TILE_SIDE) };
}

const encoderLoadedOnce = () => once<void, LoadedEncoder>(loadEncoder);
let encoder = encoderLoadedOnce();

/** Lets go of the encoder's memory, which is never less than it once was: some 50 bytes a pixel of its largest layer. It is loaded again when needed. */
export function releaseWebpEncoder(): void {
  encoder = encoderLoadedOnce();
}

const decoder = once<void, Decoder>(async () => {
  provideImageData();
  const { default: factory } = await import('@jsquash/webp/codec/dec/webp_dec.js');
  return load(factory, await modules?.decoder());
});

/**
 * Provides what libwebp's binding makes images of, looked up by name: browsers have it. Where it is missing, either half of the package
 * makes one that never lets go of that half's memory.
 */
function provideImageData(): void {
  if (globalThis.ImageData === undefined) Object.assign(globalThis, { ImageData: PlainImageData });
}

class PlainImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

/** Whether a layer is such that WebP can code it. */
export function fitsWebp({ width, height, maxval }: Omit<Layer, 'samples'>): boolean {
  return maxval <= 255 && width <= MAX_WEBP_SIDE && height <= MAX_WEBP_SIDE && width * height <= MAX_WEBP_PIXELS;
}

/**
 * Whether a layer can be coded by `encodeWebp` here and now: libwebp's encoder, where it is fetched by its address, may not be to be had
 * (a page that is offline, a server that lacks the file).
 */
export async function mayBeWebp(layer: Omit<Layer, 'samples'>): Promise<boolean> {
  if (!fitsWebp(layer)) return false;
  try {
    await encoder();
    return true;
  } catch (error) {
    // What was provided must be there.
    if (modules) throw error;
    return false;
  }
}

/** A layer as VP8L stream. */
export async function encodeWebp(layer: Layer, effort: WebpEffort): Promise<Uint8Array> {
  const file = await encodeWebpFile(layer, effort);
  const length = new DataView(file.buffer).getUint32(RIFF_BYTES - 4, true);
  return file.slice(RIFF_BYTES, RIFF_BYTES + length);
}

/** Whether a VP8L stream tells pixels by their difference to a prediction: its first transforms (RFC 9649, 3.5.2 and 4). */
export function isPredicted(stream: Uint8Array): boolean {
  const [PREDICTOR, SUBTRACT_GREEN] = [0, 2];
  // Three bits each behind the size, from the lowest on: whether there is a transform, and which one.
  let bits = stream[5];
  while ((bits & 1) === 1 && ((bits >> 1) & 3) === SUBTRACT_GREEN) bits >>= 3;
  return (bits & 1) === 1 && ((bits >> 1) & 3) === PREDICTOR;
}

/** A layer as WebP file. */
export async function encodeWebpFile(layer: Layer, effort: WebpEffort): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height } = layer;
  // `exact` keeps the colour of transparent pixels.
  const settings = { ...defaultOptions, lossless: 1, exact: 1, ...EFFORTS[effort] };
  const { encode, room } = await encoder();
  const file = encode(toRgba(layer, room), width, height, settings);
  if (!file) throw new Error('libwebp cannot encode it');
  return Uint8Array.from(file);
}

/**
 * Undoes `encodeWebp`.
 *
 * @throws {CnfzipError} `corrupt`; `file` where libwebp's decoder cannot be loaded
 */
export async function decodeWebp(payload: Uint8Array, shape: Omit<Layer, 'samples'>): Promise<Layer> {
  const { width, height, channels, maxval } = shape;
  const damaged = () => new CnfzipError('corrupt', 'damaged: its WebP data is malformed');
  // The stream's own size decides what memory is taken.
  const [signature, a, b, c, d] = payload;
  const size = (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  const [ownWidth, ownHeight] = [(size & 0x3fff) + 1, ((size >>> 14) & 0x3fff) + 1];
  if (payload.length < 5 || signature !== VP8L_SIGNATURE || ownWidth !== width || ownHeight !== height) throw damaged();
  if (!fitsWebp(shape)) throw damaged();
  const { decode } = await decoder().catch((cause) => {
    throw new CnfzipError('file', "libwebp's decoder, which parts of this file need, cannot be loaded", { cause });
  });
  // libwebp does not tell where the stream ends: it does with its last byte if it is not whole without that.
  if (decode(toFile(payload.subarray(0, -1)))) throw damaged();
  const rgba = decode(toFile(payload))?.data;
  if (rgba?.length !== 4 * width * height) throw damaged();
  const samples = allocSamples(width * height * channels, maxval);
  fromRgba(rgba, channels, samples);
  const layer = { ...shape, samples };
  if (!sameValues(toRgba(layer), rgba)) throw damaged();
  return layer;
}

/** Places of a pixel's samples among red, green, blue and alpha. */
function placesOf(channels: Channels): number[] {
  return { 1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3] }[channels];
}

/** @param room is used if it is large enough */
function toRgba({ samples, channels }: Layer, room?: Uint8ClampedArray<ArrayBuffer>): Uint8ClampedArray<ArrayBuffer> {
  const pixels = samples.length / channels;
  const fits = room !== undefined && room.length >= 4 * pixels;
  const rgba = (fits ? room.subarray(0, 4 * pixels) : new Uint8ClampedArray(4 * pixels)).fill(255);
  const gray = channels < 3;
  const alpha = channels % 2 === 0;
  for (let i = 0; i < pixels; i++) {
    const at = i * channels;
    rgba[4 * i] = samples[at];
    rgba[4 * i + 1] = samples[gray ? at : at + 1];
    rgba[4 * i + 2] = samples[gray ? at : at + 2];
    if (alpha) rgba[4 * i + 3] = samples[at + channels - 1];
  }
  return rgba;
}

function fromRgba(rgba: Uint8ClampedArray, channels: Channels, samples: Uint8Array | Uint16Array): void {
  const places = placesOf(channels);
  for (let i = 0, at = 0; at < samples.length; i += 4) {
    for (const place of places) samples[at++] = rgba[i + place];
  }
}

/**
 * The WebP file around a VP8L stream. Without the byte that pads streams of odd length, which libwebp would take for one of
 * the stream's.
 */
function toFile(stream: Uint8Array): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(RIFF_BYTES + stream.length);
  const view = new DataView(file.buffer);
  const put = (text: string, at: number) => {
    for (let i = 0; i < text.length; i++) file[at + i] = text.charCodeAt(i);
  };
  put('RIFF', 0);
  view.setUint32(4, file.length - 8, true);
  put('WEBPVP8L', 8);
  view.setUint32(16, stream.length, true);
  file.set(stream, RIFF_BYTES);
  return file;
}
