/**
 * The evidence lower bound of a tile under the coded map, in continuous arithmetic, and its gradient in every parameter:
 * what the trainer minimizes, and what a coded file's length is held against.
 */

import { type ModelDefinition, PASSES, type Pass, parameterCount, stemInputs } from '../../models/definition.js';
import { ACCUMULATE, Kernels } from '../kernels/kernels.js';
import { ContextNetwork, type LevelState, type PassState } from './context.js';
import { type Level, pyramid, sites } from './pyramid.js';
import { tileTexture } from './texture.js';
import type { TileShape, Trace } from './tile-codec.js';

const BYTES = 4;

/** Gradients in a pass's final state, and what later passes and the finer level add to it. */
type StateGradients = Record<Pass, number>;

export class Likelihood {
  readonly #kernels: Kernels;
  readonly #network: ContextNetwork;
  readonly #definition: ModelDefinition;
  readonly #gradients: number;
  readonly #transposed: number;
  readonly #count: number;

  private constructor(kernels: Kernels, definition: ModelDefinition) {
    this.#kernels = kernels;
    this.#definition = definition;
    this.#network = new ContextNetwork(kernels, definition);
    this.#count = parameterCount(definition);
    this.#gradients = kernels.alloc(this.#count * BYTES);
    this.#transposed = kernels.alloc(this.#count * BYTES);
  }

  static async create(definition: ModelDefinition): Promise<Likelihood> {
    return new Likelihood(await Kernels.create(), definition);
  }

  /** Sets the parameters and clears the gradient. */
  load(weights: Float32Array): void {
    this.#network.load(weights, this.#gradients);
    this.gradient().fill(0);
    this.#transpose();
  }

  /** Gradient, in nats, summed over the tiles since `load`; in the order of the model definition. Void after the next tile. */
  gradient(): Float32Array {
    return this.#kernels.floats(this.#gradients, this.#count);
  }

