/** Small files of every kind, to be damaged. */
import { encodeImage } from '../../codec/codec.js';
import { readContainer, writeContainer } from '../../codec/container/container.js';
import { crc32 } from '../../codec/container/crc32.js';
import { forwardColour } from '../../codec/flow/colour.js';
import type { Model } from '../../codec/flow/model.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import type { Image } from '../../codec/image.js';
import { KERNEL_VERSION } from '../../codec/kernels/kernels.js';
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
    corpus.push({ image, file: await encodeImage(image, models) });
  }
  for (const model of models) {
    const codec = await TileCodec.create(model);
    for (let seed = 0; seed < count / 4; seed++) corpus.push(flowSpecimen(codec, model, seed));
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

/** A slope with noise, coded by the flow whether or not that is the smallest. */
function flowSpecimen(codec: TileCodec, model: Model, seed: number): Specimen {
  const random = randomIntegers(seed);
  const { channels } = model.definition;
  const [width, height] = [2 + random(14), 2 + random(14)];
  const samples = Uint8Array.from({ length: width * height * channels }, (_, i) => (i >> 2) + random(8));
  const { payload } = codec.encode(forwardColour(samples, channels), { width, height, depth: 8 });
  const container: Container = {
    width,
    height,
    channels,
    maxval: 255,
    indexed: false,
    layers: [
      {
        method: 'tiles',
        flow: { kernelVersion: KERNEL_VERSION, modelHash: model.hash },
        payloads: [Uint8Array.of(0, ...payload)],
      },
    ],
  };
  return { image: { width, height, channels, maxval: 255, samples }, file: writeContainer(container, samples) };
}

/** A file whose parts were damaged before their checksums were made: what only a forger, or a fuzzer, does. */
export function forgeCnfz(
  { file }: Specimen,
  damage: (bytes: Uint8Array) => Uint8Array,
  random: (below: number) => number,
): Uint8Array {
  const container = readContainer(file);
  const { layers, attachments } = container;
  const chosen = random(layers.length);
  const size = (value: number) => (random(2) ? value : Math.max(1, value + random(5) - 2));
  return writeContainer({
    ...container,
    width: random(4) ? container.width : size(container.width),
    height: random(4) ? container.height : size(container.height),
    maxval: random(6) ? container.maxval : 1 + random(65535),
    attachments: attachments && random(2) ? damage(attachments) : attachments,
    layers: layers.map((layer, i) => {
      if (i !== chosen) return layer;
      const { alphabet, payloads } = layer;
      return {
        ...layer,
        alphabet: alphabet && random(2) ? damage(alphabet) : alphabet,
        payloads: payloads.map((payload) => (random(3) ? damage(payload) : payload)),
      };
    }),
  });
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
