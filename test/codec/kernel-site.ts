import { ContextNetwork } from '../../codec/flow/context.js';
import { Kernels } from '../../codec/kernels/kernels.js';
import {
  type FieldParameters,
  type HeadLayout,
  headLayout,
  type ModelDefinition,
  modelParameters,
} from '../../models/definition.js';

/** Kernels with a field of random parameters, and a row of sites, whose heads and neighbour statistics are to be set: mostly of one. */
export class KernelSite {
  /** Address of the head's raw outputs, a row a site. */
  readonly row: number;
  /** Address of the neighbours' means, spreads and logarithms of these. */
  readonly local: number;
  /** Address of the sites' samples, one float32 a coordinate. */
  readonly x: number;
  readonly layout: HeadLayout;

  private constructor(
    readonly kernels: Kernels,
    readonly network: ContextNetwork,
    readonly columns: number,
  ) {
    this.layout = headLayout(network.definition);
    this.row = kernels.alloc(4 * this.layout.size * columns);
    this.local = kernels.alloc(3 * 3 * 4 * columns);
    this.x = kernels.alloc(3 * 4 * columns);
  }

  static async create(definition: ModelDefinition, depth = 8, columns = 1): Promise<KernelSite> {
    const kernels = await Kernels.create();
    kernels.run.depthOpen(depth);
    const network = new ContextNetwork(kernels, definition);
    network.load(new Float32Array(modelParameters(definition).count));
    return new KernelSite(kernels, network, columns);
  }

  /** The sites' samples. */
  get samples(): Float32Array {
    return this.kernels.floats(this.x, this.columns * this.network.definition.channels);
  }

  /** First slots of the bins of a coordinate, given the samples before it, of a site of the first group. */
  slots(k: number, bins: readonly number[], lane = 0): number[] {
    const { run } = this.kernels;
    const { flow } = this.network;
    run.sitesOpen(flow, this.row, this.x, this.local, Math.min(this.columns, 4), k);
    return bins.map((bin) => run.binSlot(flow, k, lane, bin) >>> 0);
  }

  /** Pushes the samples. */
  push(): void {
    const { run } = this.kernels;
    const { flow, definition } = this.network;
    const notes = this.kernels.alloc(run.noteBytes(definition.channels, this.columns));
    run.noteRow(flow, this.row, 0, this.x, this.local, this.columns, notes, 0);
    run.pushNotes(notes, notes + run.noteBytes(definition.channels, this.columns));
  }

  /** Pops them. */
  pop(): void {
    this.kernels.run.decodeRow(this.network.flow, this.row, 0, this.x, this.local, this.columns);
  }

  /** Raw head outputs of the sites. */
  get head(): Float32Array {
    return this.kernels.floats(this.row, this.columns * this.layout.size);
  }

  /** Sets the mean and the spread of coordinate k's neighbours, at site j. */
  setLocal(k: number, mean: number, spread: number, j = 0): void {
    const { channels } = this.network.definition;
    const values = this.kernels.floats(this.local + 3 * 4 * j * channels, 3 * channels);
    values[k] = mean;
    values[channels + k] = spread;
    values[2 * channels + k] = Math.log(spread);
  }

  /** Location m and log s of coordinate k at the first site, by the formulas of `site.ts` among the kernels. */
  normalisation(k: number): { mean: number; logScale: number } {
    const { channels } = this.network.definition;
    const values = this.kernels.floats(this.local, 3 * channels);
    const [mean, spread, logSpread] = [values[k], values[channels + k], values[2 * channels + k]];
    const outputs = this.head;
    const raw = outputs[this.layout.logScale + k];
    const logScale = logSpread - 0.5 + raw / (1 + Math.abs(raw) / 3);
    return {
      mean: mean + spread * outputs[this.layout.mean + k],
      logScale: Math.max(-2.7, Math.min(4.1, logScale)),
    };
  }

  /** A field parameter's values. */
  parameter(name: keyof FieldParameters): Float32Array {
    const { weights, parameters } = this.network;
    const parameter = parameters.field[name];
    return this.kernels.floats(weights.at(parameter), parameter.size);
  }

  /** Gives the field its parameters as they are now, as a model's weights are given to it. */
  reload(): void {
    this.network.load(this.network.weights.values.slice());
  }

  /** Opens a stack of `words` words, of which the lower half is filled. */
  openStack(words: number, seed: number, states = 1): void {
    const address = this.kernels.alloc(4 * words);
    const filled = this.kernels.words(address, words >> 1);
    for (let i = 0; i < filled.length; i++) filled[i] = Math.imul(i + seed, 0x9e3779b1) >>> 0;
    this.kernels.run.stackOpen(address, 4 * words, words >> 1, 0x12345678, 0x9abcdef0);
    for (let j = 1; j < states; j++) this.kernels.run.stackJoin(0x12345678 + j, 0x9abcdef0);
  }

  /** The stack's content in bits. */
  bits(): number {
    const { run } = this.kernels;
    return 32 * run.stackCount() + Math.log2((run.stackHigh(0) >>> 0) * 2 ** 32 + (run.stackLow(0) >>> 0));
  }

  /** The stack's state, or states, to compare. */
  state(states = 1): number[] {
    const { run } = this.kernels;
    const words = Array.from({ length: states }, (_, j) => [run.stackHigh(j) >>> 0, run.stackLow(j) >>> 0]);
    return [run.stackCount(), ...words.flat(), run.stackFailed()];
  }
}
