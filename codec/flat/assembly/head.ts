// The head of a file (docs/format.md, Head), and where its parts lie.

import { alloc } from './arena';
import { byte, cutShort, left, Reader, readerOf, take, varint, word } from './bytes';
import { crc32 } from './crc32';
import { BAD_INPUT, CORRUPT, fail, failed, failing, tell, tellNumber, tellSize, UNSUPPORTED } from './error';
import { FORMAT_VERSION } from '../../container/version';
import { tilesAlong } from './tiles';

const MAGIC: u32 = 0x0a0d5acf;
const CHECKSUM: u64 = 4;
const HASH_BYTES: u64 = 8;
/** Files whose parts are no more bytes than this have one checksum. */
const SMALL_BYTES: u64 = 32768;
const MOST_SIDE: u64 = 0x1000000;
const MOST_PIXELS: u64 = 0x100000000;

/** Methods of a layer, and of a tile. */
export const PLAIN: i32 = 0;
export const WEBP: i32 = 1;
export const FLOW: i32 = 2;
const MIXED: i32 = 3;

/** Where a part lies in its file, and its checksum; those of small files have none. */
@unmanaged
export class Part {
  offset: u64;
  bytes: u64;
  checksum: u32;
}

/** What learns of a flow, from this on the last blocks, too: these from few of their sites. */
export const SPARSE: i32 = 2;

const PART: usize = (offsetof<Part>() + 7) & ~7;

/** Channels of the image that are coded together. */
@unmanaged
export class Layer {
  /** `PLAIN` or `WEBP` as a whole, or `FLOW`: tiles, each by the flow or WebP. */
  method: i32;
  channels: i32;
  tiles: u64;
  /** Times that the payloads of a flow's tiles are cut. */
  cuts: i32;
  /** What of the flow goes on learning: 0 nothing, 1 its heads, `SPARSE` its last blocks, too, 3 these from all of their sites. */
  learning: i32;
  hasAlphabet: bool;
  /** Address of a bit for each tile, 1 for WebP; 0 if there are none. */
  webps: usize;
  /** Version of the kernel arithmetic, and the first 8 bytes of the model's hash; 0 if no tile is coded by a flow. */
  arithmetic: u32;
  hash: u64;
  /** Addresses of its parts: of the alphabet, and of the first stage of the first tile. */
  alphabet: Part;
  stages: usize;
}

/** What a file tells before its parts. */
@unmanaged
export class Head {
  width: u64;
  height: u64;
  channels: i32;
  maxval: u32;
  isIndexed: bool;
  isSmall: bool;
  hasAttachments: bool;
  /** Bytes of the file at hand, and those that it should have. */
  file: usize;
  atHand: u64;
  bytes: u64;
  /** Of the samples, unless it is small. */
  samples: u32;
  layers: i32;
  first: Layer;
  second: Layer;
  attachments: Part;
}

export const head = changetype<Head>(memory.data(offsetof<Head>()));
const layers: usize = memory.data(2 * offsetof<Layer>());
const attached: usize = memory.data(offsetof<Part>());
const alphabets: usize = memory.data(2 * <i32>PART);
const reader = changetype<Reader>(memory.data(offsetof<Reader>()));

export function layerAt(index: i32): Layer {
  return changetype<Layer>(layers + <usize>index * offsetof<Layer>());
}

/** A stage of a tile. */
export function stageAt(layer: Layer, tile: u64, stage: i32): Part {
  return changetype<Part>(layer.stages + (<usize>tile * <usize>(layer.cuts + 1) + <usize>stage) * PART);
}

export function isWebp(layer: Layer, tile: u64): bool {
  if (layer.method != FLOW) return layer.method == WEBP;
  return layer.webps != 0 && ((load<u8>(layer.webps + <usize>(tile >> 3)) >> <u8>(tile & 7)) & 1) == 1;
}

