/** Image files that are read by bands. */
import type { Source } from '../../../codec/source.js';
import type { Limits } from '../../session/memory.js';
import { nameOfFormat } from '../formats.js';
import type { BandedFile } from './image.js';
import { openNetpbm } from './netpbm.js';
import { openPng } from './png.js';
import { openTiff } from './tiff.js';

/**
 * Opens an image file.
 *
 * @returns nothing if it is none that is read by bands: a PNG without interlace, Netpbm of bytes, a TIFF of one page without loss
 * @throws CnfzipError as `readImage`
 */
export async function openBanded(source: Source, limits: Limits): Promise<BandedFile | undefined> {
  const format = nameOfFormat(await source.read(0, 16));
  if (format === 'PNG') return openPng(source, limits);
  if (format === 'TIFF') return openTiff(source, limits);
  return format === 'Netpbm' ? openNetpbm(source, limits) : undefined;
}
