/**
 * TIFF files by bands of rows: some of their strips, or rows of tiles, at a time make a small TIFF file, which libvips decodes as it does
 * the whole one, however they are compressed.
 */
import { metadataBytes } from '../../../codec/image.js';
import type { Source } from '../../../codec/source.js';
import { checkLimits, type Limits } from '../../session/memory.js';
import { decodeRaster } from '../raster.js';
import { readTiffDirectory, type TiffDirectory } from '../tiff-directory.js';
import { inspectTiff, LOSSLESS, NONE, TAG } from '../tiff-tags.js';
import { type Band, type BandedFile, BandRoom, WHOLE_PIXELS } from './image.js';
import { handledEntries, type Pieces, tiffOfPieces } from './tiff-pieces.js';

/** Rows that are decoded at once, at least. */
const ROWS = 128;

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
  const entries = await handledEntries(directory);
  const together = pieces.across * Math.ceil(ROWS / pieces.rows);
  const part = async (first: number) => {
    const end = Math.min(first + together, pieces.offsets.length);
    const file = await tiffOfPieces({ directory, source, pieces, entries, first, end });
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
