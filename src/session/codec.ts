/** What many images are coded with: models, threads, limits. */
import { BandEncoder, bandHeights, type Store, Survey } from '../../codec/bands.js';
import { encodeImage } from '../../codec/codec.js';
import { type CodingOptions, oncePerFlow } from '../../codec/coding.js';
import { checkBytes } from '../../codec/container/container.js';
import { CnfzipError } from '../../codec/error.js';
import type { Model } from '../../codec/flow/model.js';
import { checkHeld, checkImage, type Image, type ImageHeader, maxvalOf, metadataBytes } from '../../codec/image.js';
import { releaseWebpEncoder } from '../../codec/layers/webp.js';
import { once } from '../../codec/once.js';
import { openImage } from '../../codec/open.js';
import { maxTilePixels, tileCount } from '../../codec/tiles.js';
import { isWhole, shownSize, viewOf, wantedTiles } from '../../codec/view.js';
import { type BandedFile, BandRoom } from '../io/banded/image.js';
import { Threads } from '../threads/threads.js';
import type { Call, CallResult } from './call-worker.js';
import { copyOf, copyOfImage } from './copies.js';
import { collectGarbage } from './garbage.js';
import { checkLimits, type ImageSize, planWithin, type Work, webpPixelsOf } from './memory.js';
import { chooseModel, modelForDecoding, modelsForEncoding } from './models.js';
import { type Openable, Opened, type OpenFile, openSource, type View, type Viewer } from './open.js';
import { type CallOptions, type CodecOptions, checkOptions, type EncodeCallOptions, threadsOf } from './options.js';
import { codersIn, TileThreads } from './tile-threads.js';
import './webp.js';

/**
 * Codes many images: its model is read once, its threads wait for the next image. `encode`, `decode` and `open` of the library are
 * such a codec for one call each. Images may be coded beside each other; the results do not depend on it. After an error it codes on.
 *
 * @example
 * ```js
 * import { Codec, readImage } from 'cnfzip';
 *
 * const codec = new Codec({ model: 'fast', threads: 2, maxPixels: 50e6 });
 * try {
 *   const files = await Promise.all(['photo.png', 'photo.png'].map(async (path) => codec.encode(await readImage(path))));
 *   for (const bytes of files) console.log((await codec.decode(bytes)).width);
 * } finally {
 *   await codec.close();
 * }
 * ```
 */
export class Codec {
  readonly #options: CodecOptions;
  readonly #tiles: TileThreads;
  /** For calls with a signal. */
  readonly #calls: Threads<Call, CallResult>;
  #coderOf = oncePerFlow();
  readonly #choose = once(chooseModel);
  #underWay = 0;
  readonly #closing = new AbortController();

  /** @throws CnfzipError `usage` (an option) */
  constructor(options: CodecOptions = {}) {
    checkOptions(options, 'codec');
    const threads = threadsOf(options);
    this.#options = { ...options, threads };
    this.#tiles = new TileThreads(threads);
    this.#calls = new Threads(new URL('./call-worker.js', import.meta.url), threads, { workerData: this.#options });
  }

