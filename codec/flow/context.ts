/**
 * The context network: what is known of a level's lattices, turned into the flow's raw parameters at every site. Each cell
 * has a state of `width` channels that the three passes D, H, V carry on: a pass adds what its newly known lattice shows,
 * runs its residual blocks, and a linear head reads the parameters of its sites from the state. The finished state of a
 * level, projected to `carry` features for each of the four cells it becomes, enters the next finer level's first pass.
 */

import {
  type Affine,
  type BlockParameters,
  contextAt,
  headLayout,
  type ModelDefinition,
  type ModelParameters,
  modelParameters,
  PASSES,
  type Pass,
  type PassParameters,
  stemInputs,
  TEXTURE_VALUES,
} from '../../models/definition.js';
import type { Kernels } from '../kernels/kernels.js';
import {
  type CellMap,
  cells,
  type Mode,
  Operations,
  type QuantizedVectors,
  rowOf,
  type Vectors,
} from '../kernels/operations.js';
import { ParameterArray } from './parameter-array.js';
import { type Level, OFFSETS, pyramid, sites } from './pyramid.js';
import { QuantizedWeights } from './quantized-weights.js';
import type { RunBlock } from './run.js';
import { textureInputs } from './texture.js';

const BYTES = 4;

/** Samples of a tile in the kernels' memory: height * width * channels float32. */
export interface TileSamples {
  readonly address: number;
  readonly width: number;
  readonly height: number;
}

/** What a residual block computed. */
export interface BlockState {
  /** The depthwise filtered state and the hidden map, if they are kept, and the state after the block. */
  readonly mixed: CellMap | undefined;
  readonly hidden: CellMap | undefined;
  readonly state: CellMap;
}

/** A residual block of which nothing is computed yet. */
interface WaitingBlock {
  readonly parameters: BlockParameters;
  readonly from: CellMap;
  readonly to: BlockState;
}

/** What a pass computed. */
export interface PassState {
  /** State after the stem. */
  readonly stem: CellMap;
  readonly blocks: readonly BlockState[];
  /** State after the last block. */
  readonly state: CellMap;
  /** The last block, if it waits to be computed for one site after the other. */
  readonly waiting: WaitingBlock | undefined;
  /** What is known of each site's neighbours: rows x columns x 3 * channels float32 (see `features` among the kernels), no ring. */
  readonly locals: number;
}

/** Everything known and computed of one level. */
export interface LevelState {
  readonly level: Level;
  /** 0 is the finest. */
  readonly index: number;
  /** Its maps are void unless all are kept. */
  readonly coarser: LevelState | undefined;
  /** Addresses of the lattices' maps, which have a ring of two. */
  readonly lattices: Record<Pass | 'A', number>;
  /** Features carried up from the coarser level. */
  readonly carried: CellMap;
  readonly passes: Partial<Record<Pass, PassState>>;
  /** Scratch: one row of stem inputs, of hidden channels and of the filtered state. */
  readonly inputs: number;
  readonly hidden: Vectors;
  readonly mixed: CellMap;
  /** Scratch: any of them as integers. */
  readonly quantized: QuantizedVectors;
  /** Unless all are kept: room for the first state, above which there is room for those that follow (see `#room`). */
  readonly first: CellMap | undefined;
  readonly locals: number;
}

export class ContextNetwork {
  readonly operations: Operations;
  readonly parameters: ModelParameters;
  readonly weights: ParameterArray;
  readonly #quantized: QuantizedWeights;
  /** The tile's texture as the network sees it. */
  readonly texture: Vectors;
  /** Scratch for a pass's stem bias: level embedding and texture. */
  readonly #bias: Vectors;
  readonly #headSize: number;
  /** Address of the flow among the kernels, which the model's weights set. */
  readonly flow: number;

  /** @param lastWait whether each pass's last block waits to be computed by `openRow` and `block`, as its weights change on the way */
  constructor(
    readonly kernels: Kernels,
    readonly definition: ModelDefinition,
    readonly lastWait = false,
  ) {
    const { channels, width } = definition;
    this.operations = new Operations(kernels);
    this.parameters = modelParameters(definition);
    this.weights = new ParameterArray(kernels, this.parameters.count);
    this.#quantized = new QuantizedWeights(kernels, this.#wholeMaps(), this.weights);
    this.texture = this.operations.vectors(1, TEXTURE_VALUES * channels);
    this.#bias = this.operations.vectors(1, width);
    this.#headSize = headLayout(definition).size;
    this.flow = kernels.alloc(kernels.run.flowBytes(channels, this.#headSize));
  }

  /** The linear maps that compute with whole numbers. */
  #wholeMaps(): Affine[] {
    return this.parameters.contexts.flatMap(({ carry, passes }) => [
      carry,
      ...Object.values(passes).flatMap(({ stem, state, blocks, head }) => [
        stem,
        ...(state ? [state] : []),
        ...blocks.flatMap(({ expand, project }) => [expand, project]),
        head,
      ]),
    ]);
  }

  /** A linear map of `to.count` vectors with whole numbers, for which `room` is scratch. */
  #linear(
    to: Vectors,
    from: Vectors,
    map: Affine,
    room: QuantizedVectors,
    mode: Mode = 'replace',
    bias = this.weights.at(map.bias),
  ): void {
    const { weight, scales } = this.#quantized.of(map);
    this.operations.quantizedProduct(to, from, { weight, scales, bias }, room, mode);
  }

