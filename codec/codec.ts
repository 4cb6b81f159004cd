/** Images to `.cnfz` files and back: layers, their codecs, container. */

import { Coding, type CodingOptions, checkChoices, codingParts, type EncodingOptions } from './coding.js';
import { readAttachments, writeAttachments } from './container/attachments.js';
import {
  type CodedLayer,
  type Container,
  checkSamples,
  readContainer,
  type SealedContainer,
  writeContainer,
} from './container/container.js';
import type { FlowId } from './container/contents.js';
import { layerBytes } from './container/head.js';
import { CnfzipError } from './error.js';
import { USUAL_LEARNING } from './flow/learning.js';
import type { Flow, Model } from './flow/model.js';
import { checkHost } from './host.js';
import { checkHeld, checkImage, type Image, maxvalOf, sameImage, within } from './image.js';
import { KERNEL_VERSION } from './kernels/kernels.js';
import { joinAlpha, type Layer, layerChannels, splitLayers } from './layer.js';
import { decodeLayer } from './layers/decode-layer.js';
import { encodeLayer, mayBeatWithWebp } from './layers/encode-layer.js';
import { isWhole, shownSize, type View, wantedPixels, wholeView } from './view.js';

/**
 * Compresses an image without loss.
 *
 * @param models what may code gray and colour, by the number of their channels; what has no model is coded without a flow
 * @throws CnfzipError `usage` (an option); `bad-input` or `unsupported` if the image is malformed; `corrupt` if the result does not
 *   decode to it; `unsupported` where WebAssembly (with fixed-width SIMD, if there are models) or little-endian order is missing
 * @example In a browser fetch gets the model, whose address a bundler knows
 * ```js
 * import { readFile } from 'node:fs/promises';
 * import { decodeImage, encodeImage, parseModel } from 'cnfzip/codec';
 *
 * const model = await parseModel(await readFile('mine.cnfm'));
 * const samples = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => 128 + 60 * Math.sin(i / 99) + 9 * Math.sin(i * i));
 * const bytes = await encodeImage({ width: 32, height: 32, channels: 3, samples }, [model]);
 * const image = await decodeImage(bytes, [model]);
 * console.log(image.samples.every((sample, i) => sample === samples[i]));
 * ```
 */
export async function encodeImage(
  image: Image,
  models: readonly Model[],
  { verify = true, learning = USUAL_LEARNING, ...options }: EncodingOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  checkHost();
  checkChoices({ learning, effort: options.effort });
  checkImage(image);
  const flows = models.map((model): Flow => ({ model, learning }));
  const [encoding, decoding] = codingParts(options, verify ? [0.5, 0.5] : [1]);
  const bytes = writeContainer(await encodeContainer(image, flows, encoding), image.samples);
  if (verify) await verifyFile(bytes, image, models, decoding);
  return bytes;
}

async function encodeContainer(image: Image, flows: readonly Flow[], options: CodingOptions): Promise<Container> {
  const { width, height, channels, samples, palette } = image;
  const maxval = maxvalOf(image);
  const layer: Layer = { width, height, channels, maxval, samples };
  // Neighbouring indexes of a palette say nothing of each other: no flow.
  const flowFor = ({ channels }: Layer) =>
    palette ? undefined : flows.find(({ model }) => model.definition.channels === channels);
  const split = splitLayers(layer);
  const coding = new Coding(options, split.length * width * height);
  let layers: CodedLayer[] = [];
  for (const part of split) layers.push(await encodeLayer(part, flowFor(part), coding));
  if (split.length > 1) layers = await joinIfSmaller(layer, layers, options);
  const attachments = writeAttachments(image);
  return { width, height, channels, maxval, indexed: palette !== undefined, attachments, layers };
}

async function verifyFile(
  bytes: Uint8Array,
  image: Image,
  models: readonly Model[],
  options: CodingOptions,
): Promise<void> {
  const differs = (cause?: unknown) =>
    new CnfzipError('corrupt', 'the result does not decode to the image that was encoded', { cause });
  let decoded: Image;
  try {
    decoded = await decodeImage(bytes, models, options);
  } catch (error) {
    throw error instanceof CnfzipError && error.code !== 'file' ? differs(error) : error;
  }
  if (!sameImage(decoded, image)) throw differs();
}