  /**
   * Compresses an image without loss.
   *
   * @returns the bytes of a `.cnfz` file
   * @throws CnfzipError as `encode` of the library; `usage` once the codec is closed
   */
  async encode(image: Image, options: EncodeCallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    checkOptions(options, 'encoding');
    const { signal, onProgress, ...rest } = options;
    return this.#call(async () => {
      // What takes time, such as looking at all samples, is left to a thread that the signal can end.
      if (signal) {
        const copy = await copyOfImage(image, signal);
        const call: Call = { kind: 'encode', image: copy, options: rest };
        return this.#apart(call, copy.samples, options) as Promise<Uint8Array<ArrayBuffer>>;
      }
      checkImage(image);
      const size = { ...image, maxval: maxvalOf(image), metadataBytes: metadataBytes(image) };
      const models = await modelsForEncoding(image.channels, await this.#chosen());
      const tiles = tileCount(size.width, size.height);
      return this.#run(size, { operation: 'encode', models }, tiles, { onProgress }, (coding) =>
        encodeImage(image, models, { ...coding, ...rest }),
      );
    });
  }

  /**
   * Decodes a `.cnfz` file: the exact samples, palette and metadata that were encoded, or an error.
   *
   * @throws CnfzipError as `decode` of the library; `usage` once the codec is closed
   */
  async decode(bytes: Uint8Array, options: CallOptions = {}): Promise<Image> {
    checkOptions(options, 'call');
    checkBytes(bytes);
    const { signal, onProgress } = options;
    return this.#call(async () => {
      if (signal) {
        const copy = await copyOf(bytes, signal);
        return this.#apart({ kind: 'decode', bytes: copy }, copy, options) as Promise<Image>;
      }
      const file = await openImage(bytes, (size) =>
        checkLimits(size, this.#options, { operation: 'decode', models: [] }),
      );
      return this.#view(file, { onProgress });
    });
  }

  /**
   * Compresses an image whose file is read by bands, twice: once for what must be known of all of it.
   *
   * @param openFile opens it from its beginning
   * @param store where what is coded waits
   * @param options.keep what of the image is kept
   * @param options.onBand is told of the samples of each band that is coded
   * @param options.asWhole the file is to be the one that `encode` gives
   * @returns nothing if only `encode` can give that one; the bytes of a `.cnfz` file, piece by piece, not decoded and compared; and what was encoded
   * @internal
   */
  async encodeBands(
    openFile: () => Promise<BandedFile>,
    store: Store,
    { keep, onBand, ...options }: BandOptions,
  ): Promise<EncodedBands | undefined> {
    return this.#call(async () => {
      const first = await openFile();
      const { width, height, channels, maxval } = first.header;
      const heights = bandHeights(width, height);
      checkHeld(width, heights[0]);
      const survey = new Survey(first.header);
      const room = new BandRoom();
      for await (const band of first.bands(heights, room)) survey.add(band);
      if (options.asWhole && survey.mayBeWhole) return undefined;
      const { metadata, lost } = first.found();
      const image = keep({ ...first.header, metadata });
      const models = await modelsForEncoding(channels, await this.#chosen());
      const band = { width, height: heights[0], channels, maxval, metadataBytes: metadataBytes(image) };
      const work: Work = { operation: 'encode', models, tilePixels: maxTilePixels(width, height) };
      return this.#run(band, work, tileCount(width, heights[0]), options, async (coding) => {
        const encoder = new BandEncoder(image, models, survey.alphabets(), store, { ...options, ...coding });
        const second = await openFile();
        for await (const samples of second.bands(heights, room)) {
          onBand(samples);
          await encoder.add(samples);
          collectGarbage();
        }
        if (options.asWhole && encoder.mayBeWhole) return undefined;
        // What follows, such as decoding the result, needs the memory, and threads less of it than for encoding.
        releaseWebpEncoder();
        if (this.#underWay === 1) await this.#rest();
        collectGarbage();
        return { pieces: encoder.file(), image, lost };
      });
    });
  }

  /**
   * Opens a `.cnfz` file: reads its head and metadata, and later what each image needs.
   *
   * @param from as for `open` of the library
   * @throws CnfzipError as `open` of the library; `usage` once the codec is closed
   */
  async open(from: Openable): Promise<OpenFile> {
    return this.#call(() => openWith(from, this.#options, () => this.#viewer(async () => {})));
  }

  /**
   * Ends all threads. What is under way is rejected, at its next tile at the latest; later calls are, too.
   *
   * May be called again.
   */
  async close(): Promise<void> {
    this.#closing.abort(new CnfzipError('usage', 'the codec is closed'));
    await this.#rest();
  }

  /** @internal Of a file for which this codec is, and with which it ends. */
  viewer(): Viewer {
    return this.#viewer(() => this.close());
  }

  #viewer(end: Viewer['end']): Viewer {
    return { view: (file, options) => this.#call(() => this.#view(file, options)), end };
  }

  async #view(...[file, { scale, region, allocate, ...options }]: Parameters<View>): Promise<Image> {
    const { info } = file;
    const view = viewOf(info, { scale, region });
    const [tiles] = info.layers.map((layer) => wantedTiles(layer, info, view).length).sort((a, b) => b - a);
    const inTiles = info.layers.every(({ method }) => method === 'tiles');
    // What has no tiles is decoded whole.
    const { width, height } = inTiles || isWhole(view, info) ? shownSize(view) : info;
    const { channels, maxval } = info;
    const size = { width, height, channels, maxval, metadataBytes: metadataBytes(file) };
    const hashes = info.layers.flatMap(({ modelHash }) => modelHash ?? []);
    const chosen = this.#options.model === undefined ? undefined : await this.#chosen();
    const models = await Promise.all(hashes.map((hash) => modelForDecoding(hash, chosen)));
    const tilePixels = maxTilePixels(info.width, info.height);
    const work: Work = { operation: 'decode', models, webpPixels: webpPixelsOf(info), tilePixels };
    return this.#run(size, work, tiles, options, (coding) =>
      file.decode(models, { ...coding, scale, region, allocate }),
    );
  }

  /** The options' choice of a model, whose file is read once. */
  #chosen(): Promise<Model | string> {
    return this.#choose(this.#options.model);
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    this.#closing.signal.throwIfAborted();
    this.#underWay++;
    try {
      return await work();
    } finally {
      this.#underWay--;
      // What is kept for the next image counts for no image's limit.
      if (this.#options.maxMemory !== undefined && this.#underWay === 0) await this.#rest();
    }
  }

  /** Gives back what is kept for the next image. */
  async #rest(): Promise<void> {
    this.#coderOf = oncePerFlow();
    const reason = this.#closing.signal.reason;
    await Promise.all([this.#tiles.close(reason), this.#calls.close(reason)]);
  }

  /** Makes a call in a thread of its own. */
  #apart(call: Call, { buffer }: Uint8Array | Uint16Array, options: CallOptions): Promise<CallResult> {
    this.#closing.signal.throwIfAborted();
    return this.#calls.run(call, { ...options, transfer: [buffer as ArrayBuffer] });
  }

  /**
   * Runs work on an image within the limits, and on as many threads as are worth while.
   *
   * @param tiles that there are to code
   * @param options.signal ends the threads at once; with it no tile of a flow is coded in this one
   * @throws CnfzipError `unsupported` if the image is beyond the limits; the signal's reason
   */
  async #run<T>(
    size: ImageSize,
    work: Work,
    tiles: number,
    { onProgress, signal: given }: CallOptions,
    run: (coding: CodingOptions) => Promise<T>,
  ): Promise<T> {
    const { maxMemory, threads: most } = this.#options;
    checkLimits(size, this.#options, work);
    const { threads, wholeWebp } = planWithin(maxMemory, size, work, Math.min(most!, tiles));
    const signal = AbortSignal.any([this.#closing.signal, ...(given ? [given] : [])]);
    // One tile is coded here, unless others wait meanwhile.
    const here = !given && (most === 1 || (threads === 1 && this.#underWay === 1));
    const coderOf = here ? this.#coderOf : codersIn(this.#tiles, threads, given);
    signal.throwIfAborted();
    const done = new AbortController();
    try {
      return await Promise.race([run({ onProgress, signal, wholeWebp, coderOf }), aborted(signal, done.signal)]);
    } finally {
      done.abort();
    }
  }
}

interface BandOptions extends Omit<EncodeCallOptions, 'verify' | 'signal'> {
  keep(image: ImageHeader): ImageHeader;
  onBand(samples: Image['samples']): void;
  readonly asWhole: boolean;
}

/** What `encodeBands` gives. */
export interface EncodedBands {
  readonly pieces: AsyncGenerator<Uint8Array, void, undefined>;
  readonly image: ImageHeader;
  /** What of the file is not in the image, a line each. */
  readonly lost: readonly string[];
}

/** Makes a call with a codec for it alone. */
export async function withCodec<T>(options: CodecOptions, call: (codec: Codec) => Promise<T>): Promise<T> {
  const codec = new Codec(options);
  try {
    return await call(codec);
  } finally {
    await codec.close();
  }
}

/**
 * Opens a file.
 *
 * @param viewer of each call that decodes something of it
 */
export async function openWith(from: Openable, limits: CodecOptions, viewer: () => Viewer): Promise<OpenFile> {
  const { source, close } = await openSource(from);
  try {
    // Limits are those of what is decoded of it, but metadata are there from now on.
    const admit = ({ metadataBytes }: { metadataBytes: number }) =>
      checkLimits({ width: 1, height: 1, channels: 1, maxval: 1, metadataBytes }, limits, {
        operation: 'decode',
        models: [],
      });
    return new Opened(await openImage(source, admit), viewer, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Is rejected when the signal comes; no longer listens after `until`. */
function aborted(signal: AbortSignal, until: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { signal: until });
  });
}
