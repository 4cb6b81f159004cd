/**
 * Codes tiles on an rANS stack; in a file each tile has one of its own. The encoder computes all contexts in decoding order,
 * then pushes the sites in reverse; the decoder pops them level by level, computing each pass's context from what it has.
 *
 * Payload: one byte w, the words of the stack above the first w words of the seed (little-endian), and the 64-bit state.
 */

import { PASSES, type Pass, TEXTURE_VALUES } from '../../models/definition.js';
import { CnfzipError } from '../error.js';
import { Kernels } from '../kernels/kernels.js';
import { ContextNetwork, type LevelState } from './context.js';
import type { Model } from './model.js';
import { pyramid, sites } from './pyramid.js';
import { TEXTURE_LEVELS, tileTexture } from './texture.js';

/**
 * The stack's first content: bits to borrow for the first group's dequantization. A decoder must end with just these words
 * and this state. Any fixed numbers would do; these are digits of pi.
 */
const SEED_WORDS = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0x082efa98, 0xec4e6c89];
const SEED_HIGH = 0x452821e6;
const SEED_LOW = 0x38d01377;

/** Bits that are coded plainly for each channel of a tile: the sample at the pyramid's top, with its sign, and its texture. */
export function plainBits(depth: number): number {
  return depth + 1 + TEXTURE_VALUES * Math.log2(TEXTURE_LEVELS);
}

/** Most that a sample can cost, rounded up: escape code, scales at their bounds, no dequantization gain. */
const MAX_BYTES_PER_SAMPLE = 12;

/** Bytes of room for the stack. The decoder has the encoder's, as its stack goes through the same heights. */
function stackRoom(samples: number): number {
  return samples * MAX_BYTES_PER_SAMPLE + 1024;
}

/** Size of a tile, and what its samples may be. */
export interface TileShape {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Bits of a sample before the colour transform, 8 to 16; coordinates lie in -2^depth .. 2^depth - 1. */
  readonly depth: number;
}

export interface EncodedTile {
  readonly payload: Uint8Array;
  /** Bits that the samples added to the stack. */
  readonly netBits: number;
}

/** What a coordinate's bits are spent on, in the order of a trace's `bits`. */
export const COMPONENTS = ['dequantization', 'normalization', 'divergence', 'base'] as const;

/** What the encoder did at the sites of a pass, row by row. */
export interface PassTrace {
  /** Dequantized u (0 .. 1) as it was popped, for each coordinate. */
  readonly u: Float32Array;
  /** Bits that each coordinate's components added to the stack; less than 0 where they took some off. */
  readonly bits: Float32Array;
}

/** By level and pass. */
export type Trace = Record<Pass, PassTrace>[];

export class TileCodec {
  readonly #kernels: Kernels;
  readonly #network: ContextNetwork;
  readonly #channels: number;

  private constructor(kernels: Kernels, model: Model) {
    this.#kernels = kernels;
    this.#channels = model.definition.channels;
    this.#network = new ContextNetwork(kernels, model.definition);
    this.#network.load(model.weights);
  }

  static async create(model: Model): Promise<TileCodec> {
    return new TileCodec(await Kernels.create(), model);
  }

  /**
   * @param samples height * width * channels integers, channels of a pixel side by side
   * @param trace if given, receives what was done at every site
   * @throws {CnfzipError} `bad-model` if the model's first sites give back more bits than the seed lends, as none of use does
   */
  encode(samples: Int32Array, shape: TileShape, trace?: Trace): EncodedTile {
    return this.#encode([samples], shape, trace);
  }

  /**
   * Codes tiles of one size one after the other on one stack, whose first bits are borrowed and whose end is written once:
   * what bits-back coding is made for, where the tiles are many and small.
   *
   * @param tiles each as for `encode`
   */
  encodeSequence(tiles: readonly Int32Array[], shape: TileShape): EncodedTile {
    return this.#encode(tiles, shape);
  }

  /** @throws {CnfzipError} `corrupt` if the payload is not what `encode` makes of a tile of this size */
  decode(payload: Uint8Array, shape: TileShape): Int32Array {
    return this.decodeSequence(payload, 1, shape)[0];
  }

