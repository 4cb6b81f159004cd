/**
 * The encoder's choice: each layer is coded by whatever makes it the smallest, among the flow, WebP and plain deflate; where
 * an image has photographs and graphics side by side, each tile. Trying costs time, so a fast probe and the share of pixels
 * that repeat a neighbour decide what is tried in earnest.
 */

import type { Coding, Effort, TileCoder } from '../coding.js';
import type { CodedLayer, CodedTile } from '../container/container.js';
import type { FlowId } from '../container/contents.js';
import { layerBytes } from '../container/head.js';
import { CnfzipError } from '../error.js';
import type { Flow } from '../flow/model.js';
import type { EncodedTile } from '../flow/tile-codec.js';
import { KERNEL_VERSION } from '../kernels/kernels.js';
import type { Layer } from '../layer.js';
import { extractTile, maxTilePixels, type Tile, tileLayout } from '../tiles.js';
import { findAlphabet, indexed, writeAlphabet } from './alphabet.js';
import { type FlowLayer, isFlowLayer } from './flow-tiles.js';
import { encodePlain } from './plain.js';
import { copies, favoursCopies, isConstant, repeats } from './repetition.js';
import { sampleOf } from './sample.js';
import { cutStages } from './stages.js';
import { encodeWebp, isPredicted, mayBeWebp, type WebpEffort } from './webp.js';

/** With so many repeats a tile is next to empty: the flow's time would be wasted on it. */
const EMPTY = 0.985;
/** With so many repeats it is a graphic, which WebP is likely to code in less than the flow. */
const GRAPHIC = 0.75;
/** With fewer repeats it may also be a photograph out of focus, of which low effort has the flow code a sample. */
const SMOOTH = 0.9;
/** So much longer than WebP's may a graphic's sample be by the flow if the flow is to code the whole: 0.86 to 1.05 where it won, 1.7 to 15 elsewhere. */
const FLOW_ON_SAMPLES: Record<Exclude<Effort, 'high'>, number> = { low: 1, medium: 1.3 };
/**
 * WebP is not tried where its sample's WebP, for as many pixels, is so much longer than what the flow makes of all. Of 59 tiles of photographs
 * none was shorter by WebP, of whose samples 3 were.
 */
const WEBP_ON_SAMPLES: Record<Exclude<Effort, 'high'>, number> = { low: 0.95, medium: 1.05 };
/** With so many copies a sample does not stand for a tile: photographs have up to 0.02, mostly none. */
const COPIED = 0.01;
/** So many are worth the effort that finds them from farther away than 256 rows, in what is no graphic: a collage, a pattern. */
const MUCH_COPIED = 0.1;
/** A layer with fewer repeats is no graphic: few values are worth an alphabet. */
const PHOTOGRAPH = 0.5;
/** Layers up to this many pixels are coded in every way there is. */
const TINY = 4096;
/** WebP's best effort, which noise makes a hundred times slower, is for what is tiny or has so many repeats, and not too large. */
const BEST_REPEATS = 0.3;
const BEST_PIXELS = 1 << 21;

/** What harder efforts may save, of a WebP with such a share of repeats: measured on photographs and graphics, rounded up. */
const goodSaves = (repeated: number) => 0.6 * repeated;
/** No more is expected of what a sample's probe tells: without copies it was 0.25 at most, mostly less. */
const SAVED_ON_SAMPLES: Record<Exclude<Effort, 'high'>, number> = { low: 0.2, medium: 1 };
const bestSaves = (repeated: number) => (repeated * repeated * repeated) / 3;
const THOROUGH_SAVES = 0.06;

/** What is known of a tile once the flow has coded it and WebP has had a fast try, if only of a sample of it. */
interface Trial {
  readonly place: Tile;
  /** The tile by the flow; nothing where there is none, or the tile is next to empty. */
  readonly coded?: EncodedTile;
  /** Bytes that WebP may come down to; infinite where it cannot code the tile, or need not. */
  readonly webpBytes: number;
  /** How hard WebP tries where that may be less than the flow's. */
  readonly webpEffort: WebpEffort;
}

const NO_WEBP = { webpBytes: Number.POSITIVE_INFINITY, webpEffort: 'good' } as const;

/**
 * @param flow codes layers with as many channels as this one
 * @param toBeat bytes in which the layer can be coded elsehow
 */
