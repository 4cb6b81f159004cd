/** BMP files without compression, as Windows and most programs write them (BITMAPINFOHEADER and its successors). */
import { CnfzipError } from '../../codec/error.js';
import { checkSize, type Image } from '../../codec/image.js';

const RGB = 0;
const BITFIELDS = [3, 6];
const MASKS: Record<number, number[]> = { 16: [0x7c00, 0x3e0, 0x1f, 0], 32: [0xff0000, 0xff00, 0xff, 0] };

/**
 * Decodes a BMP file: palettes stay palettes, samples of 16-bit pixels are scaled from their 5 or 6 bits to 8.
 *
 * @throws CnfzipError `bad-input`, `unsupported`
 */
export function decodeBmp(bytes: Uint8Array): Image {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 54) throw cutShort();
  const headerSize = view.getUint32(14, true);
  if (headerSize < 40) throw new CnfzipError('unsupported', 'a BMP of the OS/2 kind');
  const width = view.getInt32(18, true);
  const signedHeight = view.getInt32(22, true);
  const height = Math.abs(signedHeight);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  if (width < 1 || height < 1) throw damaged(`its header says ${width} x ${signedHeight} pixels`);
  checkSize(width, height);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw damaged(`${bits} bits a pixel`);
  const masked = BITFIELDS.includes(compression) && (bits === 16 || bits === 32);
  if (compression !== RGB && !masked)
    throw new CnfzipError('unsupported', `a BMP with compression method ${compression}`);
  const start = view.getUint32(10, true);
  const stride = 4 * Math.ceil((width * bits) / 32);
  if (start + stride * height > bytes.length) throw cutShort();
  // Rows go from the bottom up, unless the height is negative.
  const lineOf = (y: number) => start + (signedHeight < 0 ? y : height - 1 - y) * stride;
  if (bits <= 8) {
    const colours = Math.min(view.getUint32(46, true) || 2 ** bits, 2 ** bits);
    const from = 14 + headerSize;
    if (from + 4 * colours > start) throw damaged('its palette does not end before its samples');
    const palette = Uint8Array.from(
      { length: 3 * colours },
      (_, i) => bytes[from + 4 * Math.floor(i / 3) + 2 - (i % 3)],
    );
    const samples = new Uint8Array(width * height);
    for (let i = 0; i < samples.length; i++) {
      const bit = (i % width) * bits;
      const byte = bytes[lineOf(Math.floor(i / width)) + (bit >> 3)];
      samples[i] = (byte >> (8 - bits - (bit & 7))) & (2 ** bits - 1);
    }
    return { width, height, channels: 1, maxval: 2 ** bits - 1, samples, palette };
  }
  if (bits === 24) {
    const samples = new Uint8Array(3 * width * height);
    for (let i = 0; i < width * height; i++) {
      const at = lineOf(Math.floor(i / width)) + 3 * (i % width);
      for (let c = 0; c < 3; c++) samples[3 * i + c] = bytes[at + 2 - c];
    }
    return { width, height, channels: 3, maxval: 255, samples };
  }
  if (masked && bytes.length < 70) throw cutShort();
  const masks = masked
    ? [0, 1, 2, 3].map((c) => (c < 3 || headerSize >= 56 ? view.getUint32(54 + 4 * c, true) : 0))
    : MASKS[bits];
  const fields = (masks[3] ? masks : masks.slice(0, 3)).map((mask) => fieldOf(mask));
  const channels = fields.length as 3 | 4;
  const samples = new Uint8Array(channels * width * height);
  for (let i = 0; i < width * height; i++) {
    const at = lineOf(Math.floor(i / width)) + (bits >> 3) * (i % width);
    const pixel = bits === 16 ? view.getUint16(at, true) : view.getUint32(at, true);
    for (const [c, { mask, shift, most }] of fields.entries()) {
      samples[channels * i + c] = Math.round((((pixel & mask) >>> shift) * 255) / most);
    }
  }
  return { width, height, channels, maxval: 255, samples };
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
  return new CnfzipError('bad-input', `damaged BMP: ${what}`);
}

function cutShort(): CnfzipError {
  return new CnfzipError('bad-input', 'BMP cut short: the file ends before its samples do');
}