/**
 * Decodes a `.cnfz` file: the exact samples that were encoded, or an error.
 *
 * @param models the models at hand; the file names those it needs by their hashes (see `info`)
 * @throws CnfzipError `usage`, `bad-input`, `corrupt` or `unsupported` (see `readContainer`), `unknown-model`; `unsupported` where
 *   WebAssembly (with fixed-width SIMD, if a flow coded the file) or little-endian order is missing
 */
export async function decodeImage(
  bytes: Uint8Array,
  models: readonly Model[],
  options: CodingOptions = {},
): Promise<Image> {
  checkHost();
  return decodeContainer(readContainer(bytes), models, options);
}

/**
 * Decodes a `.cnfz` file that was read: as `decodeImage`.
 *
 * @param view what of the image is wanted; the parts that it does not need are not looked at
 */
export async function decodeContainer(
  container: SealedContainer,
  models: readonly Model[],
  options: CodingOptions = {},
  view: View = wholeView(container),
): Promise<Image> {
  checkHost();
  const image = await decodeUnchecked(container, models, options, view);
  if (isWhole(view, container)) checkSamples(container, image.samples);
  return image;
}

/** What a file's parts decode to, whether or not its checksum of the samples is that of these. */
export async function decodeUnchecked(
  container: Container,
  models: readonly Model[],
  options: CodingOptions,
  view: View = wholeView(container),
): Promise<Image> {
  const { width, height, channels, maxval } = container;
  // What has no tiles is decoded whole.
  const held = container.layers.every(({ method }) => method === 'tiles') ? shownSize(view) : container;
  checkHeld(held.width, held.height);
  const attached = readAttachments(container);
  const channelsOf = layerChannels(channels, container.layers.length > 1);
  const coding = new Coding(options, wantedPixels(container, view));
  const flows = container.layers.map(({ flow }) => flow && flowOf(flow, models));
  const layers: Layer[] = [];
  for (const [i, coded] of container.layers.entries()) {
    const shape = { width, height, channels: channelsOf[i], maxval };
    layers.push(await decodeLayer(coded, shape, view, flows[i], coding));
  }
  const { samples } = layers.length > 1 ? joinAlpha(layers[0], layers[1]) : layers[0];
  if (!within(samples, maxval)) throw new CnfzipError('corrupt', 'damaged: a sample is above the largest value');
  return { ...shownSize(view), channels, maxval, samples, ...attached };
}

/**
 * What codes by the flow that a file names.
 *
 * @throws CnfzipError `unsupported` if this version of the kernels cannot decide the same bits; `unknown-model`
 */
export function flowOf({ kernelVersion, modelHash, learning }: FlowId, models: readonly Model[]): Flow {
  if (kernelVersion !== KERNEL_VERSION) {
    throw new CnfzipError(
      'unsupported',
      `written with kernel arithmetic version ${kernelVersion}; this cnfzip has version ${KERNEL_VERSION}`,
    );
  }
  const model = models.find(({ hash }) => hash === modelHash);
  if (!model) throw new CnfzipError('unknown-model', `needs the model ${modelHash}, which is not at hand`);
  return { model, learning };
}

/** The layers of colour and alpha, or WebP's or deflate's one layer of all channels, whichever is smaller. */
async function joinIfSmaller(layer: Layer, split: CodedLayer[], options: CodingOptions): Promise<CodedLayer[]> {
  const [colour] = split;
  const opaque = layer.samples.every((sample, i) => sample === 255 || i % layer.channels < layer.channels - 1);
  // WebP decodes what has no alpha as opaque.
  if (opaque && layer.maxval === 255) return colour.method === 'webp' && !colour.alphabet ? [colour] : split;
  const bytes = split.reduce((sum, part) => sum + layerBytes(part), 0);
  // What is tried here is no progress: the tiles of colour and alpha were that.
  const coding = new Coding({ ...options, onProgress: undefined }, 1);
  if (layer.maxval <= 255 && !(await mayBeatWithWebp(layer, bytes, coding))) return split;
  const joint = await encodeLayer(layer, undefined, coding, bytes);
  return layerBytes(joint) < bytes ? [joint] : split;
}
