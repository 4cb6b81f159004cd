/**
 * TIFF files by bands of rows: some of their strips, or rows of tiles, at a time make a small TIFF file, which libvips decodes as it does
 * the whole one, however they are compressed.
 */
import { concatenate } from '../../../codec/container/bytes.js';
import { metadataBytes } from '../../../codec/image.js';
import type { Source } from '../../../codec/source.js';
import { checkLimits, type Limits } from '../../session/memory.js';
import { damaged } from '../decoded.js';
import { decodeRaster } from '../raster.js';
import { LONG, readTiffDirectory, type TiffDirectory } from '../tiff-directory.js';
import { HANDLED, inspectTiff, LOSSLESS, NONE, TAG } from '../tiff-tags.js';
import { type Band, type BandedFile, BandRoom, WHOLE_PIXELS } from './image.js';

/** Rows that are decoded at once, at least. */
const ROWS = 128;

/** Strips or tiles in their order, from the top. */
interface Pieces {
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
  /** Pieces beside each other: 1 of strips. */
  readonly across: number;
  /** Of each; the last may have fewer. */
  readonly rows: number;
  readonly tiled: boolean;
}

/**
 * Opens a TIFF file.
 *
 * @returns nothing if it has several pages, planes of channels, loss, or pieces too large to be decoded one by one
 * @throws CnfzipError as `readTiff`
 */
export async function openTiff(source: Source, limits: Limits): Promise<BandedFile | undefined> {
  const directory = await readTiffDirectory(source);
  const remarks = await inspectTiff(directory, source);
  const { number } = directory;
  const [width, height] = [await number(TAG.width, 0), await number(TAG.height, 0)];
  const pieces = await piecesOf(directory, width, height);
  if (!pieces) return undefined;
  const together = pieces.across * Math.ceil(ROWS / pieces.rows);
  const part = async (first: number) => {
    const file = await partOf(directory, source, pieces, first, Math.min(first + together, pieces.offsets.length));
    return (await decodeRaster(file, 'TIFF', {}, remarks)).image;
  };
  const found = await number(TAG.samplesPerPixel, 1);
  checkLimits({ width, height, channels: found, maxval: 2 ** (await number(TAG.bits, 1)) - 1 }, limits);
  const { channels, maxval = 255, metadata } = await part(0);
  checkLimits({ width, height, channels, maxval, metadataBytes: metadataBytes({ metadata }) }, limits);
  const rowBytes = width * channels * (maxval > 255 ? 2 : 1);

  async function* bands(rows: Iterable<number>, room = new BandRoom()): AsyncGenerator<Band, void, undefined> {
    let next = 0;
    let decoded: Uint8Array = new Uint8Array();
    for (const bandRows of rows) {
      const band = room.take(bandRows * rowBytes);
      for (let filled = 0; filled < band.length; ) {
        if (decoded.length === 0) {
          const { buffer, byteOffset, byteLength } = (await part(next)).samples;
          decoded = new Uint8Array(buffer, byteOffset, byteLength);
          next += together;
        }
        const more = decoded.subarray(0, band.length - filled);
        band.set(more, filled);
        filled += more.length;
        decoded = decoded.subarray(more.length);
      }
      yield maxval > 255 ? new Uint16Array(band.buffer, band.byteOffset, band.length / 2) : band;
    }
  }

  return {
    header: { width, height, channels, maxval, metadata },
    bands,
    found: () => ({ metadata, lost: remarks.lost }),
  };
}

async function piecesOf(directory: TiffDirectory, width: number, height: number): Promise<Pieces | undefined> {
  const { tags, number, numbers, hasFurther } = directory;
  const compression = await number(TAG.compression, NONE);
  const channels = await number(TAG.samplesPerPixel, 1);
  if (hasFurther || !LOSSLESS.includes(compression) || (await number(TAG.planes, 1)) !== 1) return undefined;
  const tiled = tags.has(TAG.tileOffsets);
  const pieceWidth = tiled ? await number(TAG.tileWidth, 0) : width;
  const rows = tiled ? await number(TAG.tileHeight, 0) : Math.min(await number(TAG.stripRows, height), height);
  const offsets = await numbers(tiled ? TAG.tileOffsets : TAG.stripOffsets, []);
  const lengths = await numbers(tiled ? TAG.tileBytes : TAG.stripBytes, []);
  const across = Math.ceil(width / pieceWidth);
  const rowBytes = Math.ceil((pieceWidth * channels * (await number(TAG.bits, 1))) / 8);
  const usual = offsets.length === across * Math.ceil(height / rows) && lengths.length === offsets.length;
  if (!usual || offsets.length === 0) return undefined;
  if (compression === NONE && !tiled && offsets.length === 1) return lowStrips(offsets[0], height, rowBytes);
  // Longer ones than any compression makes of samples might not fit into memory; tiles without bytes are left to libtiff.
  const usualLengths = lengths.every((length) => length > 0 && length <= 2 * rows * rowBytes + 1000);
  if (!usualLengths || (tiled && rows >= height) || across * pieceWidth * rows > WHOLE_PIXELS) return undefined;
  return { offsets, lengths, across, rows, tiled };
}

