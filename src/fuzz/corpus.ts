/** Small files of every kind, to be damaged. */

import { encodeImage } from '../../codec/codec.js';
import { type CodedLayer, type CodedTile, writeContainer } from '../../codec/container/container.js';
import { crc32 } from '../../codec/container/crc32.js';
import { forwardColour } from '../../codec/flow/colour.js';
import { LEARNING } from '../../codec/flow/learning.js';
import type { Flow, Model } from '../../codec/flow/model.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import type { Image } from '../../codec/image.js';
import { KERNEL_VERSION } from '../../codec/kernels/kernels.js';
import { encodeWebp } from '../../codec/layers/webp.js';
import { extractTile, MAX_TILE_SIDE, tileLayout } from '../../codec/tiles.js';
import { encodePng } from '../io/png.js';
import { randomIntegers } from './random-bytes.js';
import { randomImage } from './random-image.js';

export interface Specimen {
  readonly image: Image;
  readonly file: Uint8Array;
}

/** `.cnfz` files: random images by whatever is smallest, and small gray and colour images by the flow. */
export async function cnfzCorpus(count: number, models: readonly Model[]): Promise<Specimen[]> {
  const corpus: Specimen[] = [];
  for (let seed = 0; seed < count; seed++) {
    const image = randomImage(seed);
    corpus.push({ image, file: await encodeImage(image, models, { verify: false }) });
  }
  for (const flow of models.flatMap((model) => LEARNING.map((learning): Flow => ({ model, learning })))) {
    const codec = await TileCodec.create(flow);
    for (let seed = 0; seed < count / 8; seed++) corpus.push(await flowSpecimen(codec, flow, seed));
  }
  return corpus;
}

/** PNG files of random images. */
export function pngCorpus(count: number): Specimen[] {
  return Array.from({ length: count }, (_, seed) => {
    const image = randomImage(seed);
    return { image, file: encodePng(image) };
  });
}

/**
 * A slope with noise, coded by the flow whether or not that is the smallest; of two tiles, the second by WebP; every third gray
 * image with alpha; every eighth too large to be read at once.
 */
async function flowSpecimen(codec: TileCodec, { model, learning }: Flow, seed: number): Promise<Specimen> {
  const random = randomIntegers(seed);
  const { channels } = model.definition;
  // Noise that takes more than a small file.
  const large = seed % 8 === 1;
  const [width, height] = large
    ? [130 + random(9), 110 * (4 - channels) + random(9)]
    : seed % 4 === 0
      ? [MAX_TILE_SIDE + 1 + random(9), 1 + random(3)]
      : [2 + random(14), 2 + random(14)];
  const layerOf = async (samples: Uint8Array): Promise<CodedLayer> => {
    const tiles: CodedTile[] = [];
    for (const [i, place] of tileLayout(width, height).entries()) {
      const tile = extractTile({ width, height, channels, maxval: 255, samples }, place);
      if (i > 0) {
        tiles.push({ method: 'webp', stages: [await encodeWebp(tile, 'probe')] });
        continue;
      }
      const { payload, ends } = codec.encode(forwardColour(tile.samples, channels), { ...tile, depth: 8 });
      const cut = ends[Math.min(1, ends.length - 1)];
      tiles.push({ method: 'flow', stages: [payload.subarray(0, cut), payload.subarray(cut)] });
    }
    return { method: 'tiles', flow: { kernelVersion: KERNEL_VERSION, modelHash: model.hash, learning }, tiles };
  };
  const slope = () =>
    Uint8Array.from({ length: width * height * channels }, (_, i) => (large ? random(256) : (i >> 2) + random(8)));
  const planes = channels === 1 && seed % 3 === 0 ? [slope(), slope()] : [slope()];
  const samples = Uint8Array.from(
    { length: planes.length * planes[0].length },
    (_, i) => planes[i % planes.length][Math.floor(i / planes.length)],
  );
  const image: Image = {
    width,
    height,
    channels: (channels * planes.length) as Image['channels'],
    maxval: 255,
    samples,
  };
  const layers = await Promise.all(planes.map(layerOf));
  return { image, file: writeContainer({ ...image, maxval: 255, indexed: false, layers }, samples) };
}

/** A PNG with damaged chunks whose checksums are made right again. */
export function forgePng(
  { file }: Specimen,
  damage: (bytes: Uint8Array) => Uint8Array,
  random: (below: number) => number,
): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const parts: Uint8Array[] = [file.subarray(0, 8)];
  for (let at = 8; at < file.length; ) {
    const length = view.getUint32(at);
    const type = file.subarray(at + 4, at + 8);
    const data = random(3) ? file.subarray(at + 8, at + 8 + length) : damage(file.subarray(at + 8, at + 8 + length));
    const chunk = Buffer.concat([Buffer.alloc(4), type, data, Buffer.alloc(4)]);
    chunk.writeUInt32BE(data.length, 0);
    chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4);
    parts.push(chunk);
    at += 12 + length;
  }
  return Buffer.concat(parts);
}
