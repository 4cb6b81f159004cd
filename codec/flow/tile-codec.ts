/**
 * Codes tiles on an rANS stack; in a file each tile has one of its own. The encoder goes through the sites as the decoder will, pass by
 * pass, and notes what is to be pushed; the notes are pushed at the end, the last first. The decoder pops.
 *
 * Payload: the 64-bit states of the stack, then its words (little-endian) in the order in which they are popped, so that its first
 * bytes decode the coarse levels. How many of them a level needs is exact: where the encoder has pushed all notes but those of a level and
 * of the coarser ones, the stack is what it is when the decoder is done with that level.
 */

import { PASSES, type Pass, TEXTURE_VALUES } from '../../models/definition.js';
import { CnfzipError } from '../error.js';
import { Kernels } from '../kernels/kernels.js';
import type { ContextNetwork, TileSamples } from './context.js';
import { type Flow, paceOf } from './model.js';
import { latticeOf, pyramid, sites } from './pyramid.js';
import { TEXTURE_LEVELS, tileTexture } from './texture.js';
import { type Samples, SiteWalk, type TileShape } from './walk.js';

/** The high and the low word of a state of the stack. */
type State = readonly [high: number, low: number];

/** What each of the stack's states is at first, and a decoder must find it to be at last: the least state that there is. */
const FIRST_STATE: State = [1, 0];

/** Bits that are coded plainly for each channel of a tile: the sample at the pyramid's top, with its sign, and its texture. */
export function plainBits(depth: number): number {
  // biome-ignore lint/plugin: it measures, and decides no bit
  return depth + 1 + TEXTURE_VALUES * Math.log2(TEXTURE_LEVELS);
}

const STATE_BYTES = 8;
const WORD_BYTES = 4;

/** From how many pixels on there are four states, one for each site of a group: so many that 24 bytes more do not matter. */
const MANY_PIXELS = 1 << 14;

/** States of the stack that codes `count` tiles. */
function statesOf(count: number, { width, height }: TileShape): number {
  return count * width * height < MANY_PIXELS ? 1 : 4;
}

/** Room for the stack: more than any sample can cost. */
const MAX_BYTES_PER_SAMPLE = 12;

export interface EncodedTile {
  readonly payload: Uint8Array;
  /** Bytes of the payload from which the tile is decoded at 1/2^k, for each k from 0 (all of them) to the pyramid's top. */
  readonly ends: readonly number[];
  /** Bits that the samples added to the stack. */
  readonly netBits: number;
}

/** Numbers of a coordinate in a trace. */
export const TRACED = 3;

/**
 * What the encoder did, by level and pass: at its sites, row by row, of each coordinate the bits that it took, those that it would
 * have taken if the flow knew nothing of the site's coordinates before it, and what knowing them changes its divergence by, in nats.
 */
export type Trace = Record<Pass, Float32Array>[];

/** What a tile adds to the stack: its sites' notes, its first pixel, its texture. */
interface Notes {
  /** Where the notes of each level lie, the coarsest first. */
  readonly levels: { readonly from: number; to: number }[];
  readonly first: Float32Array;
  readonly texture: Uint8Array;
}

export class TileCodec {
  readonly #kernels: Kernels;
  readonly #walk: SiteWalk;
  readonly #network: ContextNetwork;
  readonly #channels: number;

  /** @param kernels may be those of others, too: the codec takes the memory of its weights for good */
  constructor(kernels: Kernels, { model, learning }: Flow) {
    this.#kernels = kernels;
    this.#channels = model.definition.channels;
    this.#walk = new SiteWalk(kernels, model.definition, paceOf(model.rates, learning));
    this.#walk.load(model.weights);
    this.#network = this.#walk.network;
  }

  static async create(flow: Flow): Promise<TileCodec> {
    return new TileCodec(await Kernels.create(), flow);
  }

  /** @param trace if given, receives what was done at every site */
  encode(samples: Samples, shape: TileShape, trace?: Trace): EncodedTile {
    return this.#encode([samples], shape, trace);
  }

  /**
   * Codes tiles of one size one after the other on one stack, whose end is written once: for tiles that are many and small.
   *
   * @param tiles each as for `encode`
   * @returns `ends` of the first tile
   */
  encodeSequence(tiles: readonly Samples[], shape: TileShape): EncodedTile {
    return this.#encode(tiles, shape);
  }

  /**
   * @param payload whole, or if `level` is not 0 at least the part of it that `ends` tells
   * @param level of the pyramid: what comes back are the tile's rows and columns 0, 2^level, 2 * 2^level ...
   * @throws {CnfzipError} `corrupt` if the payload is not what `encode` makes of a tile of this size
   */
  decode(payload: Uint8Array, shape: TileShape, level = 0): Int32Array {
    return this.decodeTo(payload, shape, level, (samples) => new Int32Array(samples));
  }