  /** @throws {CnfzipError} `corrupt` if the payload is not what `encodeSequence` makes of `count` tiles of this size */
  decodeSequence(payload: Uint8Array, count: number, shape: TileShape): Int32Array[] {
    return this.#kernels.scoped(() => {
      const stack = this.#restore(payload, count * shape.width * shape.height * this.#channels);
      const tiles = Array.from({ length: count }, () => this.#pop(shape));
      this.#checkSeed(stack);
      return tiles;
    });
  }

  #encode(tiles: readonly Int32Array[], shape: TileShape, trace?: Trace): EncodedTile {
    const kernels = this.#kernels;
    const { run } = kernels;
    return kernels.scoped(() => {
      const capacity = stackRoom(tiles.reduce((sum, tile) => sum + tile.length, 0));
      const stack = kernels.alloc(capacity);
      kernels.words(stack, SEED_WORDS.length).set(SEED_WORDS);
      run.stackOpen(stack, capacity, SEED_WORDS.length, SEED_HIGH, SEED_LOW);
      for (const tile of [...tiles].reverse()) this.#push(tile, shape, trace);
      if (run.stackFailed()) {
        // No sample costs more than there is room for; its first sites may gain more than the seed lends.
        throw new CnfzipError('bad-model', 'the model cannot code this image: its stack has left its bounds');
      }
      return this.#payload(stack);
    });
  }

  #push(samples: Int32Array, { width, height, depth }: TileShape, trace: Trace | undefined): void {
    const kernels = this.#kernels;
    const network = this.#network;
    const { run } = kernels;
    const d = this.#channels;
    kernels.scoped(() => {
      run.depthOpen(depth);
      const tile = kernels.alloc(samples.length * 4);
      kernels.floats(tile, samples.length).set(samples);
      const texture = tileTexture(samples, width, height, d);
      network.describe(texture);
      const states = this.#contexts(tile, width, height);
      const row = kernels.alloc(Math.ceil(width / 2) * network.headSize * 4);
      const traced = trace ? kernels.alloc(Math.ceil(width / 2) * d * 4) : 0;
      const tally = trace ? kernels.alloc(Math.ceil(width / 2) * d * COMPONENTS.length * 4) : 0;
      for (const [index, state] of states.entries()) {
        if (trace) trace[index] = {} as Record<Pass, PassTrace>;
        for (const pass of [...PASSES].reverse()) {
          const { rows, columns } = sites(state.level, pass);
          const size = columns * d;
          const u = new Float32Array(trace ? rows * size : 0);
          const bits = new Float32Array(u.length * COMPONENTS.length);
          for (let i = rows - 1; i >= 0; i--) {
            network.head(state, pass, i, row);
            const locals = network.localRow(state, pass, i);
            run.encodeRow(row, network.headSize, network.sampleRow(state, pass, i), locals, columns, traced, tally);
            if (!trace) continue;
            u.set(kernels.floats(traced, size), i * size);
            const counted = kernels.floats(tally, size * COMPONENTS.length);
            bits.set(counted, i * counted.length);
            counted.fill(0);
          }
          if (trace) trace[index][pass] = { u, bits };
        }
      }
      for (let k = d - 1; k >= 0; k--) run.pushUniform(samples[k] + 2 ** depth, 2 ** (depth + 1));
      for (const level of texture.reverse()) run.pushUniform(level, TEXTURE_LEVELS);
    });
  }

  #pop({ width, height, depth }: TileShape): Int32Array {
    const kernels = this.#kernels;
    const { run } = kernels;
    const network = this.#network;
    const d = this.#channels;
    return kernels.scoped(() => {
      run.depthOpen(depth);
      const size = width * height * d;
      const tile = kernels.alloc(size * 4);
      const texture = new Uint8Array(network.textureSize).map(() => run.popUniform(TEXTURE_LEVELS));
      network.describe(texture);
      for (let k = 0; k < d; k++) {
        kernels.floats(tile, size)[k] = run.popUniform(2 ** (depth + 1)) - 2 ** depth;
      }
      const levels = pyramid(height, width);
      const row = kernels.alloc(Math.ceil(width / 2) * network.headSize * 4);
      let coarser: LevelState | undefined;
      for (let index = levels.length - 1; index >= 0; index--) {
        const state: LevelState = network.open(levels[index], index, tile, width, coarser);
        for (const pass of PASSES) {
          network.forward(state, pass, false);
          const { rows, columns } = sites(state.level, pass);
          for (let i = 0; i < rows; i++) {
            network.head(state, pass, i, row);
            const locals = network.localRow(state, pass, i);
            run.decodeRow(row, network.headSize, network.sampleRow(state, pass, i), locals, columns);
          }
          if (run.stackFailed()) throw new CnfzipError('corrupt', 'corrupt tile: it ends too early');
          network.extend(state, pass);
          network.put(state, pass, tile, width);
        }
        coarser = state;
      }
      const samples = new Int32Array(kernels.floats(tile, size));
      const found = tileTexture(samples, width, height, d);
      if (!texture.every((level, i) => level === found[i])) {
        throw new CnfzipError('corrupt', 'corrupt tile: its texture is not the one it tells');
      }
      return samples;
    });
  }

  /** Contexts of all levels of a known tile, in the order of `pyramid`: finest first. */
  #contexts(tile: number, width: number, height: number): LevelState[] {
    const levels = pyramid(height, width);
    const states: LevelState[] = [];
    for (let index = levels.length - 1; index >= 0; index--) {
      const state = this.#network.open(levels[index], index, tile, width, states[index + 1]);
      for (const pass of PASSES) {
        this.#network.forward(state, pass, false);
        this.#network.take(state, pass, tile, width);
      }
      states[index] = state;
    }
    return states;
  }

  #payload(stack: number): EncodedTile {
    const { run } = this.#kernels;
    const count = run.stackCount();
    const lowest = Math.min(run.stackLowest(), SEED_WORDS.length);
    const [high, low] = [run.stackHigh() >>> 0, run.stackLow() >>> 0];
    const payload = new Uint8Array(1 + 4 * (count - lowest) + 8);
    const view = new DataView(payload.buffer);
    payload[0] = lowest;
    const words = this.#kernels.words(stack, count);
    for (let i = lowest; i < count; i++) view.setUint32(1 + 4 * (i - lowest), words[i], true);
    view.setUint32(payload.length - 8, low, true);
    view.setUint32(payload.length - 4, high, true);
    const stateBits = Math.log2((high * 2 ** 32 + low) / (SEED_HIGH * 2 ** 32 + SEED_LOW));
    return { payload, netBits: 32 * (count - SEED_WORDS.length) + stateBits };
  }

  /** Opens the stack of so many samples on a payload's words; returns its address. */
  #restore(payload: Uint8Array, samples: number): number {
    const lowest = payload[0];
    const words = (payload.length - 9) / 4;
    const capacity = stackRoom(samples);
    const possible = Number.isInteger(words) && words >= 0 && 4 * (lowest + words) <= capacity;
    if (!(lowest <= SEED_WORDS.length && possible)) {
      throw new CnfzipError('corrupt', 'corrupt tile: its length is impossible');
    }
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const stack = this.#kernels.alloc(capacity);
    const to = this.#kernels.words(stack, lowest + words);
    to.set(SEED_WORDS.slice(0, lowest));
    for (let i = 0; i < words; i++) to[lowest + i] = view.getUint32(1 + 4 * i, true);
    const [low, high] = [view.getUint32(payload.length - 8, true), view.getUint32(payload.length - 4, true)];
    if (high === 0) throw new CnfzipError('corrupt', 'corrupt tile: impossible stack state');
    this.#kernels.run.stackOpen(stack, capacity, lowest + words, high, low);
    return stack;
  }

  #checkSeed(stack: number): void {
    const { run } = this.#kernels;
    const words = this.#kernels.words(stack, SEED_WORDS.length);
    const ended =
      !run.stackFailed() &&
      run.stackCount() === SEED_WORDS.length &&
      SEED_WORDS.every((word, i) => words[i] === word) &&
      run.stackHigh() >>> 0 === SEED_HIGH &&
      run.stackLow() >>> 0 === SEED_LOW;
    if (!ended) throw new CnfzipError('corrupt', 'corrupt tile: the stack does not end at its seed');
  }
}
