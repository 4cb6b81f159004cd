/** Netpbm files (pbm, pgm, ppm and pam of the Netpbm manual) to exact samples and back. */
import { CnfzipError } from '../../codec/error.js';
import { allocSamples, type Channels, checkSize, type Image, MAX_VALUE, maxvalOf } from '../../codec/image.js';
import { expand } from './expand.js';

const TUPLE_TYPES: Record<Channels, string> = { 1: 'GRAYSCALE', 2: 'GRAYSCALE_ALPHA', 3: 'RGB', 4: 'RGB_ALPHA' };

interface Header {
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  readonly maxval: number;
  /** How samples are written: numbers in text, bytes (two above 255, higher first), or bits, of which 1 is black. */
  readonly coding: 'text' | 'bytes' | 'bits' | 'text bits';
  /** Where the samples begin. */
  readonly start: number;
}

/**
 * Decodes the first image of a file.
 *
 * @returns the image and the number of bytes behind it
 * @throws CnfzipError `bad-input`, `unsupported`
 */
export function decodeNetpbm(bytes: Uint8Array): { image: Image; trailing: number } {
  const header = bytes[1] === 0x37 ? readPamHeader(bytes) : readHeader(bytes);
  const { width, height, channels, maxval, coding, start } = header;
  if (width < 1 || height < 1) throw damaged(`its header says ${width} x ${height} pixels`);
  checkSize(width, height);
  if (maxval < 1 || maxval > MAX_VALUE) throw damaged(`its header names ${maxval} as the largest value`);
  const data = bytes.subarray(start);
  const perRow = width * channels;
  // Of text, each sample but the last takes a digit and a space; packed bits need no spaces.
  const least = { text: 2 * perRow * height - 1, 'text bits': perRow * height, bits: Math.ceil(width / 8) * height };
  const size = coding === 'bytes' ? perRow * height * (maxval > 255 ? 2 : 1) : least[coding];
  if (data.length < size) throw new CnfzipError('bad-input', 'Netpbm file cut short: it ends before its samples do');
  const samples = allocSamples(perRow * height, maxval);
  const used = coding === 'bytes' || coding === 'bits' ? size : readText(data, samples, coding === 'text bits');
  if (coding === 'bits') readBits(data, samples, width);
  if (coding === 'bytes' && maxval <= 255) samples.set(data.subarray(0, size));
  if (coding === 'bytes' && maxval > 255) {
    for (let i = 0; i < samples.length; i++) samples[i] = data[2 * i] * 256 + data[2 * i + 1];
  }
  if (samples.some((sample) => sample > maxval)) throw damaged(`a sample is above its largest value, ${maxval}`);
  const trailing = data.subarray(used);
  const blank = trailing.length < 16 && trailing.every(isSpace);
  return { image: { width, height, channels, maxval, samples }, trailing: blank ? 0 : trailing.length };
}

/** PGM, PPM or, for images with alpha, PAM; palettes and transparency are spelled out, metadata is left out. */
export function encodeNetpbm(image: Image): Uint8Array {
  const { width, height, channels, samples, ...rest } = expand(image);
  const maxval = maxvalOf({ ...rest, samples });
  const header =
    channels % 2 === 1
      ? `${channels === 1 ? 'P5' : 'P6'}\n${width} ${height}\n${maxval}\n`
      : `P7\nWIDTH ${width}\nHEIGHT ${height}\nDEPTH ${channels}\nMAXVAL ${maxval}\nTUPLTYPE ${TUPLE_TYPES[channels]}\nENDHDR\n`;
  const size = maxval > 255 ? 2 : 1;
  const out = Buffer.alloc(header.length + size * samples.length);
  out.write(header, 'latin1');
  if (size === 1) out.set(samples, header.length);
  else for (const [i, sample] of samples.entries()) out.writeUInt16BE(sample, header.length + 2 * i);
  return out;
}

function readHeader(bytes: Uint8Array): Header {
  const kind = bytes[1] - 0x30;
  let at = 2;
  const next = (): number => {
    while (isSpace(bytes[at]) || bytes[at] === 0x23) {
      if (bytes[at] === 0x23) while (at < bytes.length && bytes[at] !== 0x0a && bytes[at] !== 0x0d) at++;
      else at++;
    }
    const start = at;
    while (isDigit(bytes[at]) && at - start < 10) at++;
    if (at === start) throw damaged('its header holds something else than numbers');
    return Number(Buffer.from(bytes.subarray(start, at)).toString('latin1'));
  };
  const width = next();
  const height = next();
  const bitmap = kind === 1 || kind === 4;
  const maxval = bitmap ? 1 : next();
  if (!isSpace(bytes[at])) throw damaged('its header does not end');
  const coding = ({ 1: 'text bits', 2: 'text', 3: 'text', 4: 'bits', 5: 'bytes', 6: 'bytes' } as const)[kind];
  if (!coding) throw damaged(`there is no kind P${kind}`);
  return { width, height, channels: kind % 3 === 0 ? 3 : 1, maxval, coding, start: at + 1 };
}

function readPamHeader(bytes: Uint8Array): Header {
  const text = Buffer.from(bytes.subarray(0, 4096)).toString('latin1');
  const end = /^ENDHDR[^\S\n]*\n/m.exec(text);
  if (!end) throw damaged('its header does not end');
  const fields = new Map<string, string>();
  for (const line of text.slice(2, end.index).split('\n')) {
    const [, name, value] = /^\s*([A-Z]+)\s+(.*?)\s*$/.exec(line) ?? [];
    if (name) fields.set(name, value);
  }
  const number = (name: string) => {
    const value = fields.get(name) ?? '';
    if (!/^\d{1,10}$/.test(value)) throw damaged(`its header names no ${name}`);
    return Number(value);
  };
  const channels = number('DEPTH');
  if (channels < 1 || channels > 4)
    throw new CnfzipError('unsupported', `a PAM of ${channels} channels: 1 to 4 are supported`);
  return {
    width: number('WIDTH'),
    height: number('HEIGHT'),
    channels: channels as Channels,
    maxval: number('MAXVAL'),
    coding: 'bytes',
    start: end.index + end[0].length,
  };
}

/** Fills `samples` with numbers, or digits that need no spaces between them; returns the bytes read. */
function readText(data: Uint8Array, samples: Uint8Array | Uint16Array, digits: boolean): number {
  let at = 0;
  for (let i = 0; i < samples.length; i++) {
    while (isSpace(data[at])) at++;
    const start = at;
    let value = 0;
    while (isDigit(data[at]) && at - start < (digits ? 1 : 5)) value = 10 * value + data[at++] - 0x30;
    if (at === start) throw damaged('its samples hold something else than numbers, or end too early');
    if (value > MAX_VALUE || (digits && value > 1)) throw damaged(`a sample is ${value}`);
    samples[i] = digits ? 1 - value : value;
  }
  return at;
}

function readBits(data: Uint8Array, samples: Uint8Array | Uint16Array, width: number): void {
  const rowBytes = Math.ceil(width / 8);
  for (let i = 0; i < samples.length; i++) {
    const [row, column] = [Math.floor(i / width), i % width];
    samples[i] = 1 - ((data[row * rowBytes + (column >> 3)] >> (7 - (column & 7))) & 1);
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function damaged(what: string): CnfzipError {
  return new CnfzipError('bad-input', `damaged Netpbm file: ${what}`);
}