  /** Sets the weights; the flow uses them from now on, and adds its gradients to `gradients`. */
  load(weights: Float32Array, gradients?: ParameterArray): void {
    const { channels, hidden, mixtures } = this.definition;
    const field = this.parameters.field.others;
    this.weights.values.set(weights);
    this.#quantized.takeAll();
    this.kernels.run.flowOpen(
      this.flow,
      channels,
      hidden,
      mixtures,
      this.#headSize,
      this.weights.at(field),
      gradients?.at(field) ?? 0,
    );
  }

  /** Takes a tile's texture (see `tileTexture`); the passes use it from now on. */
  describe(texture: Uint8Array): void {
    this.kernels.floats(this.texture.address, this.texture.channels).set(textureInputs(texture));
  }

  /**
   * Computes the context of each of a tile's passes in decoding order, from the coarsest level to the finest. Before it goes
   * on, whoever iterates makes the pass's lattice known: with `take` where the tile is known, with `put` where it is decoded.
   *
   * @param options.keep whether every map that the gradient needs stays; else each level takes the memory of the one before, and of
   *   whatever was allocated meanwhile
   * @param options.finest level to end with, 0 the finest of all
   */
  *passes(tile: TileSamples, { keep = false, finest = 0 } = {}): Generator<{ state: LevelState; pass: Pass }> {
    const levels = pyramid(tile.height, tile.width);
    if (levels.length <= finest) return;
    const room = keep ? undefined : this.operations.map(levels[finest], this.definition.carry);
    const release = this.kernels.mark();
    let state: LevelState | undefined;
    for (let index = levels.length - 1; index >= finest; index--) {
      const carried = this.#carry(levels[index], index, state, room);
      if (!keep) release();
      state = this.#open({ level: levels[index], index, coarser: state, carried }, tile, keep);
      for (const pass of PASSES) {
        this.#forward(state, pass, keep);
        yield { state, pass };
      }
    }
  }

  /** Takes a lattice from the tile's samples. */
  take(state: LevelState, lattice: Pass | 'A', tile: TileSamples): void {
    const { level, index, lattices } = state;
    const { channels } = this.definition;
    const [dy, dx] = OFFSETS[lattice];
    const { height, width, columns } = level;
    const { run } = this.kernels;
    run.splitLattice(lattices[lattice], columns, tile.address, tile.width, index, height, width, channels, dy, dx);
    this.#extend(state, lattice);
  }

  /** Puts a lattice's samples, which are known now, into the tile. */
  put(state: LevelState, lattice: Pass, tile: TileSamples): void {
    this.#extend(state, lattice);
    const { level, index, lattices } = state;
    const { channels } = this.definition;
    const [dy, dx] = OFFSETS[lattice];
    const { height, width, columns } = level;
    const { run } = this.kernels;
    run.mergeLattice(tile.address, tile.width, index, height, width, lattices[lattice], columns, channels, dy, dx);
  }