  /**
   * Negative ELBO in nats of a tile (samples as for `TileCodec.encode`), without what is coded plainly (`plainBits`).
   *
   * @param dequantization the seed of u's random numbers (an unsigned 32-bit integer), or the trace of an encoder's u
   * @param gradient whether to add the gradient to `gradient()`
   */
  evaluate(
    samples: Int32Array,
    { width, height, depth }: TileShape,
    dequantization: number | Trace,
    gradient: boolean,
  ): number {
    const kernels = this.#kernels;
    const network = this.#network;
    return kernels.scoped(() => {
      const tile = kernels.alloc(samples.length * BYTES);
      kernels.floats(tile, samples.length).set(samples);
      kernels.run.depthOpen(depth);
      network.describe(tileTexture(samples, width, height, this.#definition.channels));
      const levels = pyramid(height, width);
      const states: LevelState[] = [];
      const gradients: StateGradients[] = [];
      let nats = 0;
      for (let index = levels.length - 1; index >= 0; index--) {
        const state = network.open(levels[index], index, tile, width, states[index + 1]);
        gradients[index] = { D: 0, H: 0, V: 0 };
        for (const pass of PASSES) {
          network.forward(state, pass, gradient);
          network.take(state, pass, tile, width);
          const given = typeof dequantization === 'number' ? undefined : dequantization[index][pass].u;
          const counter =
            typeof dequantization === 'number' ? dequantization + (3 * index + PASSES.indexOf(pass)) * 0x9e3779b1 : 0;
          const dState = gradient ? network.allocMap(state.level, this.#definition.width) : 0;
          gradients[index][pass] = dState;
          nats += this.#passLoss(state, pass, given, counter, dState);
        }
        states[index] = state;
      }
      if (gradient) {
        for (const [index, state] of states.entries())
          this.#backward(state, states[index + 1], gradients[index], gradients[index + 1]);
      }
      return nats;
    });
  }

  /** Loss of a pass's sites; with `dState`, the gradient through the head goes there and to the head's parameters. */
  #passLoss(state: LevelState, pass: Pass, given: Float32Array | undefined, counter: number, dState: number): number {
    const kernels = this.#kernels;
    const network = this.#network;
    const { run } = kernels;
    const { width, channels } = this.#definition;
    const size = network.headSize;
    const { level } = state;
    const { rows, columns } = sites(level, pass);
    return kernels.scoped(() => {
      const head = kernels.alloc(level.columns * size * BYTES);
      const dHead = dState ? kernels.alloc(level.columns * size * BYTES) : 0;
      const u = given ? kernels.alloc(given.length * BYTES) : 0;
      if (given) kernels.floats(u, given.length).set(given);
      let nats = 0;
      for (let i = 0; i < rows; i++) {
        network.head(state, pass, i, head);
        const x = network.sampleRow(state, pass, i);
        const locals = network.localRow(state, pass, i);
        const rowU = u ? u + i * columns * channels * BYTES : 0;
        const rowCounter = (counter + i * columns * channels) >>> 0;
        nats += run.lossRow(head, dHead, size, x, locals, columns, rowU, rowCounter);
        if (!dHead) continue;
        const from = network.rowAddress(state.passes[pass]!.state, i, level, width);
        const to = network.rowAddress(dState, i, level, width);
        const weight = `${pass}.head.weight`;
        const { index } = state;
        const [stride, headStride] = [width * BYTES, size * BYTES];
        run.rowProductWeightGradient(
          this.#to(weight, index),
          from,
          stride,
          0,
          1,
          width,
          dHead,
          headStride,
          size,
          columns,
        );
        run.rowBiasGradient(this.#to(`${pass}.head.bias`, index), dHead, headStride, size, columns);
        run.rowProduct(
          to,
          stride,
          dHead,
          headStride,
          0,
          1,
          size,
          this.#transposedOf(weight, index),
          0,
          width,
          columns,
          0,
        );
      }
      return nats;
    });
  }

  /** Carries a level's state gradients back through its passes, and to the coarser level's last state. */
  #backward(
    state: LevelState,
    coarser: LevelState | undefined,
    own: StateGradients,
    coarse: StateGradients | undefined,
  ): void {
    const { run } = this.#kernels;
    const { width } = this.#definition;
    const { rows, columns } = state.level;
    for (const pass of [...PASSES].reverse()) {
      const dStem = this.#blocksBackward(state.level, state.index, pass, state.passes[pass]!, own[pass]);
      this.#stemBackward(state, pass, dStem);
      if (pass === 'D') {
        if (coarser) this.#carryBackward(state, coarser, dStem, coarse!.V);
        continue;
      }
      const previous: Pass = pass === 'H' ? 'D' : 'H';
      const name = `${pass}.state.weight`;
      const bias = this.#to(`${pass}.state.bias`, state.index);
      run.convGradient(
        this.#to(name, state.index),
        bias,
        state.passes[previous]!.state,
        dStem,
        rows,
        columns,
        width,
        width,
        1,
      );
      run.conv(
        own[previous],
        dStem,
        this.#transposedOf(name, state.index),
        0,
        rows,
        columns,
        width,
        width,
        1,
        ACCUMULATE,
      );
    }
  }

  /** Back through a pass's residual blocks, in place, and returns the gradient of the stem's outputs. */
  #blocksBackward(level: Level, index: number, pass: Pass, { stem, blocks }: PassState, gradient: number): number {
    const kernels = this.#kernels;
    const { run } = kernels;
    const { width, expand } = this.#definition;
    const { rows, columns } = level;
    return kernels.scoped(() => {
      const inner = expand * width;
      const dHidden = this.#network.allocMap(level, inner);
      const dMixed = this.#network.allocMap(level, width);
      for (let b = blocks.length - 1; b >= 0; b--) {
        const { hidden, mixed } = blocks[b];
        const input = b > 0 ? blocks[b - 1].state : stem;
        const to = (part: string) => this.#to(`${pass}.block${b}.${part}`, index);
        const transposed = (part: string) => this.#transposedOf(`${pass}.block${b}.${part}`, index);
        const [project, expansion] = [transposed('project.weight'), transposed('expand.weight')];
        run.convGradient(to('project.weight'), to('project.bias'), hidden, gradient, rows, columns, inner, width, 1);
        run.conv(dHidden, gradient, project, 0, rows, columns, width, inner, 1, 0);
        run.reluGradient(dHidden, hidden, (rows + 2) * (columns + 2) * inner);
        run.convGradient(to('expand.weight'), to('expand.bias'), mixed, dHidden, rows, columns, width, inner, 1);
        run.conv(dMixed, dHidden, expansion, 0, rows, columns, inner, width, 1, 0);
        run.depthwiseGradient(to('depthwise.weight'), to('depthwise.bias'), input, dMixed, rows, columns, width);
        run.depthwise(gradient, dMixed, transposed('depthwise.weight'), 0, rows, columns, width, ACCUMULATE);
      }
      return gradient;
    });
  }

  /** Gradients of a stem's parameters; its inputs are gathered again, row by row. */
  #stemBackward(state: LevelState, pass: Pass, dStem: number): void {
    const { run } = this.#kernels;
    const network = this.#network;
    const { width } = this.#definition;
    const depth = stemInputs(pass, this.#definition);
    const weight = this.#to(`${pass}.stem.weight`, state.index);
    const bias = network.levelEmbedding(pass, state.index) + this.#gradients - network.parameters;
    const texture = this.#to(`${pass}.texture.weight`, state.index);
    for (let i = 0; i < state.level.rows; i++) {
      network.inputs(state, pass, i, network.localRow(state, pass, i));
      const d = network.rowAddress(dStem, i, state.level, width);
      const { columns } = state.level;
      const [stride, inputStride] = [width * BYTES, depth * BYTES];
      run.rowProductWeightGradient(weight, state.inputs, inputStride, 0, 1, depth, d, stride, width, columns);
      run.rowBiasGradient(bias, d, stride, width, columns);
      run.rowProductWeightGradient(texture, network.texture, 0, 0, 1, network.textureSize, d, stride, width, columns);
    }
  }

  /** From pass D's stem through the carried features to the coarser level's last state. */
  #carryBackward(state: LevelState, coarser: LevelState, dStem: number, dCoarse: number): void {
    const kernels = this.#kernels;
    const { run } = kernels;
    const { width, carry } = this.#definition;
    const { level } = state;
    const from = coarser.level;
    kernels.scoped(() => {
      const dCarried = this.#network.allocMap(level, carry);
      const transposed = this.#transposedOf('D.stem.weight', state.index);
      run.conv(dCarried, dStem, transposed, 0, level.rows, level.columns, width, carry, 1, 0);
      const dProjected = this.#network.allocMap(from, 4 * carry);
      run.collectCarry(dProjected, from.columns, dCarried, level.rows, level.columns, carry);
      const source = coarser.passes.V!.state;
      const bias = this.#to('carry.bias', state.index);
      run.convGradient(
        this.#to('carry.weight', state.index),
        bias,
        source,
        dProjected,
        from.rows,
        from.columns,
        width,
        4 * carry,
        1,
      );
      const back = this.#transposedOf('carry.weight', state.index);
      run.conv(dCoarse, dProjected, back, 0, from.rows, from.columns, 4 * carry, width, 1, ACCUMULATE);
    });
  }