  /**
   * As `decode`.
   *
   * @param take makes of the samples what is wanted of them: they are void afterwards
   */
  decodeTo<T>(payload: Uint8Array, shape: TileShape, level: number, take: (samples: Float32Array) => T): T {
    return this.#kernels.scoped(() => {
      const states = statesOf(1, shape);
      this.#restore(payload, states);
      this.#walk.reset();
      const taken = this.#pop(shape, level, take);
      if (level === 0) this.#checkEnd(states);
      return taken;
    });
  }

  /**
   * @param first so many of the tiles are wanted: whether the stack ends where it began is seen only where they are all
   * @throws {CnfzipError} `corrupt` if the payload is not what `encodeSequence` makes of `count` tiles of this size
   */
  decodeSequence(payload: Uint8Array, count: number, shape: TileShape, first = count): Int32Array[] {
    return this.#kernels.scoped(() => {
      const states = statesOf(count, shape);
      this.#restore(payload, states);
      this.#walk.reset();
      const tiles = Array.from({ length: first }, () => this.#pop(shape, 0, (samples) => new Int32Array(samples)));
      if (first === count) this.#checkEnd(states);
      return tiles;
    });
  }

  #encode(tiles: readonly Samples[], shape: TileShape, trace?: Trace): EncodedTile {
    const kernels = this.#kernels;
    const { run } = kernels;
    return kernels.scoped(() => {
      this.#walk.reset();
      const notes = tiles.map((tile) => this.#note(tile, shape, trace));
      const samples = tiles.length * shape.width * shape.height * this.#channels;
      const capacity = samples * MAX_BYTES_PER_SAMPLE + 1024;
      const stack = kernels.reserve(capacity);
      const states = statesOf(tiles.length, shape);
      this.#open(stack, capacity, 0, Array<State>(states).fill(FIRST_STATE));
      // Words that are left when each level is decoded, the finest first.
      let left: number[] = [];
      for (const { levels, first, texture } of notes.reverse()) {
        left = levels.reverse().map(({ from, to }) => {
          const words = run.stackCount();
          run.pushNotes(from, to);
          return words;
        });
        left.push(run.stackCount());
        for (const sample of first.reverse()) run.pushUniform(sample + (1 << shape.depth), 2 << shape.depth);
        for (const level of texture.reverse()) run.pushUniform(level, TEXTURE_LEVELS);
      }
      if (run.stackFailed()) throw new Error('the stack has left its bounds');
      const { payload, netBits } = this.#payload(stack, states);
      return { payload, netBits, ends: left.map((words) => payload.length - WORD_BYTES * words) };
    });
  }

  /** Notes what is to be pushed for a tile. */
  #note(samples: Samples, shape: TileShape, trace: Trace | undefined): Notes {
    const kernels = this.#kernels;
    const network = this.#network;
    const { run } = kernels;
    const d = this.#channels;
    const from = kernels.reserve(this.#noteBytes(shape));
    return kernels.scoped(() => {
      const { tile, texture } = this.#walk.open(samples, shape);
      const first = kernels.floats(tile.address, d).slice();
      let to = from;
      const levels: Notes['levels'] = [];
      for (const { state, pass } of network.passes(tile)) {
        if (pass === PASSES[0]) levels.push({ from: to, to });
        network.take(state, pass, tile);
        const { rows, columns } = sites(state.level, pass);
        const size = columns * d * TRACED;
        const tally = trace ? kernels.alloc(size * 4) : 0;
        const bits = new Float32Array(trace ? rows * size : 0);
        this.#walk.pass(state, pass, ({ outputs, gradient, x, locals, count, row, first }) => {
          const tallied = tally && tally + first * d * TRACED * 4;
          run.noteRow(network.flow, outputs.address, gradient?.address ?? 0, x, locals, count, to, tallied);
          to += run.noteBytes(d, count);
          if (trace && first + count === columns) bits.set(kernels.floats(tally, size), row * size);
        });
        if (trace) trace[state.index] = { ...trace[state.index], [pass]: bits };
        levels[levels.length - 1].to = to;
      }
      return { levels, first, texture };
    });
  }

  #noteBytes({ width, height }: TileShape): number {
    const lattices = pyramid(height, width).flatMap((level) => PASSES.map((pass) => sites(level, pass)));
    const { run } = this.#kernels;
    return lattices.reduce((sum, { rows, columns }) => sum + rows * run.noteBytes(this.#channels, columns), 0);
  }

  /** Pops a tile down to a level of the pyramid. */
  #pop<T>({ width, height, depth }: TileShape, level: number, take: (samples: Float32Array) => T): T {
    const kernels = this.#kernels;
    const { run } = kernels;
    const network = this.#network;
    const d = this.#channels;
    return kernels.scoped(() => {
      run.depthOpen(depth);
      const size = width * height * d;
      const tile: TileSamples = { address: kernels.alloc(size * 4), width, height };
      const texture = new Uint8Array(network.texture.channels).map(() => run.popUniform(TEXTURE_LEVELS));
      network.describe(texture);
      for (let k = 0; k < d; k++) {
        kernels.floats(tile.address, size)[k] = run.popUniform(2 << depth) - (1 << depth);
      }
      for (const { state, pass } of network.passes(tile, { finest: level })) {
        this.#walk.pass(state, pass, ({ outputs, gradient, x, locals, count }) => {
          run.decodeRow(network.flow, outputs.address, gradient?.address ?? 0, x, locals, count);
        });
        if (run.stackFailed()) throw new CnfzipError('corrupt', 'corrupt tile: it ends too early');
        network.put(state, pass, tile);
      }
      // A first pixel that needed more words than there are has met no pass that would tell.
      if (run.stackFailed()) throw new CnfzipError('corrupt', 'corrupt tile: it ends too early');
      const samples = kernels.floats(tile.address, size);
      if (level > 0) return take(latticeOf(samples, { width, height }, d, level));
      const found = tileTexture(samples, width, height, d);
      if (!texture.every((level, i) => level === found[i])) {
        throw new CnfzipError('corrupt', 'corrupt tile: its texture is not the one it tells');
      }
      return take(samples);
    });
  }

  #payload(stack: number, states: number): Pick<EncodedTile, 'payload' | 'netBits'> {
    const { run } = this.#kernels;
    const count = run.stackCount();
    const payload = new Uint8Array(states * STATE_BYTES + WORD_BYTES * count);
    const view = new DataView(payload.buffer);
    let netBits = 32 * count;
    for (let j = 0; j < states; j++) {
      const [high, low] = this.#state(j);
      view.setUint32(STATE_BYTES * j, low, true);
      view.setUint32(STATE_BYTES * j + WORD_BYTES, high, true);
      // biome-ignore lint/plugin: it measures what was coded, and decides no bit
      netBits += Math.log2(high + low / 0x100000000);
    }
    const words = this.#kernels.words(stack, count);
    for (let i = 0; i < count; i++) view.setUint32(states * STATE_BYTES + WORD_BYTES * i, words[count - 1 - i], true);
    return { payload, netBits };
  }

  /** Opens the stack on `capacity` bytes, of which `count` words are filled. */
  #open(words: number, capacity: number, count: number, [first, ...others]: readonly State[]): void {
    const { run } = this.#kernels;
    run.stackOpen(words, capacity, count, ...first);
    for (const state of others) run.stackJoin(...state);
  }

  /** Opens the stack on a payload's words. */
  #restore(payload: Uint8Array, states: number): void {
    const count = (payload.length - states * STATE_BYTES) / WORD_BYTES;
    if (!(Number.isInteger(count) && count >= 0)) {
      throw new CnfzipError('corrupt', 'corrupt tile: its length is impossible');
    }
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const found = Array.from({ length: states }, (_, j): State => {
      const at = STATE_BYTES * j;
      return [view.getUint32(at + WORD_BYTES, true), view.getUint32(at, true)];
    });
    if (found.some(([high]) => high === 0)) throw new CnfzipError('corrupt', 'corrupt tile: impossible stack state');
    const stack = this.#kernels.reserve(WORD_BYTES * count);
    const words = this.#kernels.words(stack, count);
    for (let i = 0; i < count; i++) words[count - 1 - i] = view.getUint32(states * STATE_BYTES + WORD_BYTES * i, true);
    this.#open(stack, WORD_BYTES * count, count, found);
  }

  #checkEnd(states: number): void {
    const { run } = this.#kernels;
    let ended = !run.stackFailed() && run.stackCount() === 0;
    for (let j = 0; j < states; j++) ended &&= FIRST_STATE.every((word, i) => word === this.#state(j)[i]);
    if (!ended) throw new CnfzipError('corrupt', 'corrupt tile: its stack does not end where it began');
  }

  #state(j: number): State {
    const { run } = this.#kernels;
    return [run.stackHigh(j) >>> 0, run.stackLow(j) >>> 0];
  }
}