/** Reads the head of a file of which the first `bytes` bytes, or all, lie at an address. */
export function readHead(file: usize, bytes: usize): bool {
  memory.fill(changetype<usize>(head), 0, offsetof<Head>());
  memory.fill(layers, 0, 2 * offsetof<Layer>());
  head.file = file;
  head.atHand = bytes;
  head.attachments = changetype<Part>(attached);
  readerOf(reader, file, bytes);
  if (bytes < 4 || load<u32>(file) != MAGIC) return fail(BAD_INPUT, 'not a cnfz file');
  take(reader, 4);
  if (!readVersion()) return false;
  head.width = varint(reader);
  head.height = varint(reader);
  const kind = byte(reader);
  head.maxval = kind & 32 ? 255 : <u32>min<u64>(varint(reader), 65536);
  if (failed()) return false;
  if (!isSize(head.width, head.height)) {
    if (failing(CORRUPT)) {
      tell('damaged: impossible image size ');
      tellSize(head.width, head.height);
    }
    return false;
  }
  if (head.maxval < 1 || head.maxval > 65535 || (head.maxval == 255 && !(kind & 32))) {
    return fail(CORRUPT, 'damaged: impossible largest value');
  }
  head.channels = (kind & 3) + 1;
  head.isIndexed = (kind & 4) != 0;
  head.hasAttachments = (kind & 8) != 0;
  const isSplit = (kind & 16) != 0;
  if (kind >> 6 || (isSplit && (head.channels & 1) == 1)) return contradiction();
  if (head.isIndexed && !(head.channels == 1 && head.maxval <= 255 && head.hasAttachments)) return contradiction();
  head.layers = isSplit ? 2 : 1;
  for (let i = 0; i < head.layers; i++) {
    const layer = layerAt(i);
    layer.channels = !isSplit ? head.channels : i == 0 ? head.channels - 1 : 1;
    layer.alphabet = changetype<Part>(alphabets + <usize>i * PART);
    if (!readLayer(layer)) return false;
  }
  return readParts();
}

function contradiction(): bool {
  return failed() ? false : fail(CORRUPT, 'damaged header: its parts contradict each other');
}

function isSize(width: u64, height: u64): bool {
  return width >= 1 && height >= 1 && width <= MOST_SIDE && height <= MOST_SIDE && width * height <= MOST_PIXELS;
}

function readVersion(): bool {
  const version = byte(reader);
  if (failed()) return false;
  if (version == FORMAT_VERSION) return true;
  if (version == 0) return fail(CORRUPT, 'damaged header: format version 0');
  if (failing(UNSUPPORTED)) {
    tell('written in format version ');
    tellNumber(version);
    tell('; this decoder reads version ');
    tellNumber(FORMAT_VERSION);
  }
  return false;
}

function readLayer(layer: Layer): bool {
  const first = byte(reader);
  const code = <i32>(first & 3);
  layer.hasAlphabet = (first & 4) != 0;
  layer.learning = <i32>((first >> 3) & 3);
  layer.cuts = <i32>(first >> 5);
  layer.tiles = 1;
  if (code < FLOW) {
    layer.method = code;
    return layer.learning > 0 || layer.cuts > 0 ? contradiction() : !failed();
  }
  layer.method = FLOW;
  layer.tiles = tilesAlong(head.width) * tilesAlong(head.height);
  let webps: u64 = 0;
  if (code == MIXED) {
    const bytes = (layer.tiles + 7) >> 3;
    layer.webps = take(reader, bytes);
    if (failed()) return false;
    for (let i: u64 = 0; i < bytes; i++) webps += popcnt<u32>(load<u8>(layer.webps + <usize>i));
    // Bits behind the last tile are 0.
    const spare = (8 - (layer.tiles & 7)) & 7;
    if (webps == 0 || load<u8>(layer.webps + <usize>bytes - 1) >> <u8>(8 - spare)) return contradiction();
  }
  if (webps == layer.tiles) return layer.learning > 0 || layer.cuts > 0 ? contradiction() : !failed();
  layer.arithmetic = byte(reader);
  if (layer.arithmetic == 0) return contradiction();
  const hash = take(reader, HASH_BYTES);
  layer.hash = hash ? load<u64>(hash) : 0;
  return !failed();
}

/** What is done with each part, in the order of the file. */
type Visitor = (part: Part) => void;

