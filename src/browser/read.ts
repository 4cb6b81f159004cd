/** Image files that are read and written without a canvas, which would change samples. */
import { CnfzipError } from '../../codec/error.js';
import { type Image, maxvalOf } from '../../codec/image.js';
import type { Decoded } from '../io/decoded.js';
import { decodeNetpbm, encodeNetpbm } from '../io/netpbm.js';
import { kindOf, netpbmExtension } from '../io/netpbm-extension.js';
import { encodePng, fitsPng, readPng } from '../io/png.js';
import type { ImageFile } from './calls.js';

/** @throws CnfzipError `bad-input`, `unsupported` */
export function readImageFile(bytes: Uint8Array): Decoded {
  if (bytes[0] === 0x89 && bytes[1] === 0x50) return readPng(bytes, {});
  if (bytes[0] === 0x50 && bytes[1] >= 0x31 && bytes[1] <= 0x37) return decodeNetpbm(bytes);
  throw new CnfzipError('unsupported', 'neither PNG nor Netpbm, which are what is read in browsers');
}

/** A PNG, or Netpbm of samples that no PNG holds as they are. */
export function writeImageFile(image: Image): ImageFile {
  if (fitsPng({ ...image, maxval: maxvalOf(image) }))
    return { bytes: encodePng(image), type: 'image/png', extension: '.png' };
  const extension = netpbmExtension(kindOf(image));
  return { bytes: encodeNetpbm(image), type: 'image/x-portable-anymap', extension };
}
