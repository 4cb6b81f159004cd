/** Files of which only a part is read, in Node: `openImage` of the codec, with files, models, threads and limits. */
import { CnfzipError } from '../codec/error.js';
import { type Image, metadataBytes } from '../codec/image.js';
import type { FileInfo } from '../codec/info.js';
import { type OpenedImage, openImage, type ScaledImage } from '../codec/open.js';
import { httpSource, type Source, streamSource } from '../codec/source.js';
import { maxTilePixels } from '../codec/tiles.js';
import { isWhole, type Region, shownSize, viewOf, wantedTiles } from '../codec/view.js';
import { type FileSource, openFileSource } from './io/files/source.js';
import { checkLimits, type Work, webpPixelsOf } from './memory.js';
import { modelForDecoding } from './models.js';
import { checkOptions, type OpenOptions, type ViewingOptions } from './options.js';
import { withThreads } from './threads.js';

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

/**
 * Opens a `.cnfz` file: reads its head and metadata, and later what each image needs.
 *
 * @param from its path, its address (a `URL` of http or https, from which ranges are fetched), its bytes, a Blob, a stream, or a source
 *   of one's own
 * @throws CnfzipError as `info`; `file`
 * @example
 * ```js
 * import { open } from 'cnfzip';
 *
 * const file = await open('photo.cnfz');
 * const thumbnail = await file.decode({ scale: 1 / 4 });
 * const part = await file.decode({ region: { x: 10, y: 20, width: 64, height: 48 } });
 * for await (const { scale, image } of file.finer()) console.log(scale, image.width, image.height);
 * await file.close();
 * console.log(thumbnail.width, part.samples.length, file.info.scales);
 * ```
 */
export async function open(
  from: string | URL | Uint8Array | Blob | AsyncIterable<Uint8Array> | Source,
  options: OpenOptions = {},
): Promise<OpenFile> {
  checkOptions(options, 'open');
  const source = await sourceOf(from);
  const close = async () => {
    if ('close' in source) await source.close();
  };
  try {
    return new Opened(await openImage(source), options, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function sourceOf(
  from: string | URL | Uint8Array | Blob | AsyncIterable<Uint8Array> | Source,
): Promise<FileSource | Uint8Array | Blob | Source> {
  if (typeof from === 'string') return openFileSource(from);
  if (from instanceof URL) return httpSource(from);
  if (from instanceof Uint8Array || from instanceof Blob) return from;
  if (typeof (from as AsyncIterable<Uint8Array> | null)?.[Symbol.asyncIterator] === 'function') {
    return streamSource(from as AsyncIterable<Uint8Array>);
  }
  if (typeof from === 'object' && from !== null) return from as Source;
  throw new CnfzipError('usage', 'a cnfz file is opened by its path, URL, bytes, Blob, stream or source');
}

class Opened implements OpenFile {
  constructor(
    private readonly file: OpenedImage,
    private readonly options: OpenOptions,
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
    const { info } = this;
    const view = viewOf(info, options);
    const [tiles] = info.layers.map((layer) => wantedTiles(layer, info, view).length).sort((a, b) => b - a);
    const inTiles = info.layers.every(({ method }) => method === 'tiles');
    // What has no tiles is decoded whole.
    const { width, height } = inTiles || isWhole(view, info) ? shownSize(view) : info;
    const { channels, maxval } = info;
    const size = { width, height, channels, maxval, metadataBytes: metadataBytes(this) };
    checkLimits(size, this.options, { operation: 'decode', models: [] });
    const hashes = info.layers.flatMap(({ modelHash }) => modelHash ?? []);
    const models = await Promise.all(hashes.map((hash) => modelForDecoding(hash, this.options.model)));
    const tilePixels = maxTilePixels(info.width, info.height);
    const work: Work = { operation: 'decode', models, webpPixels: webpPixelsOf(info), tilePixels };
    return withThreads(size, work, { ...this.options, ...options, tiles }, (coding) =>
      this.file.decode(models, { ...coding, scale: options.scale, region: options.region }),
    );
  }

  async *finer(options: ViewingOptions = {}): AsyncGenerator<ScaledImage, void, undefined> {
    const file = new Opened(this.file.keeping(), this.options, this.close);
    for (const scale of this.file.scalesTo(options)) {
      yield { scale, image: await file.decode({ ...options, scale }) };
    }
  }
}