export async function encodeLayer(
  original: Layer,
  flow: Flow | undefined,
  coding: Coding,
  toBeat = Number.POSITIVE_INFINITY,
): Promise<CodedLayer> {
  const alphabet = alphabetOf(original);
  const layer = indexed(original, alphabet);
  const trials: Trial[] = [];
  await tryTiles(layer, flow, coding, async (trial, i) => {
    trials[i] = trial;
  });
  const candidates: CodedLayer[] = [];
  const expected = expectedBytes(trials.map(trialBytes));
  const wholeFits = (trials.length === 1 || (coding.options.wholeWebp ?? true)) && (await mayBeWebp(layer));
  const asWhole = wholeFits && (isTiny(layer) || favoursWebp(layer, expected));
  if (asWhole) {
    const best = expected.graphic ? toBeat : Math.min(expected.tiles, toBeat);
    candidates.push(wholeLayer('webp', await encodeWholeWebp(layer, best, coding)));
    // One tile is the whole.
    if (trials.length === 1) trials[0] = { ...trials[0], webpBytes: Number.POSITIVE_INFINITY };
  }
  // Graphics are mostly smaller as a whole than in tiles.
  const wholeWillDo = asWhole && coding.options.effort !== 'high' && trials.every(({ coded }) => !coded);
  const tiles = wholeWillDo ? undefined : await encodeTiles(layer, trials, flow, coding);
  if (tiles) candidates.push(tiles);
  if (candidates.length === 0 || layer.maxval > 255 || isTiny(layer)) {
    candidates.push(wholeLayer('plain', encodePlain(layer)));
  }
  const smallest = candidates.reduce((a, b) => (layerBytes(b) < layerBytes(a) ? b : a));
  return { ...smallest, alphabet: alphabet && writeAlphabet(alphabet) };
}

/** Whether WebP might code a layer of at most 8 bits in less than `bytes`: tried tile by tile, as the whole takes much memory. */
export async function mayBeatWithWebp(layer: Layer, bytes: number, coding: Coding): Promise<boolean> {
  if (isTiny(layer)) return true;
  if (!(await mayBeWebp(layer))) return false;
  let probes = 0;
  for (const place of tileLayout(layer.width, layer.height)) {
    await coding.turn();
    probes += (await encodeWebp(extractTile(layer, place), 'probe')).length;
  }
  return probes * (1 - goodSaves(repeats(layer))) < bytes;
}

function alphabetOf(layer: Layer): Uint16Array | undefined {
  // Of most layers the first samples tell that there is none.
  const alphabet = findAlphabet(layer.samples, layer.maxval);
  return alphabet && mayHaveAlphabet(layer, () => repeats(layer)) ? alphabet : undefined;
}

/**
 * Whether an alphabet would be worth its bytes, if the layer has one.
 *
 * @param repeated the part of the pixels that repeat a neighbour
 */
export function mayHaveAlphabet(layer: Omit<Layer, 'samples'>, repeated: () => number): boolean {
  return layer.maxval > 255 || (!isTiny(layer) && repeated() < PHOTOGRAPH);
}

/** Whether a layer of such repeats may be a graphic, which WebP may code as a whole in less than tiles take. */
export function mayBeGraphic(repeated: number): boolean {
  return repeated >= PHOTOGRAPH;
}

/** What a layer may take, in bytes, infinite where it cannot be coded so. */
export interface ExpectedBytes {
  /** By the flow, but for the tiles that it leaves to WebP. */
  readonly tiles: number;
  /** All of it by WebP. */
  readonly webp: number;
  /** Whether there are tiles that the flow leaves to WebP. */
  readonly graphic: boolean;
}

export const NO_BYTES: ExpectedBytes = { tiles: 0, webp: 0, graphic: false };

/**
 * Whether WebP is tried on a whole layer of several tiles, where there is memory for it: where that promises to be smaller, or where the
 * layer has graphics and is small enough for WebP's best effort. A photograph with an empty tile is no graphic.
 */
export function favoursWebp(layer: Pick<Layer, 'width' | 'height'>, { tiles, webp, graphic }: ExpectedBytes): boolean {
  return graphic ? webp <= tiles || mayTryBest(layer) : webp < tiles;
}

/** Whether a layer is small enough for WebP's best effort. */
function mayTryBest({ width, height }: Pick<Layer, 'width' | 'height'>): boolean {
  return width * height <= BEST_PIXELS;
}

/**
 * Codes each tile of a band of a layer by the flow or WebP, whichever is smaller.
 *
 * @param before what the bands before it are expected to take
 * @param keep is given each tile, with its place in their order, when it is coded
 * @returns what this band and those before it are expected to take
 * @throws CnfzipError `unsupported` if there is a tile that neither can code
 */
