/**
 * The context network: what is known of a level's lattices, turned into the flow's raw parameters at every site. Each cell
 * has a state of `width` channels that the three passes D, H, V carry on: a pass adds what its newly known lattice shows,
 * runs its residual blocks, and a linear head reads the parameters of its sites from the state. The finished state of a
 * level, projected to `carry` features for each of the four cells it becomes, enters the next finer level's first pass.
 */

import {
  headLayout,
  levelParameter,
  type ModelDefinition,
  PASSES,
  type Pass,
  parameterCount,
  parameters,
  stemInputs,
  TEXTURE_VALUES,
} from '../../models/definition.js';
import { ACCUMULATE, type Kernels, RELU } from '../kernels/kernels.js';
import type { Level } from './pyramid.js';
import { OFFSETS, sites } from './pyramid.js';
import { textureInputs } from './texture.js';

const BYTES = 4;

/** What a pass computed: addresses of maps with a ring of one. */
export interface PassState {
  /** State after the stem. */
  readonly stem: number;
  /** Of each block the depthwise filtered state, the hidden map and the state after it. */
  readonly blocks: { readonly mixed: number; readonly hidden: number; readonly state: number }[];
  /** State after the last block. */
  readonly state: number;
  /** What is known of each site's neighbours: rows x columns x 3 * channels float32 (see `features`), no ring. */
  readonly locals: number;
}

/** Everything known and computed of one level. */
export interface LevelState {
  readonly level: Level;
  /** 0 is the finest. */
  readonly index: number;
  /** Lattice maps (ring of two). */
  readonly maps: Record<Pass | 'A', number>;
  /** Features carried up from the coarser level. */
  readonly carried: number;
  readonly passes: Partial<Record<Pass, PassState>>;
  /** Scratch for one row of stem inputs, and for the blocks' maps that are not kept. */
  readonly inputs: number;
  readonly mixed: number;
  readonly hidden: number;
}

export class ContextNetwork {
  readonly headSize: number;
  /** Address of the parameters, in the order of the model definition. */
  readonly parameters: number;
  readonly #addresses = new Map<string, number>();
  readonly #count: number;
  /** Address of the tile's texture as the network sees it. */
  readonly texture: number;
  /** Scratch for a pass's stem bias: level embedding and texture. */
  readonly #bias: number;

