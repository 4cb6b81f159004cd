/**
 * The negative log-likelihood of a tile, in continuous arithmetic, and its gradient in every parameter: what the trainer
 * minimizes, and what a coded file's length is held against.
 */

import {
  type Affine,
  contextAt,
  type ModelDefinition,
  modelParameters,
  PASSES,
  type Pass,
  stemInputs,
} from '../../models/definition.js';
import { Kernels } from '../kernels/kernels.js';
import { type CellMap, cells, type Linear } from '../kernels/operations.js';
import type { ContextNetwork, LevelState } from './context.js';
import type { Pace } from './model.js';
import { ParameterArray } from './parameter-array.js';
import type { Run } from './run.js';
import { SiteWalk, type TileShape } from './walk.js';

/** Gradients in the final states of a level's passes: from the head, and what later passes and the finer level add. */
type StateGradients = Record<Pass, CellMap>;

export class Likelihood {
  readonly #kernels: Kernels;
  readonly #walk: SiteWalk;
  readonly #network: ContextNetwork;
  readonly #definition: ModelDefinition;
  readonly #gradients: ParameterArray;
  /** The weights that carry gradients from a linear map's output to its input. */
  readonly #transposed: ParameterArray;

  private constructor(kernels: Kernels, definition: ModelDefinition, pace: Pace | undefined) {
    this.#kernels = kernels;
    this.#definition = definition;
    const { count } = modelParameters(definition);
    this.#gradients = new ParameterArray(kernels, count);
    this.#transposed = new ParameterArray(kernels, count);
    this.#walk = new SiteWalk(kernels, definition, pace, this.#gradients);
    this.#network = this.#walk.network;
  }

  /** @param pace of a flow that goes on learning in every tile */
  static async create(definition: ModelDefinition, pace?: Pace): Promise<Likelihood> {
    return new Likelihood(await Kernels.create(), definition, pace);
  }

  /** Sets the parameters and clears the gradient. */
  load(weights: Float32Array): void {
    this.#walk.load(weights);
    this.gradient().fill(0);
    this.#transpose();
  }

  /**
   * Gradient, in nats, summed over the tiles since `load`; in the order of the model definition. Void after the next tile. Where the flow
   * goes on learning it is that of first order (Finn, Abbeel, Levine 2017): what the weights are by then counts as what they were at first.
   */
  gradient(): Float32Array {
    return this.#gradients.values;
  }

  /** The weights as they are by now: as loaded, but for what was learned from the last tile. Void after the next one. */
  learned(): Float32Array {
    return this.#network.weights.values;
  }

