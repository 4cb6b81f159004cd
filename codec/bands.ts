/**
 * Encodes an image that comes in bands of whole rows, each of one row of tiles, so that one band is in memory: what is decided for all of
 * an image elsewhere (WebP for a whole layer, alpha with the colour) is decided for each tile, and alphabets by a first pass. Images of which
 * a first pass and the tiles tell that nothing is decided for all of them become the same file as by `encodeImage`. As a file has the
 * coarse stages of all tiles first, what is coded waits in a store.
 */

import { Coding, type CodingOptions, checkChoices, type EncodingOptions } from './coding.js';
import { writeAttachments } from './container/attachments.js';
import { concatenate } from './container/bytes.js';
import { seal } from './container/container.js';
import { type ContentsOf, type LayerOf, partsOf, type TileOf } from './container/contents.js';
import { crc32 } from './container/crc32.js';
import { isSmall, writeHead } from './container/head.js';
import { USUAL_LEARNING } from './flow/learning.js';
import type { Flow, Model } from './flow/model.js';
import type { EncodedTile } from './flow/tile-codec.js';
import type { Image, ImageHeader } from './image.js';
import { hasAlpha, type Layer, layerChannels, splitLayers } from './layer.js';
import { alphabetOfValues, indexed, noteValues, writeAlphabet } from './layers/alphabet.js';
import {
  type ExpectedBytes,
  encodeInTiles,
  favoursWebp,
  flowId,
  isTiny,
  mayBeGraphic,
  mayHaveAlphabet,
  NO_BYTES,
} from './layers/encode-layer.js';
import { RepeatCount } from './layers/repetition.js';
import { stageEnds } from './layers/stages.js';
import type { Source } from './source.js';
import { tileLayout } from './tiles.js';

type Samples = Image['samples'];

/** Rows of each band of an image. */
export function bandHeights(width: number, height: number): number[] {
  return tileLayout(width, height).flatMap(({ x, height }) => (x === 0 ? [height] : []));
}

/** Where coded tiles wait: bytes that are added at the end, and can be read at any place. */
export interface Store extends Source {
  append(bytes: Uint8Array): Promise<void>;
}

/** The values that occur in each of an image's layers, where they are few. */
export type Alphabets = readonly (Uint16Array | undefined)[];

/** The first pass. */
export class Survey {
  readonly #occurs: Uint8Array[];
  readonly #repeats: RepeatCount[];

  constructor(private readonly image: ImageHeader) {
    const layers = layerChannels(image.channels, hasAlpha(image.channels));
    this.#occurs = layers.map(() => new Uint8Array(image.maxval + 1));
    this.#repeats = layers.map(() => new RepeatCount());
  }

  add(samples: Samples): void {
    for (const [i, band] of layersOf(this.image, samples).entries()) {
      noteValues(band.samples, this.#occurs[i]);
      this.#repeats[i].add(band);
    }
  }

  /**
   * Whether `encodeImage` may decide something for all of the image: then it has to do so. Of other images `BandEncoder` tells later.
   */
  get mayBeWhole(): boolean {
    const { width, height, channels, maxval, palette } = this.image;
    const [band] = bandHeights(width, height);
    return (
      palette !== undefined ||
      hasAlpha(channels) ||
      maxval > 255 ||
      isTiny({ width, height: band }) ||
      this.#repeats.some(({ part }) => mayBeGraphic(part))
    );
  }

  alphabets(): Alphabets {
    const channels = layerChannels(this.image.channels, hasAlpha(this.image.channels));
    return this.#occurs.map((occurs, i) => {
      const worthwhile = mayHaveAlphabet({ ...this.image, channels: channels[i] }, () => this.#repeats[i].part);
      return worthwhile ? alphabetOfValues(occurs) : undefined;
    });
  }
}

/** A tile in the store. */
interface Stored {
  readonly offset: number;
  readonly length: number;
  /** As of `EncodedTile`; of WebP none. */
  readonly ends?: readonly number[];
}

/** A part of the file to be: its bytes, or where they are stored. */
interface Part {
  readonly length: number;
  readonly bytes?: Uint8Array;
  readonly offset: number;
}

interface BandedLayer {
  readonly flow?: Flow;
  readonly alphabet?: Uint16Array;
  readonly tiles: Stored[];
  expected: ExpectedBytes;
}

/** The second pass. */
export class BandEncoder {
  readonly #layers: BandedLayer[];
  readonly #coding: Coding;
  #stored = 0;
  #appended: Promise<void> = Promise.resolve();
  #checksum = 0;