  /** Address of a parameter's gradient. */
  #to(name: string, index: number): number {
    return this.#network.levelAddress(name, index) + this.#gradients - this.#network.parameters;
  }

  /** Address of a weight's transpose. */
  #transposedOf(name: string, index: number): number {
    return this.#network.levelAddress(name, index) + this.#transposed - this.#network.parameters;
  }

  #transpose(): void {
    const { run } = this.#kernels;
    const { width, carry, blocks, expand, separate } = this.#definition;
    const network = this.#network;
    for (let set = 0; set <= separate; set++) {
      const one = (name: string, taps: number, cin: number, cout: number) =>
        run.transposeWeights(this.#transposedOf(name, set), network.levelAddress(name, set), taps, cin, cout);
      for (const [i, pass] of PASSES.entries()) {
        one(`${pass}.head.weight`, 1, width, network.headSize);
        if (pass !== 'D') one(`${pass}.state.weight`, 1, width, width);
        for (let b = 0; b < blocks[i]; b++) {
          one(`${pass}.block${b}.depthwise.weight`, 3, 1, width);
          one(`${pass}.block${b}.expand.weight`, 1, width, expand * width);
          one(`${pass}.block${b}.project.weight`, 1, expand * width, width);
        }
      }
      one('carry.weight', 1, width, 4 * carry);
      // Of pass D's stem only the carried features have a gradient: its last `carry` input rows.
      const first = stemInputs('D', this.#definition) - carry;
      const rows = network.levelAddress('D.stem.weight', set) + first * width * BYTES;
      run.transposeWeights(this.#transposedOf('D.stem.weight', set), rows, 1, carry, width);
    }
  }
}
