/** Netpbm files by bands of rows, those whose samples are bytes. */
import type { Source } from '../../../codec/source.js';
import type { Limits } from '../../session/memory.js';
import { expand } from '../expand.js';
import { BLOCK, Sequence } from '../files/sequence.js';
import {
  NetpbmRest,
  netpbmCutShort,
  netpbmFromBytes,
  netpbmHeader,
  netpbmSamples,
  readNetpbmStart,
} from '../netpbm.js';
import { type Band, type BandedFile, type BandedImage, BandRoom } from './image.js';

/** Bytes in which a header must end for its image to be read by bands. */
const START = 1 << 16;

/** The pieces of a Netpbm file: joined they are what `encodeNetpbm` gives. */
export async function* netpbmPieces({ bands, ...image }: BandedImage): AsyncGenerator<Uint8Array, void, undefined> {
  let begun = false;
  for await (const band of bands) {
    const {
      channels,
      samples,
      maxval = image.maxval,
    } = expand({ ...image, height: rowsOf(image, band), samples: band });
    if (!begun) yield netpbmHeader({ ...image, channels, maxval });
    begun = true;
    yield netpbmSamples(samples);
  }
}

/**
 * Opens a Netpbm file.
 *
 * @returns nothing if its samples are text or bits
 * @throws CnfzipError as `decodeNetpbm`
 */
export async function openNetpbm(source: Source, limits: Limits): Promise<BandedFile | undefined> {
  const start = readNetpbmStart(await source.read(0, START), limits);
  if (!start) return undefined;
  const { header, at, comments } = start;
  const rowBytes = header.width * header.channels * (header.maxval > 255 ? 2 : 1);
  if (source.size !== undefined && source.size < at + header.height * rowBytes) throw netpbmCutShort();
  let lost: readonly string[] = [];
  async function* bands(rows: Iterable<number>, room = new BandRoom()): AsyncGenerator<Band, void, undefined> {
    const input = new Sequence(source, at);
    for (const height of rows) {
      const data = room.take(height * rowBytes);
      if ((await input.fill(data)) < data.length) throw netpbmCutShort();
      yield netpbmFromBytes(data, header.maxval);
    }
    const rest = new NetpbmRest(comments);
    for (let more = await input.some(BLOCK); more.length > 0; more = await input.some(BLOCK)) rest.add(more);
    lost = rest.lost();
  }
  return { header, bands, found: () => ({ metadata: undefined, lost }) };
}

/** Rows of a band. */
export function rowsOf({ width, channels }: Pick<BandedImage, 'width' | 'channels'>, { length }: Band): number {
  return length / (width * channels);
}