  constructor(
    readonly kernels: Kernels,
    readonly definition: ModelDefinition,
  ) {
    this.#count = parameterCount(definition);
    this.headSize = headLayout(definition).size;
    this.parameters = kernels.alloc(this.#count * BYTES);
    this.texture = kernels.alloc(this.textureSize * BYTES);
    this.#bias = kernels.alloc(definition.width * BYTES);
    for (const p of parameters(definition)) this.#addresses.set(p.name, this.parameters + p.offset * BYTES);
  }

  /** Sets the parameters; the kernels' flow uses them from now on, and adds its gradients to those at `gradients`. */
  load(weights: Float32Array, gradients = 0): void {
    const { channels, hidden, mixtures, sweeps, tied } = this.definition;
    this.kernels.floats(this.parameters, this.#count).set(weights);
    const field = this.address('field.others');
    const fieldGradients = gradients + field - this.parameters;
    this.kernels.run.fieldOpen(channels, hidden, mixtures, sweeps, tied, field, fieldGradients);
  }

  /** Values of a tile's texture. */
  get textureSize(): number {
    return TEXTURE_VALUES * this.definition.channels;
  }

  /** Takes a tile's texture (see `tileTexture`); the passes use it from now on. */
  describe(texture: Uint8Array): void {
    this.kernels.floats(this.texture, this.textureSize).set(textureInputs(texture));
  }

  /** Address of a parameter by its name in the model definition. */
  address(name: string): number {
    const address = this.#addresses.get(name);
    if (address === undefined) throw new Error(`no parameter ${name}`);
    return address;
  }

  /** Address of a parameter of the context network at a level. */
  levelAddress(name: string, index: number): number {
    return this.address(levelParameter(name, index, this.definition));
  }

  /** Address of a pass's level embedding. */
  levelEmbedding(pass: Pass, index: number): number {
    const { levels, width } = this.definition;
    return this.levelAddress(`${pass}.stem.bias`, index) + Math.min(index, levels - 1) * width * BYTES;
  }

  /** Address of cell (row, 0) of a map with a ring of one. */
  rowAddress(map: number, row: number, { columns }: Level, channels: number): number {
    return map + ((row + 1) * (columns + 2) + 1) * channels * BYTES;
  }

  allocMap({ rows, columns }: Level, channels: number): number {
    return this.kernels.alloc((rows + 2) * (columns + 2) * channels * BYTES);
  }

  /** Opens a level whose A lattice is known: takes it from the tile, and the carried features from the coarser level. */
  open(level: Level, index: number, tile: number, tileWidth: number, coarser: LevelState | undefined): LevelState {
    const { kernels, definition } = this;
    const { rows, columns } = level;
    const { channels, width, carry, expand } = definition;
    const widest = Math.max(...PASSES.map((pass) => stemInputs(pass, definition)));
    const carried = this.allocMap(level, carry);
    if (coarser) {
      const projected = this.allocMap(coarser.level, 4 * carry);
      const [weight, bias] = [this.levelAddress('carry.weight', index), this.levelAddress('carry.bias', index)];
      const { level: from, passes } = coarser;
      kernels.run.conv(projected, passes.V!.state, weight, bias, from.rows, from.columns, width, 4 * carry, 1, 0);
      kernels.run.spreadCarry(carried, rows, columns, projected, from.columns, carry);
    }
    const lattice = () => kernels.alloc((rows + 4) * (columns + 4) * channels * BYTES);
    const state: LevelState = {
      level,
      index,
      maps: { A: lattice(), D: lattice(), H: lattice(), V: lattice() },
      carried,
      passes: {},
      inputs: kernels.alloc(columns * widest * BYTES),
      mixed: this.allocMap(level, width),
      hidden: this.allocMap(level, expand * width),
    };
    this.take(state, 'A', tile, tileWidth);
    return state;
  }

  /** Takes a lattice from the tile's samples. */
  take(state: LevelState, lattice: Pass | 'A', tile: number, tileWidth: number): void {
    const { level, index, maps } = state;
    const { channels } = this.definition;
    const [dy, dx] = OFFSETS[lattice];
    const { height, width, columns } = level;
    const { run } = this.kernels;
    run.splitLattice(maps[lattice], columns, tile, tileWidth, index, height, width, channels, dy, dx);
    this.extend(state, lattice);
  }

  /** Puts a lattice's samples back into the tile. */
  put({ level, index, maps }: LevelState, lattice: Pass, tile: number, tileWidth: number): void {
    const [dy, dx] = OFFSETS[lattice];
    const { height, width, columns } = level;
    const { channels } = this.definition;
    const { run } = this.kernels;
    run.mergeLattice(tile, tileWidth, index, height, width, maps[lattice], columns, channels, dy, dx);
  }

  /** Completes a lattice's map where the image has no samples. */
  extend({ level, maps }: LevelState, lattice: Pass | 'A'): void {
    const { rows, columns } = level;
    const known = lattice === 'A' ? level : sites(level, lattice);
    const { channels } = this.definition;
    this.kernels.run.extendLattice(maps[lattice], rows, columns, channels, known.rows, known.columns, maps.A);
  }

  /** Stem inputs of row i to `state.inputs`, its sites' neighbour statistics to `locals` (the row's own). */
  inputs(state: LevelState, pass: Pass, i: number, locals: number): void {
    const { maps, carried, inputs, level } = state;
    const { channels, carry } = this.definition;
    this.kernels.run.features(
      PASSES.indexOf(pass),
      inputs,
      stemInputs(pass, this.definition),
      locals,
      maps.A,
      maps.D,
      maps.H,
      carried,
      carry,
      i,
      level.columns,
      channels,
    );
  }

  /** Runs a pass, whose known lattices must be complete; with `keep`, every map that its gradient needs stays. */
  forward(state: LevelState, pass: Pass, keep: boolean): PassState {
    const { kernels, definition } = this;
    const { level, index, passes } = state;
    const { rows, columns } = level;
    const { width, channels, expand } = definition;
    const inner = expand * width;
    const { run } = kernels;
    const depth = stemInputs(pass, definition);
    const stem = this.allocMap(level, width);
    const locals = kernels.alloc(3 * rows * columns * channels * BYTES);
    const previous = pass === 'D' ? undefined : passes[pass === 'H' ? 'D' : 'H']!.state;
    if (previous !== undefined) {
      const [weight, bias] = [
        this.levelAddress(`${pass}.state.weight`, index),
        this.levelAddress(`${pass}.state.bias`, index),
      ];
      run.conv(stem, previous, weight, bias, rows, columns, width, width, 1, 0);
    }
    const mode = previous === undefined ? 0 : ACCUMULATE;
    const weight = this.levelAddress(`${pass}.stem.weight`, index);
    const bias = this.#stemBias(pass, index);
    for (let i = 0; i < rows; i++) {
      this.inputs(state, pass, i, locals + 3 * i * columns * channels * BYTES);
      const out = this.rowAddress(stem, i, level, width);
      const [stride, inputStride] = [width * BYTES, depth * BYTES];
      run.rowProduct(out, stride, state.inputs, inputStride, 0, 1, depth, weight, bias, width, columns, mode);
    }
    const blocks: PassState['blocks'] = [];
    let current = stem;
    for (let b = 0; b < definition.blocks[PASSES.indexOf(pass)]; b++) {
      const at = (name: string) => this.levelAddress(`${pass}.block${b}.${name}`, index);
      const mixed = keep ? this.allocMap(level, width) : state.mixed;
      const hidden = keep ? this.allocMap(level, inner) : state.hidden;
      run.depthwise(mixed, current, at('depthwise.weight'), at('depthwise.bias'), rows, columns, width, 0);
      run.conv(hidden, mixed, at('expand.weight'), at('expand.bias'), rows, columns, width, inner, 1, RELU);
      if (keep) {
        const next = this.allocMap(level, width);
        const size = (rows + 2) * (columns + 2) * width;
        kernels.floats(next, size).set(kernels.floats(current, size));
        current = next;
      }
      const [weight, bias] = [at('project.weight'), at('project.bias')];
      run.conv(current, hidden, weight, bias, rows, columns, inner, width, 1, ACCUMULATE);
      blocks.push({ mixed, hidden, state: current });
    }
    passes[pass] = { stem, blocks, state: current, locals };
    return passes[pass];
  }

  /** A pass's stem bias: what the level and the tile's texture add. */
  #stemBias(pass: Pass, index: number): number {
    const { width } = this.definition;
    const weight = this.levelAddress(`${pass}.texture.weight`, index);
    const embedding = this.levelEmbedding(pass, index);
    const size = this.textureSize;
    this.kernels.run.rowProduct(this.#bias, 0, this.texture, 0, 0, 1, size, weight, embedding, width, 1, 0);
    return this.#bias;
  }

  /** Raw flow parameters of the sites of row i: columns x headSize float32 to `dst`. */
  head({ level, index, passes }: LevelState, pass: Pass, i: number, dst: number): void {
    const { width } = this.definition;
    const { headSize } = this;
    const [weight, bias] = [
      this.levelAddress(`${pass}.head.weight`, index),
      this.levelAddress(`${pass}.head.bias`, index),
    ];
    const src = this.rowAddress(passes[pass]!.state, i, level, width);
    const [stride, inputStride] = [headSize * BYTES, width * BYTES];
    this.kernels.run.rowProduct(dst, stride, src, inputStride, 0, 1, width, weight, bias, headSize, level.columns, 0);
  }

  /** Address of row i of a pass's neighbour statistics. */
  localRow({ level, passes }: LevelState, pass: Pass, i: number): number {
    return passes[pass]!.locals + 3 * i * level.columns * this.definition.channels * BYTES;
  }

  /** Address of the samples of row i in a lattice's map. */
  sampleRow({ level, maps }: LevelState, pass: Pass, i: number): number {
    return maps[pass] + ((i + 2) * (level.columns + 4) + 2) * this.definition.channels * BYTES;
  }
}