  /** Room for the raw flow parameters of a row of at most `columns` cells. */
  headRow(columns: number): Vectors {
    return this.operations.vectors(columns, this.#headSize);
  }

  /** Raw flow parameters of `to.count` sites of row i, the first in column j; returns the states that they are read from. */
  head({ index, passes, quantized }: LevelState, pass: Pass, i: number, j: number, to: Vectors): Vectors {
    const { head } = this.at(index, pass);
    const from = cells(passes[pass]!.state, i, to.count, j);
    this.#linear(to, from, head, quantized);
    return from;
  }

  /** Address of row i of a pass's neighbour statistics. */
  localRow({ level, passes }: LevelState, pass: Pass, i: number): number {
    return passes[pass]!.locals + 3 * i * level.columns * this.definition.channels * BYTES;
  }

  /** Address of the samples of row i in a lattice's map. */
  sampleRow({ level, lattices }: LevelState, pass: Pass, i: number): number {
    return lattices[pass] + ((i + 2) * (level.columns + 4) + 2) * this.definition.channels * BYTES;
  }

  /** Stem inputs of row i, and its sites' neighbour statistics at their place. */
  inputs(state: LevelState, pass: Pass, i: number, locals: number): Vectors {
    const { lattices, carried, inputs, level } = state;
    const { channels, carry } = this.definition;
    const depth = stemInputs(pass, this.definition);
    this.kernels.run.features(
      PASSES.indexOf(pass),
      inputs,
      depth,
      locals + 3 * i * level.columns * channels * BYTES,
      lattices.A,
      lattices.D,
      lattices.H,
      carried.address,
      carry,
      i,
      level.columns,
      channels,
    );
    return { address: inputs, count: level.columns, channels: depth };
  }

  /** A pass's parameters at a level. */
  at(index: number, pass: Pass): PassParameters {
    return contextAt(this.parameters, index).passes[pass];
  }

  /** The row of a stem's bias that a level has to itself: its embedding. */
  embedding(index: number): number {
    return Math.min(index, this.definition.levels - 1);
  }

  /** What the coarser level, if there is one, hands up to the cells of the next, in a given room or one of its own. */
  #carry(level: Level, index: number, coarser: LevelState | undefined, room: CellMap | undefined): CellMap {
    const { kernels, operations } = this;
    const { carry } = this.definition;
    const carried = room ? operations.mapIn(room, level) : operations.map(level, carry);
    if (!coarser) return carried;
    const projection = contextAt(this.parameters, index).carry;
    kernels.scoped(() => {
      const { columns, rows } = coarser.level;
      const projected = operations.map({ rows: 1, columns }, 4 * carry);
      for (let i = 0; i < rows; i++) {
        this.#linear(cells(projected, 0), cells(coarser.passes.V!.state, i), projection, coarser.quantized);
        const { address } = rowOf(carried, 2 * i);
        const count = Math.min(2, level.rows - 2 * i);
        kernels.run.spreadCarry(address, count, level.columns, projected.address, columns, carry);
      }
    });
    return carried;
  }

