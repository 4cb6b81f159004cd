/** Images to `.cnfz` files and back: colour, tiles, tile codec, container. */
import { forwardColour, inverseColour } from './colour.js';
import { FORMAT_VERSION, MAX_PIXELS, MAX_SIDE, readContainer, writeContainer } from './container.js';
import { crc32 } from './crc32.js';
import { CnfzipError } from './error.js';
import type { Image } from './image.js';
import { KERNEL_VERSION } from './kernels/kernels.js';
import type { Model } from './model.js';
import { type EncodedTile, TileCodec, type TileShape } from './tile-codec.js';
import { extractTile, insertTile, type Tile, tileLayout } from './tiles.js';

/** Codes tiles, in this thread or in others. */
export interface TileCoder {
  /** Tiles that are worth having under way at once, at least 1. */
  readonly concurrency: number;
  /** `samples`: `height * width * channels` integers after colour, interleaved. */
  encode(samples: Int32Array, shape: TileShape): Promise<EncodedTile>;
  decode(payload: Uint8Array, shape: TileShape): Promise<Int32Array>;
}

export interface CodingOptions {
  /** Called after each tile with the part of the image that is done, above 0 and up to 1. */
  onProgress?: (fraction: number) => void;
  /** Who codes the tiles; it must use the same model. Without it they are coded one after the other in this thread. */
  coder?: TileCoder;
}

/** What a `.cnfz` file is made of; sizes in bytes. */
export interface FileInfo {
  bytes: number;
  formatVersion: number;
  kernelVersion: number;
  /** 16 hexadecimal digits. */
  modelHash: string;
  width: number;
  height: number;
  channels: 1 | 3;
  bitDepth: number;
  /** Bits of the whole file per sample of the image. */
  bitsPerSample: number;
  /** What is not payload: header, lengths and checksums. */
  overheadBytes: number;
  /** In the order of the file, with the size of each tile's payload. */
  tiles: (Tile & { bytes: number })[];
}

/**
 * Compresses an image without loss.
 *
 * @throws CnfzipError `bad-input` if the image is malformed, `usage` if the model is for another number of channels
 */
export async function encodeImage(image: Image, model: Model, options: CodingOptions = {}): Promise<Uint8Array> {
  checkImage(image);
  const { width, height, channels, samples } = image;
  if (model.definition.channels !== channels) {
    throw new CnfzipError(
      'usage',
      `the model ${model.name} is for ${model.definition.channels} channels, the image has ${channels}`,
    );
  }
  const coder = options.coder ?? (await localCoder(model));
  const payloads: Uint8Array[] = [];
  await forEachTile(tileLayout(width, height), coder.concurrency, options.onProgress, async (tile, i) => {
    const coordinates = forwardColour(extractTile(samples, width, channels, tile), channels);
    payloads[i] = (await coder.encode(coordinates, shapeOf(tile))).payload;
  });
  return writeContainer({
    kernelVersion: KERNEL_VERSION,
    modelHash: model.hash,
    width,
    height,
    channels,
    bitDepth: 8,
    payloads,
    samplesCrc: crc32(samples),
  });
}

/**
 * Decodes a `.cnfz` file: the exact samples that were encoded, or an error.
 *
 * @param models the models at hand; the file names the one it needs by its hash
 * @throws CnfzipError `bad-input`, `corrupt` or `unsupported` (see `readContainer`), `unknown-model`
 */
