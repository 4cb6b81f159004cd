/** What a `.cnfz` file says of itself. */

import { readAttachments } from './container/attachments.js';
import {
  type Container,
  FORMAT_VERSION,
  type Method,
  readContainer,
  type TileMethod,
  tileMethod,
} from './container/container.js';
import type { Channels } from './image.js';
import { layerChannels } from './layer.js';
import { type Tile, tileLayout } from './tiles.js';

/** What a `.cnfz` file is made of; sizes in bytes. */
export interface FileInfo {
  bytes: number;
  formatVersion: number;
  width: number;
  height: number;
  channels: Channels;
  /** Largest value of a sample. */
  maxval: number;
  /** Colours of the palette; 0 if the samples are none's indexes. */
  paletteColours: number;
  /** Types and sizes of the pieces of metadata, before compression. */
  metadata: { type: string; bytes: number }[];
  /** Of palette and metadata, compressed. */
  attachmentBytes: number;
  /** Bits of the whole file per sample of the image. */
  bitsPerSample: number;
  /** What is neither payload nor attachments: header, alphabets, lengths and checksums. */
  overheadBytes: number;
  /** All channels, or colour and alpha. */
  layers: LayerInfo[];
}

export interface LayerInfo {
  channels: Channels;
  method: Method;
  /** Of the kernel arithmetic that decided the bits of the layer's flow, if it has one. */
  kernelVersion?: number;
  /** Of the flow's model: 16 hexadecimal digits. */
  modelHash?: string;
  /** Whether that flow goes on learning while it codes a tile. */
  adapts?: boolean;
  /** Of the payload, or of those of all tiles. */
  bytes: number;
  /** In the order of the file, with the size of each tile's payload; empty unless `method` is `tiles`. */
  tiles: (Tile & { method: TileMethod; bytes: number })[];
}

/**
 * Describes a `.cnfz` file without decoding its samples; the header's and the chunks' checksums are checked.
 *
 * @throws CnfzipError `usage`, `bad-input`, `corrupt` or `unsupported` (see `readContainer`)
 * @example
 * ```js
 * import { readFile } from 'node:fs/promises';
 * import { info } from 'cnfzip/codec';
 *
 * const { width, height, bitsPerSample, layers } = info(await readFile('photo.cnfz'));
 * console.log(width, height, bitsPerSample, layers[0].method);
 * ```
 */
export function info(bytes: Uint8Array): FileInfo {
  return describeContainer(readContainer(bytes), bytes.length);
}

/**
 * Describes a `.cnfz` file that was read: as `info`.
 *
 * @param bytes of the file
 */
export function describeContainer(container: Container, bytes: number): FileInfo {
  const { width, height, channels, maxval, attachments, layers } = container;
  const attached = readAttachments(container);
  const channelsOf = layerChannels(channels, layers.length > 1);
  const described = layers.map(({ method, flow, payloads }, i): LayerInfo => {
    const size = payloads.reduce((sum, { length }) => sum + length, 0);
    const tiles = method === 'tiles' ? tileLayout(width, height) : [];
    return {
      channels: channelsOf[i],
      method,
      ...flow,
      bytes: size,
      tiles: tiles.map((tile, t) => ({
        ...tile,
        method: tileMethod(payloads[t]),
        bytes: payloads[t].length,
      })),
    };
  });
  const attachmentBytes = attachments?.length ?? 0;
  return {
    bytes,
    formatVersion: FORMAT_VERSION,
    width,
    height,
    channels,
    maxval,
    paletteColours: (attached.palette?.length ?? 0) / 3,
    metadata: (attached.metadata ?? []).map(({ type, data }) => ({ type, bytes: data.length })),
    attachmentBytes,
    bitsPerSample: (8 * bytes) / (width * height * channels),
    overheadBytes: bytes - attachmentBytes - described.reduce((sum, layer) => sum + layer.bytes, 0),
    layers: described,
  };
}
