/** Netpbm files (pbm, pgm, ppm and pam of the Netpbm manual) to exact samples and back. */
import { concatenate } from '../../codec/container/bytes.js';
import { CnfzipError } from '../../codec/error.js';
import {
  allocSamples,
  type Channels,
  checkHeld,
  checkSize,
  type Image,
  type ImageHeader,
  MAX_VALUE,
  maxvalOf,
  within,
} from '../../codec/image.js';
import { checkLimits, type Limits } from '../session/memory.js';
import { type Decoded, damaged as damagedFile } from './decoded.js';
import { expand } from './expand.js';

/** What the channels of a PAM mean; without a word of it, their number decides. */
const TUPLE_TYPES: Record<Channels, string> = { 1: 'GRAYSCALE', 2: 'GRAYSCALE_ALPHA', 3: 'RGB', 4: 'RGB_ALPHA' };

/** The same for samples 0 and 1, of which 1 is white; a PBM has it the other way round. */
const BILEVEL_TYPES: Partial<Record<Channels, string>> = { 1: 'BLACKANDWHITE', 2: 'BLACKANDWHITE_ALPHA' };

const KINDS = {
  1: { channels: 1, coding: 'text bits' },
  2: { channels: 1, coding: 'text' },
  3: { channels: 3, coding: 'text' },
  4: { channels: 1, coding: 'bits' },
  5: { channels: 1, coding: 'bytes' },
  6: { channels: 3, coding: 'bytes' },
} as const;

const TUPLE_TYPE = 'TUPLTYPE';
const PAM_FIELDS = ['WIDTH', 'HEIGHT', 'DEPTH', 'MAXVAL', TUPLE_TYPE];

const [LINE_FEED, HASH] = [0x0a, 0x23];

/** More than any number of a header that is accepted. */
const MOST = 1e10;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  readonly maxval: number;
  /** How samples are written: numbers in text, bytes (two above 255, higher first), or bits, of which 1 is black. */
  readonly coding: 'text' | 'bytes' | 'bits' | 'text bits';
}

/**
 * Decodes the first image of a file.
 *
 * @throws CnfzipError `bad-input`; `unsupported` (also if it is beyond the limits, before memory is taken for its samples)
 */
export function decodeNetpbm(bytes: Uint8Array, limits: Limits = {}): Decoded {
  const { header, text } = readStart(bytes, limits);
  const { width, height, channels, maxval, coding } = header;
  checkHeld(width, height);
  const count = width * height * channels;
  // Of text, each sample but the last takes a digit and a space; bits need no spaces.
  const least = {
    text: 2 * count - 1,
    'text bits': count,
    bits: Math.ceil(width / 8) * height,
    bytes: count * (maxval > 255 ? 2 : 1),
  }[coding];
  const data = bytes.subarray(text.at, text.at + least);
  if (data.length < least) throw netpbmCutShort();
  let samples: Image['samples'];
  if (coding === 'bytes') samples = netpbmFromBytes(maxval > 255 ? data : new Uint8Array(data), maxval);
  else {
    samples = allocSamples(count, maxval);
    if (coding === 'bits') readBits(data, samples, width);
    else readText(text, samples, coding === 'text bits');
    if (!within(samples, maxval)) throw aboveLargest(maxval);
  }
  if (coding === 'bytes' || coding === 'bits') text.at += least;
  const rest = new NetpbmRest(text.comments);
  rest.add(bytes.subarray(text.at));
  return { image: { width, height, channels, maxval, samples }, lost: rest.lost() };
}

/**
 * The header of a file whose samples are bytes, where they begin, and comments before them; nothing if they are no bytes, or do not
 * begin within these.
 *
 * @param start of the file
 * @throws CnfzipError as `decodeNetpbm`
 */
export function readNetpbmStart(
  start: Uint8Array,
  limits: Limits,
): { header: ImageHeader; at: number; comments: number } | undefined {
  if (start[1] < 0x35) return undefined;
  const { header, text } = readStart(start, limits);
  const { width, height, channels, maxval } = header;
  if (header.coding !== 'bytes' || text.at >= start.length) return undefined;
  return { header: { width, height, channels, maxval }, at: text.at, comments: text.comments };
}