/** Visits all parts in the order of the file. */
function eachPart(visit: Visitor): void {
  if (head.hasAttachments) visit(head.attachments);
  let most = 0;
  for (let i = 0; i < head.layers; i++) {
    const layer = layerAt(i);
    if (layer.hasAlphabet) visit(layer.alphabet);
    most = max<i32>(most, layer.cuts);
  }
  for (let i = 0; i < head.layers; i++) {
    const layer = layerAt(i);
    for (let tile: u64 = 0; tile < layer.tiles; tile++) visit(stageAt(layer, tile, 0));
  }
  for (let level = most - 1; level >= 0; level--) {
    for (let i = 0; i < head.layers; i++) {
      const layer = layerAt(i);
      const stage = layer.cuts - level;
      if (stage < 1) continue;
      for (let tile: u64 = 0; tile < layer.tiles; tile++) {
        if (!isWebp(layer, tile)) visit(stageAt(layer, tile, stage));
      }
    }
  }
}

let parts: u64 = 0;

function countPart(_: Part): void {
  parts++;
}

let end: u64 = 0;

function readLength(part: Part): void {
  part.bytes = varint(reader);
  end += part.bytes;
}

function readChecksum(part: Part): void {
  part.checksum = word(reader);
}

function placePart(part: Part): void {
  part.offset = end;
  end += part.bytes;
}

function readParts(): bool {
  parts = 0;
  eachPart(countPart);
  // Each has a length of a byte at least: so many there must be before memory is taken for them.
  if (parts + CHECKSUM > <u64>left(reader)) return cutShort();
  for (let i = 0; i < head.layers; i++) {
    const layer = layerAt(i);
    layer.stages = alloc(layer.tiles * <u64>(layer.cuts + 1) * PART);
    if (!layer.stages) return false;
  }
  end = 0;
  eachPart(readLength);
  head.isSmall = end <= SMALL_BYTES;
  if (!head.isSmall) {
    head.samples = word(reader);
    eachPart(readChecksum);
    if (!checkBefore('header')) return false;
    end = <u64>(reader.at - head.file);
    eachPart(placePart);
    head.bytes = end;
  } else {
    end = <u64>(reader.at - head.file);
    eachPart(placePart);
    take(reader, end - <u64>(reader.at - head.file));
    if (!checkBefore('file')) return false;
    head.bytes = <u64>(reader.at - head.file);
  }
  if (head.atHand <= head.bytes) return true;
  if (failing(CORRUPT)) {
    tellNumber(head.atHand - head.bytes);
    tell(" bytes follow the end of the file's data");
  }
  return false;
}

/** Checks the checksum of all that was read so far, which stands here. */
function checkBefore(what: string): bool {
  const at = reader.at;
  const told = word(reader);
  if (failed()) return false;
  return told == crc32(head.file, at - head.file) || damagedChecksum(what);
}

export function damagedChecksum(what: string): bool {
  if (failing(CORRUPT)) {
    tell('damaged: the checksum of the ');
    tell(what);
    tell(' does not match');
  }
  return false;
}

/** Checks that a part is at hand and is what the head says; returns its address. */
export function partAt(part: Part, what: string): usize {
  if (part.offset + part.bytes > head.atHand) cutShort();
  if (failed()) return 0;
  const at = head.file + <usize>part.offset;
  if (!head.isSmall && crc32(at, <usize>part.bytes) != part.checksum) damagedChecksum(what);
  return failed() ? 0 : at;
}

/** The most times that tiles of a layer are cut. */
export function mostCuts(): i32 {
  return head.layers > 1 ? max<i32>(layerAt(0).cuts, layerAt(1).cuts) : layerAt(0).cuts;
}

/** So many of the file's first bytes decode to it at 1/2^level: of a small file all. */
export function bytesAt(level: i32): u64 {
  if (level == 0 || head.isSmall) return head.bytes;
  let most: u64 = 0;
  for (let i = 0; i < head.layers; i++) {
    const layer = layerAt(i);
    for (let tile: u64 = 0; tile < layer.tiles; tile++) {
      const part = stageAt(layer, tile, lastStage(layer, tile, level));
      most = max<u64>(most, part.offset + part.bytes);
    }
  }
  return most;
}

/** The last of a tile's stages that it takes to decode it at 1/2^level. */
export function lastStage(layer: Layer, tile: u64, level: i32): i32 {
  return isWebp(layer, tile) ? 0 : max<i32>(0, layer.cuts - level);
}
