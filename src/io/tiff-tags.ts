/** What the tags of a TIFF file's first page say (TIFF 6.0, and BigTIFF), and which of them an image has a place for. */
import { CnfzipError } from '../../codec/error.js';
import type { Metadata } from '../../codec/image.js';
import type { Source } from '../../codec/source.js';
import { type Remarks, unusedFrom } from './decoded.js';
import { physicalSize } from './physical-size.js';
import type { TiffDirectory, TiffValue } from './tiff-directory.js';

/** Numbers of tags. */
export const TAG = {
  subfileType: 254,
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  stripOffsets: 273,
  orientation: 274,
  samplesPerPixel: 277,
  stripRows: 278,
  stripBytes: 279,
  resolutionX: 282,
  resolutionY: 283,
  planes: 284,
  resolutionUnit: 296,
  colourMap: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileBytes: 325,
  extraSamples: 338,
  sampleFormat: 339,
} as const;

/** Tags of how samples are stored, statistics of them, and what libvips reads: colour profile and XMP. */
export const HANDLED: ReadonlySet<number> = new Set([
  ...Object.values(TAG),
  ...[255, 263, 266, 280, 281, 292, 293, 297, 317, 340, 341, 347, 700, 34675],
  // Of JPEG and YCbCr, which are told of anyway.
  ...[512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532],
]);

/** Tags of text for which PNG has keywords (11.3.3.1). */
const TEXTS = new Map([
  [270, 'Description'],
  [305, 'Software'],
  [306, 'Creation Time'],
  [315, 'Author'],
  [33432, 'Copyright'],
]);

const NAMES: Record<number, string> = {
  301: 'transfer function',
  318: 'white point',
  319: 'primaries',
  330: 'sub-images',
  33723: 'IPTC',
  34377: 'Photoshop data',
  34665: 'EXIF',
  34853: 'GPS',
};

/** Compressions. */
export const NONE = 1;
const JPEG = 7;
/** None, CCITT, LZW, deflate, PackBits, LZMA, Zstandard. */
export const LOSSLESS: readonly number[] = [1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000];

const [MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, YCBCR] = [0, 1, 2, 3, 6];
const COLOURS: Record<number, string | undefined> = { 4: 'mask', 5: 'cmyk', 8: 'lab', 9: 'icc lab' };
const [UNSIGNED, VOID] = [1, 4];
const ASSOCIATED_ALPHA = 1;

const METRES_PER_UNIT: Record<number, number | undefined> = { 2: 0.0254, 3: 0.01 };

/**
 * What of a TIFF is not in its samples as libvips reads them.
 *
 * @param source the file
 * @throws CnfzipError `unsupported` if its samples would not be what they mean in the file; `bad-input`
 */
