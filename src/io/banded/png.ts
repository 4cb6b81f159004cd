/** PNG files by bands of rows. */
import { concatenate } from '../../../codec/container/bytes.js';
import { crc32 } from '../../../codec/container/crc32.js';
import { MAX_INFLATION } from '../../../codec/container/deflate.js';
import { CnfzipError } from '../../../codec/error.js';
import type { Source } from '../../../codec/source.js';
import { checkLimits, type Limits } from '../../session/memory.js';
import { damaged } from '../decoded.js';
import { Sequence } from '../files/sequence.js';
import { PngRows, PngUnfilter } from '../png.js';
import {
  CHUNK_FRAME,
  CHUNK_HEAD,
  checkChunk,
  checkSignature,
  checksumOf,
  HEADER_BYTES,
  ImageDataChunks,
  PngChunks,
  pngCutShort,
  readChunkHead,
  writePngFrame,
} from '../png-chunks.js';
import { ZlibPieces } from '../zlib-pieces.js';
import { type Band, type BandedFile, type BandedImage, BandRoom } from './image.js';

/** Rows that are filtered and deflated at once. */
const ROWS = 32;

/** The pieces of a PNG file: joined they are what `encodePng` gives. */
export async function* pngPieces(image: BandedImage): AsyncGenerator<Uint8Array, void, undefined> {
  const rows = new PngRows(image);
  const { before, behind } = writePngFrame(rows.header, image.palette, image.metadata ?? []);
  const chunks = new ImageDataChunks();
  const deflate = ZlibPieces.deflating();
  const part = ROWS * image.width * image.channels;
  try {
    yield before;
    for await (const band of image.bands) {
      for (let at = 0; at < band.length; at += part) {
        const filtered = rows.filter(band.subarray(at, at + part));
        for (const piece of await deflate.push(filtered)) yield* chunks.add(piece);
      }
    }
    for (const piece of await deflate.end()) yield* chunks.add(piece);
    yield* chunks.end();
    yield behind;
  } finally {
    deflate.close();
  }
}

/**
 * Opens a PNG file.
 *
 * @returns nothing if it is interlaced: its first rows are then complete only with the last ones
 * @throws CnfzipError as `readPng`
 */
export async function openPng(source: Source, limits: Limits): Promise<BandedFile | undefined> {
  const input = new Sequence(source);
  const chunks = new PngChunks();
  checkSignature(await input.take(8));
  let next = await chunkHead(input);
  // No memory is taken for what is longer than a header.
  chunks.add(next.type, next.length > HEADER_BYTES ? undefined : await chunkData(input, next));
  const header = chunks.header!;
  if (header.interlaced) return undefined;
  const unfilter = new PngUnfilter(header);
  const { width, height } = header;
  const { channels, maxval } = unfilter;
  let metadataBytes = 0;
  const checkMemory = () => checkLimits({ width, height, channels, maxval, metadataBytes }, limits);
  checkMemory();

  /** Reads a chunk that is no image data, if the limits allow for it beside those before. */
  const addChunk = async () => {
    metadataBytes += next.length;
    checkMemory();
    chunks.add(next.type, await chunkData(input, next));
  };

  for (next = await chunkHead(input); next.type !== 'IDAT'; next = await chunkHead(input)) await addChunk();
  const { palette, metadata } = chunks.found();
  if (source.size !== undefined && source.size * MAX_INFLATION < height * unfilter.rowBytes) {
    throw damaged('PNG', 'it holds too little image data for its size');
  }
  const lost: string[] = [];

  /** Compressed samples, to the end of their last chunk; what follows is read, too. */
  async function* imageData() {
    for (; next.type === 'IDAT'; next = await chunkHead(input)) {
      chunks.add('IDAT');
      let checksum = checksumOf('IDAT');
      for (let left = next.length; left > 0; ) {
        const piece = await input.some(left);
        if (piece.length === 0) throw pngCutShort();
        checksum = crc32(piece, checksum);
        left -= piece.length;
        yield piece;
      }
      checkChunk('IDAT', checksum, await chunkEnd(input));
    }
    for (; ; next = await chunkHead(input)) {
      await addChunk();
      if (next.type !== 'IEND') continue;
      let trailing = next.length;
      for (let more = await input.some(1 << 18); more.length > 0; more = await input.some(1 << 18))
        trailing += more.length;
      if (trailing > 0) lost.push(`${trailing} bytes behind the end of the PNG are not kept`);
      return;
    }
  }

  async function* bands(rows: Iterable<number>, room = new BandRoom()): AsyncGenerator<Band, void, undefined> {
    const inflate = ZlibPieces.inflating();
    const undecodable = (error: unknown) =>
      error instanceof CnfzipError ? error : damaged('PNG', 'its image data cannot be decoded', error);
    const heights = rows[Symbol.iterator]();
    let band = room.take(0);
    let filled = 0;
    let compressed = 0;
    let ended = false;
    const open = () => {
      const { value, done } = heights.next();
      ended = done === true;
      band = room.take(ended ? 0 : value * unfilter.rowBytes);
      filled = 0;
    };
    open();
    try {
      for await (const piece of imageData()) {
        compressed += piece.length;
        for (let inflated of await inflate.push(piece).catch((error) => Promise.reject(undecodable(error)))) {
          while (inflated.length > 0) {
            if (ended) throw damaged('PNG', 'its image data cannot be decoded');
            const part = inflated.subarray(0, band.length - filled);
            band.set(part, filled);
            filled += part.length;
            inflated = inflated.subarray(part.length);
            if (filled < band.length) continue;
            yield unfilter.samples(band);
            open();
          }
        }
      }
      if (!ended) throw damaged('PNG', 'its image data ends too early');
      // A stream whose checksum is missing ends with an error.
      await inflate.end().catch((error) => Promise.reject(undecodable(error)));
      const behind = compressed - inflate.taken;
      if (behind > 0) lost.unshift(`${behind} bytes of image data behind the last row are not kept`);
    } finally {
      inflate.close();
    }
  }

  return {
    header: { width, height, channels, maxval, ...(palette && { palette }), metadata: [...metadata] },
    bands,
    found: () => {
      const { metadata } = chunks.found();
      return { metadata: metadata.length > 0 ? metadata : undefined, lost };
    },
  };
}

interface ChunkHead {
  readonly type: string;
  readonly length: number;
}

async function chunkHead(input: Sequence): Promise<ChunkHead> {
  const { at } = input;
  const head = await input.take(CHUNK_HEAD);
  if (head.length < CHUNK_HEAD) throw pngCutShort();
  return readChunkHead(head, at);
}

/** The data of a chunk that is no image data, checked. */
async function chunkData(input: Sequence, { type, length }: ChunkHead): Promise<Uint8Array> {
  // Read in parts, as the length may be a lie.
  const parts: Uint8Array[] = [];
  for (let left = length; left > 0; ) {
    const part = await input.some(left);
    if (part.length === 0) throw pngCutShort();
    parts.push(part.slice());
    left -= part.length;
  }
  const data = concatenate(parts);
  checkChunk(type, crc32(data, checksumOf(type)), await chunkEnd(input));
  return data;
}

async function chunkEnd(input: Sequence): Promise<Uint8Array> {
  const end = await input.take(CHUNK_FRAME - CHUNK_HEAD);
  if (end.length < CHUNK_FRAME - CHUNK_HEAD) throw pngCutShort();
  return end;
}