export async function decodeImage(
  bytes: Uint8Array,
  models: readonly Model[],
  options: CodingOptions = {},
): Promise<Image> {
  const container = readContainer(bytes);
  const { width, height, channels } = container;
  checkKernel(container.kernelVersion);
  const model = models.find(({ hash }) => hash === container.modelHash);
  if (!model) throw new CnfzipError('unknown-model', `needs the model ${container.modelHash}, which is not at hand`);
  if (model.definition.channels !== channels) {
    throw new CnfzipError('corrupt', `damaged: ${channels} channels, but its model is for another number`);
  }
  const coder = options.coder ?? (await localCoder(model));
  const samples = new Uint8Array(width * height * channels);
  await forEachTile(tileLayout(width, height), coder.concurrency, options.onProgress, async (tile, i) => {
    const coordinates = await coder.decode(container.payloads[i], shapeOf(tile));
    insertTile(samples, width, channels, tile, inverseColour(coordinates, channels));
  });
  if (crc32(samples) !== container.samplesCrc) {
    throw new CnfzipError('corrupt', 'damaged: the checksum of the decoded samples does not match');
  }
  return { width, height, channels, samples };
}

/**
 * Describes a `.cnfz` file without decoding its tiles; the header's and the chunks' checksums are checked.
 *
 * @throws CnfzipError `bad-input`, `corrupt` or `unsupported` (see `readContainer`)
 */
export function info(bytes: Uint8Array): FileInfo {
  const { kernelVersion, modelHash, width, height, channels, bitDepth, payloads } = readContainer(bytes);
  const payloadBytes = payloads.reduce((sum, payload) => sum + payload.length, 0);
  return {
    bytes: bytes.length,
    formatVersion: FORMAT_VERSION,
    kernelVersion,
    modelHash,
    width,
    height,
    channels,
    bitDepth,
    bitsPerSample: (8 * bytes.length) / (width * height * channels),
    overheadBytes: bytes.length - payloadBytes,
    tiles: tileLayout(width, height).map((tile, i) => ({ ...tile, bytes: payloads[i].length })),
  };
}

/** @throws CnfzipError `unsupported` if this version of the kernels cannot decide the same bits */
export function checkKernel(version: number): void {
  if (version !== KERNEL_VERSION) {
    throw new CnfzipError(
      'unsupported',
      `written with kernel arithmetic version ${version}; this cnfzip has version ${KERNEL_VERSION}`,
    );
  }
}

function checkImage({ width, height, channels, samples }: Image): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new CnfzipError('bad-input', `image.width and image.height must be positive integers: ${width} x ${height}`);
  }
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new CnfzipError('unsupported', `${width} x ${height} pixels are too many: at most 2^28, no side over 2^24`);
  }
  if (channels !== 1 && channels !== 3) {
    throw new CnfzipError('unsupported', `image.channels must be 1 (gray) or 3 (RGB): ${channels}`);
  }
  if (!(samples instanceof Uint8Array) || samples.length !== width * height * channels) {
    throw new CnfzipError('bad-input', `image.samples must be a Uint8Array of ${width * height * channels} samples`);
  }
}

function shapeOf({ width, height }: Tile): TileShape {
  return { width, height, depth: 8 };
}

async function localCoder(model: Model): Promise<TileCoder> {
  const codec = await TileCodec.create(model);
  // Between tiles the event loop gets a turn, so that a page can show progress.
  const turn = () => new Promise<void>((resolve) => setTimeout(resolve));
  return {
    concurrency: 1,
    encode: (samples, shape) => turn().then(() => codec.encode(samples, shape)),
    decode: (payload, shape) => turn().then(() => codec.decode(payload, shape)),
  };
}

/** Runs `work` over all tiles, at most `concurrency` at once; after a failure no further tile is begun. */
async function forEachTile(
  tiles: readonly Tile[],
  concurrency: number,
  onProgress: CodingOptions['onProgress'],
  work: (tile: Tile, index: number) => Promise<void>,
): Promise<void> {
  const total = tiles.reduce((sum, tile) => sum + tile.width * tile.height, 0);
  let next = 0;
  let done = 0;
  const lane = async () => {
    while (next < tiles.length) {
      const index = next++;
      const tile = tiles[index];
      try {
        await work(tile, index);
      } catch (error) {
        next = tiles.length;
        throw error;
      }
      done += tile.width * tile.height;
      onProgress?.(done / total);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, tiles.length) }, lane));
}