function readStart(bytes: Uint8Array, limits: Limits): { header: Header; text: Text } {
  const text = new Text(bytes, 2);
  const header = bytes[1] === 0x37 ? readPamHeader(text) : readHeader(text, bytes[1] - 0x30);
  const { width, height, channels, maxval } = header;
  if (width < 1 || height < 1) throw damaged(`its header says ${width} x ${height} pixels`);
  checkSize(width, height);
  if (maxval < 1 || maxval > MAX_VALUE) throw damaged(`its header names ${maxval} as the largest value`);
  checkLimits({ width, height, channels, maxval }, limits);
  return { header, text };
}

/** What of a file is not in the image: what follows its samples, which may come in pieces, and comments. */
export class NetpbmRest {
  #bytes = 0;
  #inComment = false;

  /** @param comments before the samples' end */
  constructor(private comments: number) {}

  add(piece: Uint8Array): void {
    let at = 0;
    // Space and comments end where anything else begins.
    for (; this.#bytes === 0 && at < piece.length; at++) {
      if (this.#inComment) this.#inComment = !isLineEnd(piece[at]);
      else if (piece[at] === HASH) {
        this.#inComment = true;
        this.comments++;
      } else if (!isSpace(piece[at])) break;
    }
    this.#bytes += piece.length - at;
  }

  /** A line each. */
  lost(): string[] {
    const lost: string[] = [];
    if (this.#bytes > 0) lost.push(`${this.#bytes} bytes behind the first image are not kept`);
    if (this.comments > 0) lost.push('its comments are not kept');
    return lost;
  }
}

/** PGM, PPM or, for images with alpha, PAM; palettes and transparency are spelled out, metadata is left out. */
export function encodeNetpbm(image: Image): Uint8Array<ArrayBuffer> {
  const expanded = expand(image);
  return concatenate([netpbmHeader({ ...expanded, maxval: maxvalOf(expanded) }), netpbmSamples(expanded.samples)]);
}

/** What stands before the samples. */
export function netpbmHeader({
  width,
  height,
  channels,
  maxval,
}: Omit<ImageHeader, 'palette' | 'metadata'>): Uint8Array {
  const header =
    channels % 2 === 1
      ? `${channels === 1 ? 'P5' : 'P6'}\n${width} ${height}\n${maxval}\n`
      : `P7\nWIDTH ${width}\nHEIGHT ${height}\nDEPTH ${channels}\nMAXVAL ${maxval}\nTUPLTYPE ${TUPLE_TYPES[channels]}\nENDHDR\n`;
  return Uint8Array.from(header, (letter) => letter.charCodeAt(0));
}

/** Samples as bytes, those of a range above 255 as two, higher first. */
export function netpbmSamples(samples: Image['samples']): Uint8Array {
  if (samples instanceof Uint8Array) return samples;
  const data = new Uint8Array(2 * samples.length);
  for (let i = 0; i < samples.length; i++) {
    data[2 * i] = samples[i] >> 8;
    data[2 * i + 1] = samples[i];
  }
  return data;
}

/**
 * Undoes `netpbmSamples`.
 *
 * @param data become the samples, if they are bytes
 * @throws CnfzipError `bad-input` if a sample is above `maxval`
 */
export function netpbmFromBytes(data: Uint8Array, maxval: number): Image['samples'] {
  const samples = maxval > 255 ? new Uint16Array(data.length / 2) : data;
  if (maxval > 255) for (let i = 0; i < samples.length; i++) samples[i] = data[2 * i] * 256 + data[2 * i + 1];
  if (!within(samples, maxval)) throw aboveLargest(maxval);
  return samples;
}

export function netpbmCutShort(): CnfzipError {
  return new CnfzipError('bad-input', 'Netpbm file cut short: it ends before its samples do');
}

function aboveLargest(maxval: number): CnfzipError {
  return damaged(`a sample is above its largest value, ${maxval}`);
}

/** Words of a file, between spaces and comments, which go from # to the end of the line. */
class Text {
  comments = 0;

  constructor(
    private readonly bytes: Uint8Array,
    /** The next byte. */
    public at: number,
  ) {}

  skipSpace(): void {
    while (isSpace(this.bytes[this.at]) || this.bytes[this.at] === HASH) this.skipOne();
  }

  /** A number of decimal digits, with no more behind it than is looked at; `most` at most. */
  number(most: number): number {
    this.skipSpace();
    const start = this.at;
    let value = 0;
    for (; isDigit(this.bytes[this.at]); this.at++) {
      value = 10 * value + this.bytes[this.at] - 0x30;
      if (value > most) throw damaged(`a number is above ${most}`);
    }
    if (this.at === start || !this.atEndOfWord()) throw this.unexpected('numbers');
    return value;
  }

  /** A digit that needs no space behind it. */
  bit(): number {
    this.skipSpace();
    const value = this.bytes[this.at] - 0x30;
    if (value !== 0 && value !== 1) throw this.unexpected('0 and 1');
    this.at++;
    return value;
  }

  /** What ends a header: one space, or a comment in its place. */
  endHeader(): void {
    if (this.at >= this.bytes.length) throw damaged('its header does not end');
    this.skipOne();
  }

  /** The rest of a line. */
  line(): string {
    const end = this.bytes.indexOf(LINE_FEED, this.at);
    if (end < 0) throw damaged('its header does not end');
    const line = Array.from(this.bytes.subarray(this.at, end), (byte) => String.fromCharCode(byte)).join('');
    this.at = end + 1;
    return line;
  }

  private atEndOfWord(): boolean {
    return this.at >= this.bytes.length || isSpace(this.bytes[this.at]) || this.bytes[this.at] === HASH;
  }

  private unexpected(expected: string): CnfzipError {
    if (this.at >= this.bytes.length) return damaged('its numbers end too early');
    return damaged(`it holds something else than ${expected} at byte ${this.at}`);
  }

  private skipOne(): void {
    if (this.bytes[this.at++] !== HASH) return;
    this.comments++;
    while (this.at < this.bytes.length && !isLineEnd(this.bytes[this.at])) this.at++;
    this.at = Math.min(this.at + 1, this.bytes.length);
  }
}

function readHeader(text: Text, kind: number): Header {
  const { channels, coding } = KINDS[kind as keyof typeof KINDS];
  const width = text.number(MOST);
  const height = text.number(MOST);
  const maxval = kind === 1 || kind === 4 ? 1 : text.number(MOST);
  text.endHeader();
  return { width, height, channels, maxval, coding };
}

function readPamHeader(text: Text): Header {
  const fields = new Map<string, string>();
  for (let line = text.line().trim(); line !== 'ENDHDR'; line = text.line().trim()) {
    if (line.startsWith('#')) text.comments++;
    if (line === '' || line.startsWith('#')) continue;
    const [, name, value] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? [];
    if (!PAM_FIELDS.includes(name)) throw damaged(`its header has a line that is not known: ${line.slice(0, 40)}`);
    // A tuple type may go on in further lines.
    const before = fields.get(name);
    if (before !== undefined && name !== TUPLE_TYPE) throw damaged(`its header names ${name} twice`);
    fields.set(name, before === undefined ? value : `${before} ${value}`);
  }
  const number = (name: string) => {
    const value = fields.get(name) ?? '';
    if (!/^\d{1,10}$/.test(value)) throw damaged(`its header names no ${name}`);
    return Number(value);
  };
  const channels = number('DEPTH') as Channels;
  if (channels < 1 || channels > 4)
    throw new CnfzipError('unsupported', `a PAM of ${channels} channels: 1 to 4 are supported`);
  const type = fields.get(TUPLE_TYPE);
  if (type !== undefined && type !== TUPLE_TYPES[channels] && type !== BILEVEL_TYPES[channels]) {
    throw new CnfzipError('unsupported', `a PAM of ${channels} channels and the tuple type ${type.slice(0, 40)}`);
  }
  return { width: number('WIDTH'), height: number('HEIGHT'), channels, maxval: number('MAXVAL'), coding: 'bytes' };
}

/** Fills `samples` with numbers, or digits that need no spaces between them, of which 1 is black. */
function readText(text: Text, samples: Uint8Array | Uint16Array, bits: boolean): void {
  const most = samples instanceof Uint16Array ? MAX_VALUE : 255;
  for (let i = 0; i < samples.length; i++) samples[i] = bits ? 1 - text.bit() : text.number(most);
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

function isLineEnd(byte: number): boolean {
  return byte === LINE_FEED || byte === 0x0d;
}

function damaged(what: string): CnfzipError {
  return damagedFile('Netpbm file', what);
}
