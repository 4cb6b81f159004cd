import { ContextNetwork } from '../codec/flow/context.js';
import { Kernels } from '../codec/kernels/kernels.js';
import {
  type FieldParameters,
  type HeadLayout,
  headLayout,
  type ModelDefinition,
  modelParameters,
} from '../models/definition.js';

/** Kernels with a field of random parameters, and one site's head row and neighbour statistics to set. */
export class KernelSite {
  readonly row: number;
  /** Address of the neighbours' means, spreads and logarithms of these. */
  readonly local: number;
  /** Address of the site's samples, one float32 a coordinate. */
  readonly x: number;
  readonly layout: HeadLayout;

  private constructor(
    readonly kernels: Kernels,
    readonly network: ContextNetwork,
  ) {
    this.layout = headLayout(network.definition);
    this.row = kernels.alloc(4 * this.layout.size);
    this.local = kernels.alloc(3 * 3 * 4);
    this.x = kernels.alloc(3 * 4);
  }

  static async create(definition: ModelDefinition, depth = 8): Promise<KernelSite> {
    const kernels = await Kernels.create();
    kernels.run.depthOpen(depth);
    const network = new ContextNetwork(kernels, definition);
    network.load(new Float32Array(modelParameters(definition).count));
    return new KernelSite(kernels, network);
  }

  /** The site's samples. */
  get samples(): Float32Array {
    return this.kernels.floats(this.x, this.network.definition.channels);
  }

  /** First slots of the bins of a coordinate, given the samples before it. */
  slots(k: number, bins: readonly number[]): number[] {
    const { run } = this.kernels;
    const { flow } = this.network;
    run.sitesOpen(flow, this.row, this.x, this.local, 1, k);
    return bins.map((bin) => run.binSlot(flow, k, 0, bin) >>> 0);
  }

  /** Raw head outputs of the site. */
  get head(): Float32Array {
    return this.kernels.floats(this.row, this.layout.size);
  }

  /** Sets the mean and the spread of coordinate k's neighbours. */
  setLocal(k: number, mean: number, spread: number): void {
    const { channels } = this.network.definition;
    const values = this.kernels.floats(this.local, 3 * channels);
    values[k] = mean;
    values[channels + k] = spread;
    values[2 * channels + k] = Math.log(spread);
  }

  /** Location m and log s of coordinate k, by the formulas of `site.ts` among the kernels. */
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
  openStack(words: number, seed: number): void {
    const address = this.kernels.alloc(4 * words);
    const filled = this.kernels.words(address, words >> 1);
    for (let i = 0; i < filled.length; i++) filled[i] = Math.imul(i + seed, 0x9e3779b1) >>> 0;
    this.kernels.run.stackOpen(address, 4 * words, words >> 1, 0x12345678, 0x9abcdef0);
  }

  /** The stack's content in bits. */
  bits(): number {
    const { run } = this.kernels;
    return 32 * run.stackCount() + Math.log2((run.stackHigh(0) >>> 0) * 2 ** 32 + (run.stackLow(0) >>> 0));
  }

  /** The stack's state, to compare. */
  state(): number[] {
    const { run } = this.kernels;
    return [run.stackCount(), run.stackHigh(0) >>> 0, run.stackLow(0) >>> 0, run.stackFailed()];
  }
}
