/** Files of which only a part is read, in Node. */
import type { CodingOptions } from '../../codec/coding.js';
import { crc32 } from '../../codec/container/crc32.js';
import { CnfzipError } from '../../codec/error.js';
import type { Image } from '../../codec/image.js';
import type { FileInfo } from '../../codec/info.js';
import type { OpenedImage, ScaledImage } from '../../codec/open.js';
import { httpSource, type Source, streamSource } from '../../codec/source.js';
import type { Region } from '../../codec/view.js';
import { BandRoom } from '../io/banded/image.js';
import { fileError, kindOf } from '../io/files/errors.js';
import { openFileSource } from '../io/files/source.js';
import { collectGarbage } from './garbage.js';
import { type CallOptions, checkOptions, type ViewingOptions } from './options.js';

/** A `.cnfz` file that is open. */
export interface OpenFile {
  /** As `info` gives it; only the checksums of head and metadata were looked at. */
  readonly info: FileInfo;
  readonly palette: Image['palette'];
  readonly metadata: Image['metadata'];
  /**
   * Decodes the image, a smaller one, a region, or a region of a smaller one, and reads no more of the file than that needs (see
   * `FileInfo.scales`). A smaller image is exactly those pixels whose rows and columns are multiples of 1/scale: nothing is averaged.
   * What WebP or deflate have coded is decoded as a whole for any scale: a tile, or a layer that has no tiles.
   *
   * @throws CnfzipError as `decode`; `usage` if there is no such scale or region; what the source throws
   */
  decode(options?: ViewingOptions): Promise<Image>;
  /**
   * Decodes the image in bands of whole rows, from the top, in memory for one band: each is an image of the file's width, without
   * metadata, whose samples are void when the next is asked for. What has no tiles comes in one. Where the file is damaged bands may come before the error.
   *
   * @throws CnfzipError as `decode`
   */
  bands(options?: CallOptions): AsyncGenerator<Image, void, undefined>;
  /**
   * Ever finer images up to `scale`, each as soon as its part of the file is there. Each is decoded from the beginning, which in all
   * takes a third longer than the finest alone. Where the file is cut short or damaged the images before that still come, then
   * the error.
   */
  finer(options?: ViewingOptions): AsyncGenerator<ScaledImage, void, undefined>;
  /**
   * The finest scale for which all that is needed is there and undamaged, as its checksums say; nothing if there is none. Reads that
   * much.
   */
  available(region?: Region): Promise<number | undefined>;
  /** Closes a file that was opened by its path. */
  close(): Promise<void>;
}

/** What can be opened. */
export type Openable = string | URL | Uint8Array | Blob | AsyncIterable<Uint8Array> | Source;

/** @throws CnfzipError `usage` if it is nothing that can be opened; `file` */
export async function openSource(
  from: Openable,
): Promise<{ source: Uint8Array | Blob | Source; close: () => Promise<void> }> {
  if (typeof from === 'string' || (from instanceof URL && from.protocol === 'file:')) {
    const source = await openFileSource(from);
    return { source, close: source.close };
  }
  return { source: toSource(from), close: async () => {} };
}

function toSource(from: Exclude<Openable, string>): Uint8Array | Blob | Source {
  if (from instanceof URL) return httpSource(from);
  if (from instanceof Uint8Array || from instanceof Blob) return from;
  if (typeof (from as AsyncIterable<Uint8Array> | null)?.[Symbol.asyncIterator] === 'function') {
    return streamSource(fromFile(from as AsyncIterable<Uint8Array>));
  }
  if (typeof from === 'object' && from !== null) return from as Source;
  throw new CnfzipError('usage', 'a cnfz file is opened by its path, URL, bytes, Blob, stream or source');
}

/** A stream of a file may fail as that does. */
async function* fromFile(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* stream;
  } catch (error) {
    throw kindOf(error) === 'file' ? fileError(error) : error;
  }
}

/** Decodes what is wanted of a file. */
export type View = (file: OpenedImage, options: ViewingOptions & Pick<CodingOptions, 'allocate'>) => Promise<Image>;

/** What decodes for one call, be it many images, and ends what it has started. */
export interface Viewer {
  readonly view: View;
  end(): Promise<void>;
}

export class Opened implements OpenFile {
  constructor(
    private readonly file: OpenedImage,
    private readonly viewer: () => Viewer,
    readonly close: () => Promise<void>,
  ) {}

  get info(): FileInfo {
    return this.file.info;
  }

  get palette(): Image['palette'] {
    return this.file.palette;
  }

  get metadata(): Image['metadata'] {
    return this.file.metadata;
  }

  available(region?: Region): Promise<number | undefined> {
    return this.file.available(region);
  }

  async decode(options: ViewingOptions = {}): Promise<Image> {
    checkOptions(options, 'view');
    const { view, end } = this.viewer();
    return view(this.file, options).finally(end);
  }

  async *bands(options: CallOptions = {}): AsyncGenerator<Image, void, undefined> {
    checkOptions(options, 'call');
    const { signal, onProgress } = options;
    const regions = this.file.bands();
    const room = new BandRoom();
    // Two layers need memory each.
    const allocate =
      this.info.layers.length > 1
        ? undefined
        : (count: number, maxval: number) =>
            maxval > 255 ? new Uint16Array(room.take(2 * count).buffer, 0, count) : room.take(count);
    let checksum = 0;
    const { view, end } = this.viewer();
    try {
      for (const [i, region] of regions.entries()) {
        const tell = onProgress && ((part: number) => onProgress((i + part) / regions.length));
        const { metadata, ...band } = await view(this.file, { region, signal, onProgress: tell, allocate });
        checksum = crc32(band.samples, checksum);
        yield band;
        collectGarbage();
      }
    } finally {
      await end();
    }
    this.file.checkBands(checksum);
  }

  async *finer(options: ViewingOptions = {}): AsyncGenerator<ScaledImage, void, undefined> {
    checkOptions(options, 'view');
    const file = this.file.keeping();
    const { view, end } = this.viewer();
    try {
      for (const scale of this.file.scalesTo(options)) yield { scale, image: await view(file, { ...options, scale }) };
    } finally {
      await end();
    }
  }
}