  /**
   * Negative log-likelihood in nats of a tile (samples as for `TileCodec.encode`), without what is coded plainly (`plainBits`).
   *
   * @param gradient whether to add the gradient to `gradient()`
   */
  evaluate(samples: Int32Array, shape: TileShape, gradient: boolean): number {
    const network = this.#network;
    this.#walk.reset();
    return this.#kernels.scoped(() => {
      const { tile } = this.#walk.open(samples, shape);
      const gradients = new Map<LevelState, StateGradients>();
      let nats = 0;
      for (const { state, pass } of network.passes(tile, { keep: gradient })) {
        network.take(state, pass, tile);
        if (gradient && pass === 'D') gradients.set(state, this.#stateGradients(state));
        nats += this.#passLoss(state, pass, gradients.get(state)?.[pass]);
      }
      this.#walk.finish();
      for (const [state, own] of [...gradients].reverse()) {
        this.#backward(state, own, state.coarser && gradients.get(state.coarser));
      }
      return nats;
    });
  }

  #stateGradients({ level }: LevelState): StateGradients {
    const map = () => this.#network.operations.map(level, this.#definition.width);
    return { D: map(), H: map(), V: map() };
  }

  /** Loss of a pass's sites; with `dState`, the gradient through the head goes there. */
  #passLoss(state: LevelState, pass: Pass, dState: CellMap | undefined): number {
    const { run } = this.#kernels;
    const { flow, operations } = this.#network;
    const { head } = this.#network.at(state.index, pass);
    let nats = 0;
    const code = ({ outputs, gradient, x, locals, count, row, first }: Run) => {
      nats += run.lossRow(flow, outputs.address, gradient?.address ?? 0, x, locals, count);
      if (!dState || !gradient) return;
      // The head may have learned since.
      if (this.#walk.adapts) this.#transposeOf(head);
      operations.product(cells(dState, row, count, first), gradient, this.#back(head), 'replace');
    };
    this.#walk.pass(state, pass, code, dState !== undefined);
    return nats;
  }

  /** Carries a level's state gradients back through its passes, and to the coarser level's last state. */
  #backward(state: LevelState, own: StateGradients, coarse: StateGradients | undefined): void {
    const { operations } = this.#network;
    for (const pass of [...PASSES].reverse()) {
      this.#blocksBackward(state, pass, own[pass]);
      // In place: what was the gradient of the last state is now the stem's.
      const dStem = own[pass];
      this.#stemBackward(state, pass, dStem);
      const { state: linear } = this.#network.at(state.index, pass);
      if (linear) {
        const previous: Pass = pass === 'H' ? 'D' : 'H';
        operations.mapProductGradient(this.#gradients.of(linear), state.passes[previous]!.state, dStem);
        operations.mapProduct(own[previous], dStem, this.#back(linear), 'add');
      } else if (state.coarser) {
        this.#carryBackward(state, state.coarser, dStem, coarse!.V);
      }
    }
  }

  /** Back through a pass's residual blocks: the gradient of its last state becomes, in place, that of its stem. */
  #blocksBackward({ level, index, passes }: LevelState, pass: Pass, gradient: CellMap): void {
    const { operations } = this.#network;
    const { width, expand } = this.#definition;
    const { stem, blocks } = passes[pass]!;
    this.#kernels.scoped(() => {
      const dHidden = operations.map(level, expand * width);
      const dMixed = operations.map(level, width);
      for (const [b, parameters] of [...this.#network.at(index, pass).blocks.entries()].reverse()) {
        const mixed = blocks[b].mixed!;
        const hidden = blocks[b].hidden!;
        const input = b > 0 ? blocks[b - 1].state : stem;
        const { depthwise, expand: expansion, project } = parameters;
        operations.mapProductGradient(this.#gradients.of(project), hidden, gradient);
        operations.mapProduct(dHidden, gradient, this.#back(project), 'replace');
        for (let i = 0; i < level.rows; i++) operations.reluGradient(cells(dHidden, i), cells(hidden, i));
        operations.mapProductGradient(this.#gradients.of(expansion), mixed, dHidden);
        operations.mapProduct(dMixed, dHidden, this.#back(expansion), 'replace');
        operations.depthwiseGradient(this.#gradients.of(depthwise), input, dMixed);
        operations.depthwise(gradient, dMixed, this.#back(depthwise), 'add');
      }
    });
  }

  /** Gradients of a stem's parameters; its inputs are gathered again, row by row. */
  #stemBackward(state: LevelState, pass: Pass, dStem: CellMap): void {
    const network = this.#network;
    const { operations } = network;
    const { stem, texture } = network.at(state.index, pass);
    const bias = this.#gradients.at(stem.bias, network.embedding(state.index));
    for (let i = 0; i < dStem.rows; i++) {
      const inputs = network.inputs(state, pass, i, state.passes[pass]!.locals);
      const d = cells(dStem, i);
      operations.productWeightGradient(this.#gradients.at(stem.weight), inputs, d);
      operations.productBiasGradient(bias, d);
      operations.productWeightGradient(this.#gradients.at(texture), { ...network.texture, repeated: true }, d);
    }
  }

  /** From pass D's stem through the carried features to the coarser level's last state. */
  #carryBackward(state: LevelState, coarser: LevelState, dStem: CellMap, dCoarse: CellMap): void {
    const { operations, parameters } = this.#network;
    const { carry } = this.#definition;
    const { stem } = this.#network.at(state.index, 'D');
    const { carry: projection } = contextAt(parameters, state.index);
    this.#kernels.scoped(() => {
      const dCarried = operations.map(state.level, carry);
      operations.mapProduct(dCarried, dStem, this.#back(stem), 'replace');
      const dProjected = operations.map(coarser.level, 4 * carry);
      const { rows, columns } = dCarried;
      this.#kernels.run.collectCarry(dProjected.address, dProjected.columns, dCarried.address, rows, columns, carry);
      operations.mapProductGradient(this.#gradients.of(projection), coarser.passes.V!.state, dProjected);
      operations.mapProduct(dCoarse, dProjected, this.#back(projection), 'add');
    });
  }

  /** What carries gradients from a linear map's output to its input. */
  #back({ weight }: Affine): Linear {
    return { weight: this.#transposed.at(weight), bias: 0 };
  }

  #transposeOf({ weight }: Affine): void {
    const { operations, weights } = this.#network;
    operations.transpose(this.#transposed.at(weight), weights.at(weight), weight.shape);
  }

  #transpose(): void {
    const { run } = this.#kernels;
    const { width, carry } = this.#definition;
    const { operations, parameters, weights } = this.#network;
    for (const { passes, carry: projection } of parameters.contexts) {
      for (const { state, blocks, head } of Object.values(passes)) {
        this.#transposeOf(head);
        if (state) this.#transposeOf(state);
        for (const { depthwise, expand, project } of blocks) {
          run.reverseTaps(this.#transposed.at(depthwise.weight), weights.at(depthwise.weight), width);
          this.#transposeOf(expand);
          this.#transposeOf(project);
        }
      }
      this.#transposeOf(projection);
      // Of pass D's stem only the carried features have a gradient: its last `carry` input rows.
      const { weight } = passes.D.stem;
      const first = stemInputs('D', this.#definition) - carry;
      operations.transpose(this.#transposed.at(weight), weights.at(weight, first), [carry, width]);
    }
  }
}