export async function encodeInTiles(
  layer: Layer,
  flow: Flow | undefined,
  coding: Coding,
  before: ExpectedBytes,
  keep: (tile: EncodedTile | Uint8Array, index: number) => Promise<void>,
): Promise<ExpectedBytes> {
  const sizes: TrialBytes[] = [];
  await tryTiles(layer, flow, coding, async (trial, i) => {
    sizes[i] = trialBytes(trial);
    const tile = await chooseTile(layer, trial);
    if (!tile) throw new CnfzipError('unsupported', 'it is too large to be coded without a flow for its samples');
    await keep(tile, i);
  });
  return expectedBytes(sizes, before);
}

/** Bytes of a tile by the flow, if it has coded it, and what WebP may come down to. */
interface TrialBytes extends Pick<Trial, 'webpBytes'> {
  readonly flowBytes?: number;
}

function trialBytes({ coded, webpBytes }: Trial): TrialBytes {
  return { flowBytes: coded?.payload.length, webpBytes };
}

function expectedBytes(trials: readonly TrialBytes[], before = NO_BYTES): ExpectedBytes {
  return {
    tiles: trials.reduce((sum, { flowBytes, webpBytes }) => sum + (flowBytes ?? webpBytes), before.tiles),
    webp: trials.reduce((sum, { webpBytes }) => sum + webpBytes, before.webp),
    graphic: before.graphic || trials.some(({ flowBytes }) => flowBytes === undefined),
  };
}

/** @param take is given what is known of each tile, with its place in their order */
async function tryTiles(
  layer: Layer,
  flow: Flow | undefined,
  coding: Coding,
  take: (trial: Trial, index: number) => Promise<void>,
): Promise<void> {
  const coder = flow && (await coding.coder(flow));
  const rooms = coder?.rooms ?? coding.rooms;
  const { width, height, channels, samples } = layer;
  const roomBytes = maxTilePixels(width, height) * channels * samples.BYTES_PER_ELEMENT;
  await coding.forEachTile(tileLayout(width, height), coder?.concurrency ?? 1, async (place, i) => {
    const room = rooms.take(roomBytes);
    const tile = extractTile(layer, place, room);
    const webp = await mayBeWebp(tile);
    const repeated = repeats(tile);
    const wanted = async (own: FlowLayer, coder: TileCoder) =>
      isTiny(layer) || !webp || mayBeFlows(own, repeated, coder, coding.options.effort);
    const byFlow = coder && isFlowLayer(tile) && (await wanted(tile, coder));
    const coded = byFlow ? await coder.encode(tile, place) : undefined;
    const tried = webp ? await tryWebp(tile, repeated, sizeOf(coded?.payload), coding.options.effort) : NO_WEBP;
    rooms.give(room);
    await take({ place, coded, ...tried }, i);
  });
}

/** The part of a layer's pixels that copies tell; of graphics, which are coded by them anyway, none. */
function copiesIn(layer: Layer, repeated: number): number {
  return mayBeGraphic(repeated) ? 0 : copies(layer);
}

/** How hard WebP tries in earnest, where such a part of the pixels is copied. */
function goodEffort(copied: number): WebpEffort {
  return copied < MUCH_COPIED ? 'good' : 'thorough';
}

/** Gives WebP a fast try: of a sample, where that tells that it takes more than the flow, else of the tile. */
async function tryWebp(
  tile: Layer,
  repeated: number,
  flowBytes: number,
  effort: Effort = 'medium',
): Promise<Pick<Trial, 'webpBytes' | 'webpEffort'>> {
  const copied = copiesIn(tile, repeated);
  const webpEffort = goodEffort(copied);
  const saves = goodSaves(repeated);
  // In haste a sample has to do for what is half a graphic, too, but for its copies.
  const tells = () => (mayBeGraphic(repeated) ? effort === 'low' && copies(tile) < COPIED : copied < COPIED);
  if (effort !== 'high' && flowBytes < Number.POSITIVE_INFINITY && tells()) {
    const longer = WEBP_ON_SAMPLES[effort];
    const told = await sampledWebpBytes(tile, Math.min(saves, SAVED_ON_SAMPLES[effort]), longer * flowBytes);
    if (told > longer * flowBytes) return { webpBytes: told / longer, webpEffort };
  }
  const most = copied < MUCH_COPIED ? saves : Math.max(saves, copied);
  return { webpBytes: (await encodeWebp(tile, 'probe')).length * (1 - most), webpEffort };
}

/**
 * What a sample tells of a tile's WebP, in bytes: by a probe, of which a harder effort may save a part, if that is more than `enough`, else
 * by that effort. Nothing of a tile that is too small for a sample.
 */