  /**
   * @param models as for `encodeImage`
   * @param options.learning as for `encodeImage`
   * @throws CnfzipError `usage` (an option)
   */
  constructor(
    private readonly image: ImageHeader,
    models: readonly Model[],
    alphabets: Alphabets,
    private readonly store: Store,
    { learning = USUAL_LEARNING, ...options }: CodingOptions & Pick<EncodingOptions, 'learning'>,
  ) {
    checkChoices({ learning, effort: options.effort });
    const flowFor = (channels: number): Flow | undefined => {
      const model = image.palette ? undefined : models.find(({ definition }) => definition.channels === channels);
      return model && { model, learning };
    };
    this.#layers = layerChannels(image.channels, hasAlpha(image.channels)).map((channels, i) => {
      return { flow: flowFor(channels), alphabet: alphabets[i], tiles: [], expected: NO_BYTES };
    });
    this.#coding = new Coding(options, this.#layers.length * image.width * image.height);
  }

  /**
   * Codes the next band.
   *
   * @throws CnfzipError `unsupported` if a tile of it can be coded neither by a flow nor by WebP; what the store throws
   */
  async add(samples: Samples): Promise<void> {
    this.#checksum = crc32(samples, this.#checksum);
    for (const [i, original] of layersOf(this.image, samples).entries()) {
      const layer = this.#layers[i];
      const band = indexed(original, layer.alphabet);
      const above = layer.tiles.length;
      layer.expected = await encodeInTiles(band, layer.flow, this.#coding, layer.expected, async (tile, place) => {
        layer.tiles[above + place] = await this.#keep(tile);
      });
    }
  }

  /** Whether `encodeImage` would try WebP on a layer as a whole: known after all bands, as the first may be empty and the rest a photograph. */
  get mayBeWhole(): boolean {
    return this.#layers.some(({ expected }) => favoursWebp(this.image, expected));
  }

  /** Stores a tile behind all that came before it; several may come at once. */
  async #keep(tile: EncodedTile | Uint8Array): Promise<Stored> {
    const payload = tile instanceof Uint8Array ? tile : tile.payload;
    const offset = this.#stored;
    this.#stored += payload.length;
    this.#appended = this.#appended.then(() => this.store.append(payload));
    await this.#appended;
    return { offset, length: payload.length, ends: tile instanceof Uint8Array ? undefined : tile.ends };
  }

  /** The file, piece by piece, after all bands. */
  async *file(): AsyncGenerator<Uint8Array, void, undefined> {
    const { width, height, channels, maxval, palette } = this.image;
    const given = (bytes: Uint8Array | undefined): Part | undefined =>
      bytes && { bytes, length: bytes.length, offset: 0 };
    const contents: ContentsOf<Part> = {
      width,
      height,
      channels,
      maxval,
      indexed: palette !== undefined,
      attachments: given(writeAttachments(this.image)),
      layers: this.#layers.map(({ flow, alphabet, tiles }): LayerOf<Part> => {
        const coded = codedTiles(tiles);
        const byFlow = coded.some(({ method }) => method === 'flow');
        const part = given(alphabet && writeAlphabet(alphabet));
        return { method: 'tiles', flow: byFlow ? flowId(flow!) : undefined, alphabet: part, tiles: coded };
      }),
    };
    const parts = [...partsOf(contents)];
    const bytesOf = async ({ bytes, offset, length }: Part) => bytes ?? (await this.store.read(offset, length));
    const checksums = new Map<Part, number>();
    for (const part of parts) checksums.set(part, crc32(await bytesOf(part)));
    const head = writeHead(
      contents,
      () => this.#checksum,
      (part) => checksums.get(part)!,
    );
    if (isSmall(parts)) {
      yield seal(concatenate([head, ...(await Promise.all(parts.map(bytesOf)))]));
      return;
    }
    yield seal(head);
    for (const part of parts) yield bytesOf(part);
  }
}

function codedTiles(tiles: readonly Stored[]): TileOf<Part>[] {
  const byFlow = tiles.flatMap(({ ends }) => (ends ? [{ ends }] : []));
  const stages = stageEnds(byFlow)[Symbol.iterator]();
  return tiles.map(({ offset, length, ends }): TileOf<Part> => {
    if (!ends) return { method: 'webp', stages: [{ offset, length }] };
    const cuts: number[] = stages.next().value!;
    const stage = (end: number, i: number) => ({
      offset: offset + (cuts[i - 1] ?? 0),
      length: end - (cuts[i - 1] ?? 0),
    });
    return { method: 'flow', stages: cuts.map(stage) };
  });
}

/** The layers of a band. */
function layersOf(image: ImageHeader, samples: Samples): Layer[] {
  const { width, channels, maxval } = image;
  return splitLayers({ width, height: samples.length / (width * channels), channels, maxval, samples });
}
