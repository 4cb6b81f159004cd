/** What a `.cnfz` file says of itself. */

import { type Attachments, readAttachments } from './container/attachments.js';
import { checkBytes, readParts } from './container/container.js';
import { type Method, splitsOf, stagesFor, type TileMethod } from './container/contents.js';
import { FORMAT_VERSION, type Head, readHead } from './container/head.js';
import type { Learning } from './flow/learning.js';
import { sideAt } from './flow/pyramid.js';
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
  /** What is neither payload nor attachments: head, alphabets and checksums. */
  overheadBytes: number;
  /** All channels, or colour and alpha. */
  layers: LayerInfo[];
  /** What a smaller image takes of the file, the coarsest first; scales that are not listed take what the coarsest does. */
  scales: ScaleInfo[];
}

export interface ScaleInfo {
  /** 1, 1/2, 1/4 ... */
  scale: number;
  /** Of the image at that scale, in pixels. */
  width: number;
  height: number;
  /** So many of the file's first bytes decode to it. */
  bytes: number;
}

export interface LayerInfo {
  channels: Channels;
  method: Method;
  /** Of the kernel arithmetic that decided the bits of the layer's flow, if it has one. */
  kernelVersion?: number;
  /** Of the flow's model: 16 hexadecimal digits. */
  modelHash?: string;
  /** What of that model goes on learning while it codes a tile: `none`, `heads`, `sparse` or `blocks`. */
  learning?: Learning;
  /** Of the payload, or of those of all tiles. */
  bytes: number;
  /** In the order of the file, with the size of each tile's payload; empty unless `method` is `tiles`. */
  tiles: (Tile & { method: TileMethod; bytes: number })[];
}

/**
 * Describes a `.cnfz` file without decoding its samples; the checksums of all its bytes are checked.
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
  checkBytes(bytes);
  const head = readHead(bytes);
  return describe(head, readAttachments(readParts(head, bytes)));
}

/** Describes a `.cnfz` file whose head and attachments were read. */
export function describe(head: Head, attached: Attachments): FileInfo {
  const { bytes, width, height, channels, maxval, attachments, layers } = head;
  const channelsOf = layerChannels(channels, layers.length > 1);
  const described = layers.map(({ method, flow, tiles }, i): LayerInfo => {
    const sizes = tiles.map(({ stages }) => stages.reduce((sum, { length }) => sum + length, 0));
    const places = method === 'tiles' ? tileLayout(width, height) : [];
    return {
      channels: channelsOf[i],
      method,
      ...flow,
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      tiles: places.map((place, t) => ({ ...place, method: tiles[t].method, bytes: sizes[t] })),
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
    scales: scalesOf(head),
  };
}

function scalesOf({ width, height, layers, bytes }: Head): ScaleInfo[] {
  const scales: ScaleInfo[] = [];
  for (let level = Math.max(...layers.map(splitsOf)); level >= 0; level--) {
    const parts = layers.flatMap(({ tiles }) => tiles.flatMap((tile) => stagesFor(tile, level)));
    const end = parts.reduce((most, { offset, length }) => Math.max(most, offset + length), 0);
    scales.push({
      scale: 1 / (1 << level),
      width: sideAt(width, level),
      height: sideAt(height, level),
      bytes: level > 0 ? end : bytes,
    });
  }
  return scales;
}