async function sampledWebpBytes(tile: Layer, saves: number, enough: number): Promise<number> {
  const sample = sampleOf(tile);
  if (sample === tile) return 0;
  const share = (sample.width * sample.height) / (tile.width * tile.height);
  const told = async (tried: WebpEffort) => (await encodeWebp(sample, tried)).length / share;
  const fast = (await told('probe')) * (1 - saves);
  return fast > enough ? fast : told('good');
}

/** Whether a flow may code a tile in less than WebP: of graphics, a sample tells. */
async function mayBeFlows(
  tile: FlowLayer,
  repeated: number,
  coder: TileCoder,
  effort: Effort = 'medium',
): Promise<boolean> {
  if (repeated < GRAPHIC) return true;
  if (repeated >= EMPTY || (effort === 'low' && repeated >= SMOOTH)) return false;
  if (effort === 'high') return true;
  const sample = sampleOf(tile);
  if (sample === tile) return effort !== 'low';
  const [{ payload }, webp] = [await coder.encode(sample), await encodeWebp(sample, 'good')];
  return payload.length < FLOW_ON_SAMPLES[effort] * webp.length;
}

async function encodeTiles(
  layer: Layer,
  trials: readonly Trial[],
  flow: Flow | undefined,
  coding: Coding,
): Promise<CodedLayer | undefined> {
  const tiles: (EncodedTile | Uint8Array)[] = [];
  for (const trial of trials) {
    await coding.turn();
    const tile = await chooseTile(layer, trial);
    if (!tile) return undefined;
    tiles.push(tile);
  }
  const byFlow = tiles.filter((tile): tile is EncodedTile => !(tile instanceof Uint8Array));
  const stages = cutStages(byFlow);
  const coded = tiles.map((tile): CodedTile => {
    if (tile instanceof Uint8Array) return { method: 'webp', stages: [tile] };
    return { method: 'flow', stages: stages[byFlow.indexOf(tile)] };
  });
  return { method: 'tiles', flow: byFlow.length > 0 ? flowId(flow!) : undefined, tiles: coded };
}

/** A tile by the flow or WebP, whichever is smaller; nothing if neither can code it. */
async function chooseTile(
  layer: Layer,
  { place, coded, webpBytes, webpEffort }: Trial,
): Promise<EncodedTile | Uint8Array | undefined> {
  // The best effort is for whole layers: where it matters most, graphics, they are the smaller ones.
  const beatable = webpBytes < sizeOf(coded?.payload);
  const webp = beatable ? await encodeWebp(extractTile(layer, place), webpEffort) : undefined;
  return coded && sizeOf(webp) >= coded.payload.length ? coded : webp;
}

function wholeLayer(method: 'plain' | 'webp', payload: Uint8Array): CodedLayer {
  return { method, tiles: [{ method, stages: [payload] }] };
}

export function flowId({ model, learning }: Flow): FlowId {
  return { kernelVersion: KERNEL_VERSION, modelHash: model.hash, learning };
}

async function encodeWholeWebp(layer: Layer, toBeat: number, coding: Coding): Promise<Uint8Array> {
  if (isConstant(layer) && !isTiny(layer)) return encodeWebp(layer, 'probe');
  const repeated = repeats(layer);
  const good = await encodeWebp(layer, goodEffort(copiesIn(layer, repeated)));
  const { effort = 'medium' } = coding.options;
  const few = mayTryBest(layer) && effort !== 'low';
  if (!isTiny(layer) && !(repeated > BEST_REPEATS && few)) return good;
  // The best effort tries all sets of transforms. It saves much where libwebp, which does not look for copies when it guesses at the best
  // set, predicts pixels that copies would tell in less; of what is rightly predicted, every harder effort has saved 3 % at most.
  const predicted = isPredicted(good);
  const all = effort === 'high' || isTiny(layer) || (predicted && favoursCopies(layer));
  if (predicted && !all) return good;
  if (good.length * (1 - (all ? bestSaves(repeated) : THOROUGH_SAVES)) >= toBeat) return good;
  await coding.turn();
  const best = await encodeWebp(layer, all ? 'best' : 'thorough');
  return best.length < good.length ? best : good;
}

/** Bytes of a payload; without one, more than any has. */
function sizeOf(payload: Uint8Array | undefined): number {
  return payload?.length ?? Number.POSITIVE_INFINITY;
}

/** Whether all ways of coding are tried. */
export function isTiny({ width, height }: Pick<Layer, 'width' | 'height'>): boolean {
  return width * height <= TINY;
}
