// The flat decoder: a WebAssembly module without imports that decodes `.cnfz` files by plain functions, for programs that have no
// JavaScript. docs/embedding.md has its exports in a table. One file is open at a time; what may fail returns 1, or 0 with an error.

import { limitMemory, alloc, mark, release } from './arena';
import { forgetAttachments, palette, paletteColours, Piece, pieceAt, pieceCount, readAttachments } from './attachments';
import { crc32 } from './crc32';
import { fail, failing, forgive, tell, tellNumber, tellSize, UNSUPPORTED, USAGE } from './error';
import { bytesAt, damagedChecksum, FLOW, head, layerAt, Layer, mostCuts, readHead } from './head';
import { checkFlow, decodeLayer } from './layer';
import { addModelAt, forgetModels } from './model';
import { forgetSamples, height as shownRows, openSamples, region, samples as shownAt, bytes as shownSize, want, width as shownColumns } from './shown';
import { setPlace } from './tiles';

export { limitMemory } from './arena';
export { palette, paletteColours, pieceCount } from './attachments';
export { errorBytes, errorCode, errorText } from './error';
export { sampleBytes } from './shown';

/** Most pixels that are decoded at once. */
const MOST_PIXELS: u64 = 1 << 28;
/** Coarsest level. */
const MOST_LEVEL: i32 = 24;

/** Where the models end, and where the open file and what was read of it does. */
let behindModels: usize = 0;
let behindFile: usize = 0;
/** The room that the host was given last, and its bytes. */
let roomAt: usize = 0;
let roomBytes: usize = 0;
let isOpen: bool = false;

/** Closes the file that is open and gives its memory back. */
export function close(): void {
  if (!behindModels) behindModels = mark();
  release(behindModels);
  forgetAttachments();
  forgetSamples();
  isOpen = false;
  roomAt = 0;
}

/** Closes the file and forgets all models. */
export function clear(): void {
  forgive();
  forgetModels();
  if (behindModels) release(0);
  behindModels = 0;
  close();
}

/**
 * Room for the bytes of a file or of a model, which the host writes there before it calls `open` or `addModel`; closes the file that is
 * open. Returns its address, 0 with an error.
 */
export function room(bytes: u32): usize {
  forgive();
  close();
  roomAt = alloc(bytes);
  roomBytes = bytes;
  return roomAt;
}

/** Adds the model whose file's bytes are in the room. */
export function addModel(): bool {
  if (!hasRoom()) return false;
  if (addModelAt(roomAt, roomBytes)) behindModels = mark();
  const isAdded = mark() == behindModels;
  close();
  return isAdded;
}

/** Opens the file whose bytes, all or the first of them, are in the room: reads its head and what stands beside its samples. */
export function open(): bool {
  if (!hasRoom()) return false;
  isOpen = readHead(roomAt, roomBytes) && readAttachments();
  roomAt = 0;
  behindFile = mark();
  const opened = isOpen;
  if (!opened) close();
  return opened;
}

function hasRoom(): bool {
  forgive();
  return roomAt ? true : fail(USAGE, 'there is no room with the bytes of a file: call room first');
}

/** Of the open file: size in pixels, channels, largest value of a sample; 0 where none is open. */
export function width(): u32 {
  return isOpen ? <u32>head.width : 0;
}

export function height(): u32 {
  return isOpen ? <u32>head.height : 0;
}

export function channels(): i32 {
  return isOpen ? head.channels : 0;
}

export function maxval(): u32 {
  return isOpen ? head.maxval : 0;
}

/** Bytes that the whole file has. */
export function fileBytes(): f64 {
  return isOpen ? <f64>head.bytes : 0;
}

/** The coarsest scale, 1/2^scales, that takes less of the file than the one before. */
export function scales(): i32 {
  return isOpen ? mostCuts() : 0;
}

/** So many of the file's first bytes decode to it at 1/2^level. */
export function bytesForScale(level: i32): f64 {
  return isOpen && level >= 0 ? <f64>bytesAt(level) : 0;
}

/** Address of the 8 bytes that name the model of layer 0 or 1 (colour or gray, alpha); 0 if it needs none. */
export function modelName(layer: i32): usize {
  if (!isOpen || layer < 0 || layer >= head.layers || !layerAt(layer).arithmetic) return 0;
  return changetype<usize>(layerAt(layer)) + offsetof<Layer>('hash');
}

/** Of piece `index` of the metadata: address of the four letters of its type, its place (0 start, 1 after palette, 2 end), address, bytes. */
export function pieceType(index: i32): usize {
  return pieceAt(index) ? pieceAt(index) + offsetof<Piece>('type') : 0;
}

export function piecePlace(index: i32): u32 {
  return pieceAt(index) ? changetype<Piece>(pieceAt(index)).place : 0;
}

export function piece(index: i32): usize {
  return pieceAt(index) ? changetype<Piece>(pieceAt(index)).at : 0;
}

export function pieceBytes(index: i32): usize {
  return pieceAt(index) ? changetype<Piece>(pieceAt(index)).bytes : 0;
}

/**
 * Decodes of a region, in pixels of the whole image, the rows and columns that are multiples of 2^level. The samples before are void.
 */
export function decode(level: i32, x: u32, y: u32, regionWidth: u32, regionHeight: u32): bool {
  forgive();
  if (!isOpen) return fail(USAGE, 'no file is open');
  release(behindFile);
  forgetSamples();
  setPlace(region, x, y, regionWidth, regionHeight);
  if (!checkRegion(level)) return false;
  const isDecoded = decodeWanted();
  release(isDecoded ? (shownAt + shownSize + 15) & ~15 : behindFile);
  if (!isDecoded) forgetSamples();
  return isDecoded;
}

function checkRegion(level: i32): bool {
  if (level < 0 || level > MOST_LEVEL) return fail(USAGE, 'the level must be 0 to 24');
  const isInside =
    region.width > 0 &&
    region.height > 0 &&
    region.x + region.width <= head.width &&
    region.y + region.height <= head.height;
  if (!isInside) {
    if (failing(USAGE)) {
      tell('the region does not lie in the image of ');
      tellSize(head.width, head.height);
      tell(' pixels');
    }
    return false;
  }
  if (want(level)) return true;
  if (failing(USAGE)) {
    tell('the region has no pixel at scale 1/');
    tellNumber(<u64>1 << level);
  }
  return false;
}

function decodeWanted(): bool {
  // What has no tiles is decoded whole.
  let isTiled = true;
  for (let i = 0; i < head.layers; i++) isTiled = isTiled && layerAt(i).method == FLOW;
  const pixels = isTiled ? shownColumns * shownRows : head.width * head.height;
  if (pixels > MOST_PIXELS) return fail(UNSUPPORTED, 'the pixels are too many at once: at most 2^28');
  for (let i = 0; i < head.layers; i++) if (!checkFlow(layerAt(i))) return false;
  if (!openSamples()) return false;
  let channel = 0;
  for (let i = 0; i < head.layers; i++) {
    if (!decodeLayer(layerAt(i), channel)) return false;
    channel += layerAt(i).channels;
  }
  const isWhole = shownColumns == head.width && shownRows == head.height;
  if (!isWhole || head.isSmall || crc32(shownAt, shownSize) == head.samples) return true;
  return damagedChecksum('decoded samples');
}

/** Of what was decoded: size in pixels, address and bytes of the samples, row by row, channels of a pixel side by side. */
export function shownWidth(): u32 {
  return <u32>shownColumns;
}

export function shownHeight(): u32 {
  return <u32>shownRows;
}

export function samples(): usize {
  return shownAt;
}

export function samplesBytes(): usize {
  return shownSize;
}