  /** Opens a level whose A lattice is known: takes it from the tile. */
  #open(
    given: Pick<LevelState, 'level' | 'index' | 'coarser' | 'carried'>,
    tile: TileSamples,
    keep: boolean,
  ): LevelState {
    const { kernels, definition, operations } = this;
    const { level } = given;
    const { columns } = level;
    const { width, expand } = definition;
    const widest = Math.max(...PASSES.map((pass) => stemInputs(pass, definition)));
    const lattice = () => this.lattice(level);
    const state: LevelState = {
      ...given,
      lattices: { A: lattice(), D: lattice(), H: lattice(), V: lattice() },
      passes: {},
      inputs: kernels.alloc(columns * widest * BYTES),
      hidden: operations.vectors(columns, expand * width),
      mixed: operations.map({ rows: 1, columns }, width),
      quantized: operations.quantizedVectors(columns, Math.max(widest, expand * width)),
      first: keep ? undefined : this.#firstState(level),
      locals: this.#locals(level),
    };
    this.take(state, 'A', tile);
    return state;
  }

  /** Room for a lattice's map, of zeros. */
  lattice({ rows, columns }: Level): number {
    return this.kernels.alloc((rows + 4) * (columns + 4) * this.definition.channels * BYTES);
  }

  /** Room for the neighbour statistics of all sites. */
  #locals({ rows, columns }: Level): number {
    return this.kernels.alloc(3 * rows * columns * this.definition.channels * BYTES);
  }

  /** Completes a lattice's map where the image has no samples. */
  #extend({ level, lattices }: LevelState, lattice: Pass | 'A'): void {
    const { rows, columns } = level;
    const known = lattice === 'A' ? level : sites(level, lattice);
    const { channels } = this.definition;
    const { run } = this.kernels;
    run.extendLattice(lattices[lattice], rows, columns, channels, known.rows, known.columns, lattices.A);
  }

  /** Runs a pass, whose known lattices must be complete. */
  #forward(state: LevelState, pass: Pass, keep: boolean): void {
    const { operations } = this;
    const { level, index, passes, quantized } = state;
    const parameters = this.at(index, pass);
    const locals = keep ? this.#locals(level) : state.locals;
    const previous = pass === 'D' ? undefined : passes[pass === 'H' ? 'D' : 'H']!.state;
    const stem = this.#room(state, previous);
    const bias = this.#stemBias(parameters, index);
    for (let i = 0; i < level.rows; i++) {
      const to = cells(stem, i);
      if (previous) this.#linear(to, cells(previous, i), parameters.state!, quantized);
      const inputs = this.inputs(state, pass, i, locals);
      this.#linear(to, inputs, parameters.stem, quantized, previous ? 'add' : 'replace', bias);
    }
    operations.closeBelow(stem);
    const blocks: BlockState[] = [];
    let current = stem;
    let waiting: WaitingBlock | undefined;
    for (const block of parameters.blocks) {
      const next = { parameters: block, from: current, to: this.#blockRoom(state, current, keep) };
      if (this.lastWait && block === parameters.blocks.at(-1)) waiting = next;
      else this.#compute(state, next);
      blocks.push(next.to);
      current = next.to.state;
    }
    passes[pass] = { stem, blocks, state: current, waiting, locals };
  }

  #blockRoom(level: LevelState, from: CellMap, keep: boolean): BlockState {
    const { operations } = this;
    const mixed = keep ? operations.map(from, from.channels) : undefined;
    const hidden = keep ? operations.map(from, level.hidden.channels) : undefined;
    return { mixed, hidden, state: this.#room(level, from) };
  }

  /** Computes the state behind a residual block, row by row: a row of its other channels stays in the processor's cache. */
  #compute(level: LevelState, block: WaitingBlock): void {
    for (let i = 0; i < block.from.rows; i++) {
      this.#filterRow(level, block, i);
      this.#computeCells(level, block, i, 0, block.from.columns);
    }
    this.operations.closeBelow(block.to.state);
  }

  /** Filters row i of the states before a block. The states behind it may lie over the row above from now on. */
  #filterRow(level: LevelState, { parameters, from, to }: WaitingBlock, i: number): void {
    const mixed = to.mixed ? rowOf(to.mixed, i) : level.mixed;
    this.operations.depthwise(mixed, rowOf(from, i), this.weights.of(parameters.depthwise), 'replace');
  }

  /** Computes the states of `count` cells of the row that was filtered, the first in column j. */
  #computeCells(
    level: LevelState,
    { parameters, from, to }: WaitingBlock,
    i: number,
    j: number,
    count: number,
  ): RunBlock {
    const { operations } = this;
    const mixed = to.mixed ? cells(to.mixed, i, count, j) : cells(level.mixed, 0, count, j);
    const { address, channels } = level.hidden;
    const hidden = to.hidden
      ? cells(to.hidden, i, count, j)
      : { address: address + j * channels * BYTES, count, channels };
    const state = cells(to.state, i, count, j);
    this.#linear(hidden, mixed, parameters.expand, level.quantized, 'relu');
    operations.copy(state, cells(from, i, count, j));
    this.#linear(state, hidden, parameters.project, level.quantized, 'add');
    return { parameters, mixed, hidden };
  }

  /** Begins with row i of a pass whose last block waits. */
  openRow(level: LevelState, pass: Pass, i: number): void {
    const { waiting } = level.passes[pass]!;
    if (waiting) this.#filterRow(level, waiting, i);
  }

  /** Computes the states of `count` cells of the row that was begun with, the first in column j, if they wait. */
  block(level: LevelState, pass: Pass, i: number, j: number, count: number): RunBlock | undefined {
    const { waiting } = level.passes[pass]!;
    return waiting && this.#computeCells(level, waiting, i, j, count);
  }

  /** Ends a pass, all of whose states are computed. */
  closePass(level: LevelState, pass: Pass): void {
    const { waiting } = level.passes[pass]!;
    if (waiting) this.operations.closeBelow(waiting.to.state);
  }

  /** Takes a linear map's weights, which have changed, as whole numbers anew. */
  requantize(map: Affine): void {
    this.#quantized.take(map);
  }

  /** Room for a level's first state, below as many rows as states follow it. */
  #firstState({ rows, columns }: Level): CellMap {
    const { width, blocks } = this.definition;
    const following = PASSES.length - 1 + blocks.reduce((sum, count) => sum + count, 0);
    return { ...rowOf(this.operations.map({ rows: rows + following, columns }, width), following), rows };
  }

  /**
   * Room for the state that follows another: a new map if all are kept. Else it lies over the other, a row higher: its row i is computed
   * from the other's rows i - 1, i and i + 1, of which the next row does not need the first.
   */
  #room({ level, first }: LevelState, before: CellMap | undefined): CellMap {
    if (!first) return this.operations.map(level, this.definition.width);
    return before ? { ...rowOf(before, -1), rows: before.rows } : first;
  }

  /** Address of a pass's stem bias: what the level and the tile's texture add. */
  #stemBias({ stem, texture }: PassParameters, index: number): number {
    const linear = { weight: this.weights.at(texture), bias: this.weights.at(stem.bias, this.embedding(index)) };
    this.operations.product(this.#bias, this.texture, linear, 'replace');
    return this.#bias.address;
  }
}
