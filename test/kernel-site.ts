import { ContextNetwork } from '../codec/context.js';
import { Kernels } from '../codec/kernels/kernels.js';
import { type HeadLayout, headLayout, type ModelDefinition, parameterCount } from '../models/definition.js';

/** Kernels with a field of random parameters, and one site's head row and predictions to set. */
export class KernelSite {
  readonly row: number;
  readonly predictions: number;
  readonly layout: HeadLayout;

  private constructor(
    readonly kernels: Kernels,
    readonly network: ContextNetwork,
  ) {
    this.layout = headLayout(network.definition);
    this.row = kernels.alloc(4 * this.layout.size);
    this.predictions = kernels.alloc(16);
  }

  static async create(definition: ModelDefinition): Promise<KernelSite> {
    const kernels = await Kernels.create();
    const network = new ContextNetwork(kernels, definition);
    network.load(new Float32Array(parameterCount(definition)));
    return new KernelSite(kernels, network);
  }

  /** Raw head outputs of the site. */
  get head(): Float32Array {
    return this.kernels.floats(this.row, this.layout.size);
  }

  get prediction(): Float32Array {
    return this.kernels.floats(this.predictions, 4);
  }

  /** A field parameter's values. */
  parameter(name: string, length: number): Float32Array {
    return this.kernels.floats(this.network.address(name), length);
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
    return 32 * run.stackCount() + Math.log2((run.stackHigh() >>> 0) * 2 ** 32 + (run.stackLow() >>> 0));
  }

  /** The stack's state, to compare. */
  state(): number[] {
    const { run } = this.kernels;
    return [run.stackCount(), run.stackHigh() >>> 0, run.stackLow() >>> 0, run.stackFailed()];
  }
}