/** A strip that is not compressed, cut into lower ones. */
function lowStrips(offset: number, height: number, rowBytes: number): Pieces {
  const offsets: number[] = [];
  const lengths: number[] = [];
  for (let y = 0; y < height; y += ROWS) {
    offsets.push(offset + y * rowBytes);
    lengths.push(Math.min(ROWS, height - y) * rowBytes);
  }
  return { offsets, lengths, across: 1, rows: ROWS, tiled: false };
}

/** A TIFF file of some of the pieces. */
async function partOf(
  { tags, littleEndian, number }: TiffDirectory,
  source: Source,
  { offsets, lengths, across, rows, tiled }: Pieces,
  first: number,
  end: number,
): Promise<Uint8Array> {
  const below = (await number(TAG.height, 0)) - (first / across) * rows;
  const full = ((end - first) / across) * rows;
  // The lowest tiles have rows below the image. An image must not be less high than its tiles: they are decoded, and never asked for.
  const height = tiled ? full : Math.min(full, below);
  const parts: Uint8Array[] = [];
  let at = 8;
  const append = (bytes: Uint8Array) => {
    const place = at;
    const padded = bytes.length + (bytes.length % 2);
    parts.push(bytes, new Uint8Array(padded - bytes.length));
    at += padded;
    return place;
  };
  const places: number[] = [];
  for (let i = first; i < end; i++) {
    const piece = await source.read(offsets[i], lengths[i]);
    if (piece.length < lengths[i]) throw damaged('TIFF', 'it is cut short');
    places.push(append(piece));
  }
  const own = new Map<number, readonly number[]>([
    [TAG.height, [height]],
    [tiled ? TAG.tileOffsets : TAG.stripOffsets, places],
    [tiled ? TAG.tileBytes : TAG.stripBytes, lengths.slice(first, end)],
    ...(tiled ? [] : [[TAG.stripRows, [rows]] as const]),
  ]);
  const words = (numbers: readonly number[]) => {
    const bytes = new Uint8Array(4 * numbers.length);
    for (const [i, value] of numbers.entries()) new DataView(bytes.buffer).setUint32(4 * i, value, littleEndian);
    return bytes;
  };
  const kept = [...tags].filter(([tag]) => HANDLED.has(tag) && !own.has(tag));
  const values = await Promise.all(
    kept.map(async ([tag, { type, count, bytes }]) => ({ tag, type, count, bytes: await bytes() })),
  );
  for (const [tag, numbers] of own) values.push({ tag, type: LONG, count: numbers.length, bytes: words(numbers) });
  values.sort((a, b) => a.tag - b.tag);
  const directory = new DataView(new ArrayBuffer(2 + 12 * values.length + 4));
  directory.setUint16(0, values.length, littleEndian);
  for (const [i, { tag, type, count, bytes }] of values.entries()) {
    const entry = 2 + 12 * i;
    directory.setUint16(entry, tag, littleEndian);
    directory.setUint16(entry + 2, type, littleEndian);
    directory.setUint32(entry + 4, count, littleEndian);
    if (bytes.length > 4) directory.setUint32(entry + 8, append(bytes), littleEndian);
    else new Uint8Array(directory.buffer, entry + 8, 4).set(bytes);
  }
  const header = new DataView(new ArrayBuffer(8));
  header.setUint16(0, littleEndian ? 0x4949 : 0x4d4d);
  header.setUint16(2, 42, littleEndian);
  header.setUint32(4, at, littleEndian);
  return concatenate([new Uint8Array(header.buffer), ...parts, new Uint8Array(directory.buffer)]);
}
