/** Image files that are written by bands, and proven to hold their image before anything relies on them. */
import { createHash } from 'node:crypto';
import { CnfzipError } from '../../../codec/error.js';
import { type ImageHeader, sameImage } from '../../../codec/image.js';
import type { Source } from '../../../codec/source.js';
import { expand } from '../expand.js';
import { lossesOf, type OutputFormat } from '../formats.js';
import { pngRange } from '../png.js';
import { scaleSamples } from '../scale.js';
import { type Band, type BandedFile, type BandedImage, updateWithBand } from './image.js';
import { netpbmPieces, openNetpbm, rowsOf } from './netpbm.js';
import { openPng, pngPieces } from './png.js';

/** Formats that are written by bands. */
export type BandedFormat = 'png' | 'ppm';

/** Rows that are read again at once. */
const ROWS = 256;

/** What is known of a file before it is written. */
export interface ProvenPieces {
  /** Of the file, to be written once. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /**
   * Reads the written file.
   *
   * @throws CnfzipError `corrupt` if it does not hold the image
   */
  prove(written: Source): Promise<void>;
  /** As for `writeImage`. */
  readonly warnings: readonly string[];
  readonly complete: boolean;
}

export function isBanded(format: OutputFormat): format is BandedFormat {
  return format === 'png' || format === 'ppm';
}

/** An image file in pieces. Its samples, as the file has them, are held against what is read of it by their SHA-256. */
export function provenPieces(image: BandedImage, format: BandedFormat): ProvenPieces {
  const digest = createHash('sha256');
  let shown: ImageHeader = image;
  async function* noted(): AsyncGenerator<Band, void, undefined> {
    for await (const band of image.bands) {
      const { samples, ...header } = format === 'png' ? asPng(image, band) : asNetpbm(image, band);
      shown = { ...header, height: image.height };
      updateWithBand(digest, samples);
      yield band;
    }
  }
  const pieces = (format === 'png' ? pngPieces : netpbmPieces)({ ...image, bands: noted() });
  const prove = async (written: Source) => {
    const file = await (format === 'png' ? openPng : openNetpbm)(written, {});
    if (file && (await digestOf(file)) === digest.digest('hex')) {
      const back = { ...file.header, metadata: file.found().metadata, samples: new Uint8Array() };
      const wanted = { ...shown, samples: new Uint8Array() };
      if (sameImage(back, format === 'png' ? wanted : { ...wanted, metadata: undefined })) return;
    }
    throw new CnfzipError('corrupt', `the ${format} file of it does not hold the same image; nothing is written`);
  };
  const warnings = lossesOf(image, format);
  return { pieces, prove, warnings, complete: warnings.length === 0 };
}

type Shown = ImageHeader & { readonly samples: Band };

function asPng(image: ImageHeader, band: Band): Shown {
  const maxval = pngRange(image);
  return { ...image, maxval, samples: image.palette ? band : scaleSamples(band, image.maxval, maxval) };
}

function asNetpbm(image: ImageHeader, band: Band): Shown {
  const expanded = expand({ ...image, height: rowsOf(image, band), samples: band });
  return { ...expanded, maxval: expanded.maxval ?? image.maxval };
}

/** SHA-256 of the samples of a file that is read by bands. */
export async function digestOf(file: BandedFile): Promise<string> {
  const digest = createHash('sha256');
  for await (const band of file.bands(heights(file.header.height))) updateWithBand(digest, band);
  return digest.digest('hex');
}

function* heights(height: number): Generator<number> {
  for (let y = 0; y < height; y += ROWS) yield Math.min(ROWS, height - y);
}
