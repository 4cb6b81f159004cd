/** BMP files without compression, as Windows and most programs write them (BITMAPINFOHEADER and its successors). */
import { CnfzipError } from '../../codec/error.js';
import { type Channels, checkHeld, type Metadata } from '../../codec/image.js';
import { checkLimits, type Limits } from '../session/memory.js';
import { type Decoded, damaged as damagedFile, unused } from './decoded.js';
import { physicalSize } from './physical-size.js';

/** BITMAPINFOHEADER, with three and four masks, OS/2's, and versions 4 and 5, by their lengths. */
const HEADER_SIZES = [40, 52, 56, 64, 108, 124];

const RGB = 0;
const [BITFIELDS, ALPHA_BITFIELDS] = [3, 6];
const MASKS: Record<number, number[]> = { 16: [0x7c00, 0x3e0, 0x1f], 32: [0xff0000, 0xff00, 0xff] };

/**
 * Decodes a BMP file: palettes stay palettes, samples of 16-bit pixels are scaled from their 5 or 6 bits to 8. Of 32-bit pixels
 * the fourth byte is alpha only where a mask says so, as browsers read it; elsewhere many programs leave what was there before.
 *
 * @throws CnfzipError `bad-input`; `unsupported` (also if it is beyond the limits, before memory is taken for its samples)
 */
export function decodeBmp(bytes: Uint8Array, limits: Limits = {}): Decoded {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 54) throw cutShort();
  const headerSize = view.getUint32(14, true);
  if (!HEADER_SIZES.includes(headerSize)) {
    throw new CnfzipError('unsupported', `a BMP with a header of ${headerSize} bytes`);
  }
  if (bytes.length < 14 + headerSize) throw cutShort();
  const width = view.getInt32(18, true);
  const signedHeight = view.getInt32(22, true);
  const height = Math.abs(signedHeight);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  if (width < 1 || height < 1) throw damaged(`its header says ${width} x ${signedHeight} pixels`);
  checkHeld(width, height);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw damaged(`${bits} bits a pixel`);
  const masked = [BITFIELDS, ALPHA_BITFIELDS].includes(compression) && (bits === 16 || bits === 32);
  if (compression !== RGB && !masked)
    throw new CnfzipError('unsupported', `a BMP with compression method ${compression}`);
  const indexed = bits <= 8;
  const maskCount = headerSize >= 56 || compression === ALPHA_BITFIELDS ? 4 : 3;
  if (masked && bytes.length < 54 + 4 * maskCount) throw cutShort();
  const alpha = masked && maskCount === 4 && view.getUint32(66, true) !== 0;
  const channels: Channels = indexed ? 1 : alpha ? 4 : 3;
  const maxval = indexed ? 2 ** bits - 1 : 255;
  checkLimits({ width, height, channels, maxval }, limits);

  const start = view.getUint32(10, true);
  const stride = 4 * Math.ceil((width * bits) / 32);
  const end = start + stride * height;
  if (end > bytes.length) throw cutShort();
  const colours = indexed ? Math.min(view.getUint32(46, true) || 2 ** bits, 2 ** bits) : 0;
  // A header of 40 bytes has its masks behind it.
  const paletteAt = 14 + headerSize + (masked && headerSize === 40 ? 4 * maskCount : 0);
  const paletteEnd = paletteAt + 4 * colours;
  if (paletteEnd > start) throw damaged('its samples begin before its header and palette end');
  const lost = [
    ...unused(bytes.subarray(paletteEnd, start), 'before the samples'),
    ...unused(bytes.subarray(end), 'behind the samples'),
  ];
  // 'sRGB' and 'Win ' (also sRGB), lower byte first, say what all files without a word mean.
  const calibrated = headerSize >= 108 && ![0x73524742, 0x57696e20].includes(view.getUint32(70, true));
  if (calibrated && bytes.subarray(70, 122).some((byte) => byte !== 0)) lost.push('its colour space is not kept');

  // Rows go from the bottom up, unless the height is negative.
  const lineOf = (y: number) => start + (signedHeight < 0 ? y : height - 1 - y) * stride;
  const count = width * height;
  const samples = new Uint8Array(channels * count);
  const metadata: Metadata[] = physicalSize(view.getInt32(38, true), view.getInt32(42, true));
  const image = { width, height, channels, maxval, samples, ...(metadata.length > 0 && { metadata }) };
  if (indexed) {
    const entries = bytes.subarray(paletteAt, paletteEnd);
    const palette = Uint8Array.from({ length: 3 * colours }, (_, i) => entries[4 * Math.floor(i / 3) + 2 - (i % 3)]);
    if (entries.some((byte, i) => i % 4 === 3 && byte !== 0)) lost.push('the fourth bytes of its colours are not kept');
    for (let i = 0; i < count; i++) {
      const bit = (i % width) * bits;
      const byte = bytes[lineOf(Math.floor(i / width)) + (bit >> 3)];
      samples[i] = (byte >> (8 - bits - (bit & 7))) & maxval;
    }
    return { image: { ...image, palette }, lost };
  }
  if (bits === 24) {
    for (let i = 0; i < count; i++) {
      const at = lineOf(Math.floor(i / width)) + 3 * (i % width);
      for (let c = 0; c < 3; c++) samples[3 * i + c] = bytes[at + 2 - c];
    }
    return { image, lost };
  }
  const masks = masked ? Array.from({ length: channels }, (_, c) => view.getUint32(54 + 4 * c, true)) : MASKS[bits];
  const fields = masks.map(fieldOf);
  const unnamed = masks.reduce((rest, mask) => rest & ~mask, bits === 16 ? 0xffff : -1);
  let others = 0;
  for (let i = 0; i < count; i++) {
    const at = lineOf(Math.floor(i / width)) + (bits >> 3) * (i % width);
    const pixel = bits === 16 ? view.getUint16(at, true) : view.getUint32(at, true);
    others |= pixel & unnamed;
    for (const [c, { mask, shift, most }] of fields.entries()) {
      samples[channels * i + c] = Math.round((((pixel & mask) >>> shift) * 255) / most);
    }
  }
  if (others !== 0) lost.push('the bits of its pixels that are no colour are not kept');
  return { image, lost };
}

/** Where a mask's bits lie; they must be together and at most 8. */
function fieldOf(mask: number): { mask: number; shift: number; most: number } {
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  if (mask === 0 || most > 255 || (most & (most + 1)) !== 0) {
    throw new CnfzipError('unsupported', `a BMP whose samples lie under the mask ${mask.toString(16)}`);
  }
  return { mask, shift, most };
}

function damaged(what: string): CnfzipError {
  return damagedFile('BMP', what);
}

function cutShort(): CnfzipError {
  return new CnfzipError('bad-input', 'BMP cut short: the file ends before its samples do');
}