export async function inspectTiff(directory: TiffDirectory, source: Source): Promise<Remarks> {
  const { tags, end, number, numbers } = directory;
  const photometric = await number(TAG.photometric, MIN_IS_BLACK);
  const refuse = (what: string) => new CnfzipError('unsupported', `a TIFF ${what}`);
  if (![MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, YCBCR].includes(photometric)) {
    throw refuse(
      `of colours that are neither gray nor RGB (${COLOURS[photometric] ?? `photometric interpretation ${photometric}`})`,
    );
  }
  if ((await numbers(TAG.sampleFormat, [])).some((format) => format !== UNSIGNED && format !== VOID)) {
    throw refuse('whose samples are signed or not integers');
  }
  const bits = await numbers(TAG.bits, [1]);
  const channels = await number(TAG.samplesPerPixel, 1);
  const known = photometric === PALETTE ? [1, 2, 4, 8] : channels === 1 ? [1, 2, 4, 8, 16] : [8, 16];
  if (bits.some((each) => each !== bits[0]) || !known.includes(bits[0])) throw refuse(`of ${bits.join(', ')} bits`);
  const extra = channels - (photometric === RGB || photometric === YCBCR ? 3 : 1);
  const extras = await numbers(TAG.extraSamples, []);
  if (extra > 1) throw refuse(`with ${extra} channels beside its colours`);
  if (photometric === YCBCR && (await number(TAG.compression, NONE)) !== JPEG) throw refuse('of YCbCr samples');
  // libvips takes these for the opposite.
  if (photometric === MIN_IS_WHITE && (extra > 0 || bits[0] === 2 || bits[0] === 4)) {
    throw refuse('whose 0 is white, with alpha or of 2 or 4 bits');
  }
  if (extra > 0 && extras[0] === ASSOCIATED_ALPHA) throw refuse('whose colours are multiplied by alpha');

  const lost: string[] = [];
  if (extra > 0 && !extras[0]) lost.push('that its last channel has no meaning is not kept: it is taken for alpha');
  if (photometric === YCBCR || !LOSSLESS.includes(await number(TAG.compression, NONE))) {
    lost.push('only the RGB or gray samples are kept that its own (YCbCr, or compressed with loss) decode to');
  }
  if ((await number(TAG.orientation, 1)) !== 1) lost.push('its orientation is not kept');
  if (photometric === PALETTE && !isShallow(await numbers(TAG.colourMap, []))) {
    lost.push('of the 16 bits of its palette only the upper 8 are kept');
  }
  const [across, down] = [await numbers(TAG.resolutionX, []), await numbers(TAG.resolutionY, [])];
  const size = resolution(across, down, await number(TAG.resolutionUnit, 2));
  if (!size.exact) lost.push('its resolution is not kept exactly');
  const without = [...tags.keys()].filter((tag) => !HANDLED.has(tag));
  const texts: Metadata[] = [];
  for (const [tag, keyword] of TEXTS) {
    const text = await textOf(tags.get(tag));
    if (!text) continue;
    without.splice(without.indexOf(tag), 1);
    texts.push({
      type: 'tEXt',
      place: 'start',
      data: Uint8Array.from(Buffer.concat([Buffer.from(`${keyword}\0`), text])),
    });
  }
  if ((await number(TAG.subfileType, 0)) !== 0) without.push(TAG.subfileType);
  if (without.length > 0) lost.push(`tags that are not kept: ${without.map((tag) => NAMES[tag] ?? tag).join(', ')}`);
  lost.push(...(await unusedFrom(source, end, 'behind the end of the TIFF')));
  return { lost, metadata: [...size.metadata, ...texts] };
}

/** The text of a value, without the zero at its end; nothing if it is not one text. */
async function textOf(value: TiffValue | undefined): Promise<Uint8Array | undefined> {
  if (!value?.isText) return undefined;
  const bytes = await value.bytes();
  const end = bytes.indexOf(0);
  const rest = end < 0 ? [] : bytes.subarray(end);
  return rest.some((byte) => byte !== 0) ? undefined : bytes.subarray(0, end < 0 ? undefined : end);
}

/**
 * Whether colours come from 8 bits, as v * 257, v * 256 or, in old files, v: libvips takes the upper 8, or in the last case all,
 * which is v. (Divided by 257 and rounded, as ImageMagick has it, v * 256 would come to less than v.)
 */
function isShallow(colours: readonly number[]): boolean {
  return (
    [257, 256].some((unit) => colours.every((value) => value % unit === 0)) || colours.every((value) => value < 256)
  );
}
/** As a PNG has it: exactly where it is a whole number of pixels in its own unit or per metre. */
function resolution(
  [x]: readonly number[],
  [y]: readonly number[],
  unit: number,
): { metadata: Metadata[]; exact: boolean } {
  const metres = METRES_PER_UNIT[unit];
  // Without a unit it says how long a pixel's sides are to each other.
  if (!metres || !(x > 0 && y > 0)) return { metadata: [], exact: x === y };
  const exact = [x, y].every((value) => Number.isInteger(value) || isNearInteger(value / metres));
  const metadata = physicalSize(x / metres, y / metres);
  return { metadata, exact: exact && metadata.length > 0 };
}

function isNearInteger(value: number): boolean {
  return Math.abs(value - Math.round(value)) < 1e-3;
}
