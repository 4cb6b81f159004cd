/** Loads the WebAssembly kernels and hands out their memory. */

import { CnfzipError } from '../error.js';
import { checkHost } from '../host.js';
import { once } from '../once.js';
import { KERNELS_BASE64 } from './build/binary.js';

export { KERNEL_VERSION } from './version.js';

/** What can be done to a stack, by the codec's kernels. */
export interface StackOperations {
  /** Pushes the symbol that owns the slots [start, start + frequency) of 2^bits; 1 <= frequency < 2^bits, bits <= 32. */
  push(start: number, frequency: number, bits: number): void;
  /** The slot of 2^bits that the next symbol lies in. */
  peek(bits: number): number;
  /** Pops the symbol that owns the slots [start, start + frequency) of 2^bits, after `peek` has found it. */
  pop(start: number, frequency: number, bits: number): void;
  /** Pushes a value in [0, range); 1 <= range <= 2^24. */
  pushUniform(value: number, range: number): void;
  /** Pops a value in [0, range); 1 <= range <= 2^24. */
  popUniform(range: number): number;
  /** The distribution function of the standard normal distribution, the same on every machine. */
  normalCdf(x: number): number;
}

/** Constants of the flow, which `assembly/` explains; those that depend on the depth have the value of the last `depthOpen`. */
export type KernelConstant =
  | 'BASE_SHARE'
  | 'CLAMP'
  | 'FIRST_MEMORY'
  | 'FLOOR'
  | 'LEAST_SPREAD'
  | 'LOG_SCALE_BOUND'
  | 'LOG_SCALE_CENTRE'
  | 'LOWEST_LOG_SCALE'
  | 'MIX_LOG_SCALE_BOUND'
  | 'MIX_MEAN_BOUND'
  | 'RATE_BOUND'
  | 'SECOND_MEMORY'
  | 'SHEAR_BOUND'
  | 'highestLogScale'
  | 'meanGain'
  | 'meanLimit';

/** The module's exports; addresses in bytes, maps as `assembly/` describes them. */
export interface KernelExports extends StackOperations, Readonly<Record<KernelConstant, WebAssembly.Global>> {
  readonly memory: WebAssembly.Memory;
  heapBase(): number;
  product(
    dst: number,
    dstStride: number,
    src: number,
    srcStride: number,
    cin: number,
    weights: number,
    bias: number,
    cout: number,
    count: number,
    mode: number,
  ): void;
  quantize(dst: number, scales: number, src: number, stride: number, channels: number, count: number): void;
  quantizeWeights(dst: number, scales: number, weights: number, cin: number, cout: number): void;
  quantizedProduct(
    dst: number,
    dstStride: number,
    src: number,
    scales: number,
    cin: number,
    weights: number,
    outputScales: number,
    bias: number,
    cout: number,
    count: number,
    mode: number,
  ): void;
  productWeightGradient(
    gradient: number,
    src: number,
    srcStride: number,
    cin: number,
    dOut: number,
    dStride: number,
    cout: number,
    count: number,
  ): void;
  productBiasGradient(gradient: number, dOut: number, dStride: number, cout: number, count: number): void;
  mapProduct(
    dst: number,
    src: number,
    height: number,
    width: number,
    cin: number,
    weights: number,
    bias: number,
    cout: number,
    mode: number,
  ): void;
  mapProductGradient(
    dWeights: number,
    dBias: number,
    src: number,
    dDst: number,
    height: number,
    width: number,
    cin: number,
    cout: number,
  ): void;
  transpose(dst: number, src: number, cin: number, cout: number): void;
  reluGradient(gradient: number, activation: number, count: number): void;
  depthwise(
    dst: number,
    src: number,
    weights: number,
    bias: number,
    height: number,
    width: number,
    channels: number,
    mode: number,
  ): void;
  depthwiseGradient(
    dWeights: number,
    dBias: number,
    src: number,
    dDst: number,
    height: number,
    width: number,
    channels: number,
  ): void;
  reverseTaps(dst: number, src: number, channels: number): void;
  splitLattice(
    map: number,
    columns: number,
    tile: number,
    tileWidth: number,
    shift: number,
    height: number,
    width: number,
    channels: number,
    dy: number,
    dx: number,
  ): void;
  mergeLattice(
    tile: number,
    tileWidth: number,
    shift: number,
    height: number,
    width: number,
    map: number,
    columns: number,
    channels: number,
    dy: number,
    dx: number,
  ): void;
  extendLattice(
    map: number,
    rows: number,
    columns: number,
    channels: number,
    knownRows: number,
    knownColumns: number,
    fallback: number,
  ): void;
  features(
    pass: number,
    dst: number,
    inputs: number,
    locals: number,
    a: number,
    d: number,
    h: number,
    carried: number,
    carry: number,
    i: number,
    columns: number,
    channels: number,
  ): void;
  spreadCarry(fine: number, rows: number, columns: number, coarse: number, coarseColumns: number, carry: number): void;
  collectCarry(coarse: number, coarseColumns: number, fine: number, rows: number, columns: number, carry: number): void;
  flowBytes(channels: number, headSize: number): number;
  flowOpen(
    flow: number,
    channels: number,
    hidden: number,
    mixtures: number,
    headSize: number,
    parameters: number,
    gradients: number,
  ): void;
  depthOpen(depth: number): void;
  noteBytes(channels: number, columns: number): number;
  noteRow(
    flow: number,
    head: number,
    dHead: number,
    x: number,
    locals: number,
    columns: number,
    notes: number,
    tally: number,
  ): void;
  pushNotes(from: number, to: number): void;
  decodeRow(flow: number, head: number, dHead: number, x: number, locals: number, columns: number): void;
  lossRow(flow: number, head: number, dHead: number, x: number, locals: number, columns: number): number;
  headRates(rates: number, channels: number, mixtures: number, headSize: number): void;
  learnerBytes(): number;
  learnerOpen(
    learner: number,
    weights: number,
    gradient: number,
    first: number,
    second: number,
    count: number,
    least: number,
    rate: number,
  ): void;
  learnerRates(learner: number, relative: number, columns: number): void;
  learnerTotal(learner: number, total: number): void;
  learnerReset(learner: number): void;
  learn(learner: number, sites: number): number;
  learnRest(learner: number): void;
  correctionBytes(): number;
  correctionWeights(pass: number): number;
  correctionOpen(
    correction: number,
    pass: number,
    columns: number,
    channels: number,
    weights: number,
    gradient: number,
  ): void;
  correctionMap(correction: number, map: number, address: number): void;
  correctRow(
    correction: number,
    i: number,
    j: number,
    count: number,
    head: number,
    headSize: number,
    locals: number,
  ): void;
  correctionLearn(
    correction: number,
    i: number,
    j: number,
    count: number,
    head: number,
    headSize: number,
    dHead: number,
    x: number,
    locals: number,
  ): void;
  sitesOpen(flow: number, head: number, x: number, locals: number, count: number, k: number): void;
  binSlot(flow: number, k: number, lane: number, bin: number): number;
  stackOpen(words: number, capacity: number, count: number, high: number, low: number): void;
  stackCount(): number;
  stackLowest(): number;
  stackJoin(high: number, low: number): void;
  /** Words of state j. */
  stackHigh(j: number): number;
  stackLow(j: number): number;
  stackFailed(): number;
}

/** Modes of `product`, `quantizedProduct`, `mapProduct` and `depthwise`. */
export const ACCUMULATE = 1;
export const RELU = 2;

const PAGE = 65536;
const ALIGNMENT = 16;

const compiled = once<void, WebAssembly.Module>(async () => {
  const bytes = Uint8Array.from(atob(KERNELS_BASE64), (c) => c.charCodeAt(0));
  if (!WebAssembly.validate(bytes)) {
    const what = 'WebAssembly has no fixed-width SIMD in this JavaScript engine, or on this processor';
    throw new CnfzipError('unsupported', `the flow cannot run here: ${what}`);
  }
  return WebAssembly.compile(bytes);
});

/** One instance of the kernels: their exports, and their memory as an arena. */
export class Kernels {
  #top: number;

  private constructor(readonly run: KernelExports) {
    this.#top = run.heapBase();
  }

  /** @throws {CnfzipError} `unsupported` where WebAssembly, its fixed-width SIMD or little-endian order is missing */
  static async create(): Promise<Kernels> {
    checkHost();
    const instance = await WebAssembly.instantiate(await compiled());
    return new Kernels(instance.exports as unknown as KernelExports);
  }

  /** Address of `bytes` zeroed bytes, aligned to 16. */
  alloc(bytes: number): number {
    const address = this.reserve(bytes);
    new Uint8Array(this.run.memory.buffer, address, this.#top - address).fill(0);
    return address;
  }

  /** As `alloc`, but what lies there is whatever it is: for what is written before it is read. Memory that is never written takes none. */
  reserve(bytes: number): number {
    const address = this.#top;
    const end = address + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    const { memory } = this.run;
    if (end > memory.buffer.byteLength) memory.grow(Math.ceil((end - memory.buffer.byteLength) / PAGE));
    this.#top = end;
    return address;
  }

  /** Returns what gives back everything that is allocated from now on; it may be called again. */
  mark(): () => void {
    const top = this.#top;
    return () => {
      this.#top = top;
    };
  }

  /** Does `work`, then gives back everything that it allocated. */
  scoped<T>(work: () => T): T {
    const release = this.mark();
    try {
      return work();
    } finally {
      release();
    }
  }

  /** `length` float32 values at an address. A view is void after the next `alloc`, which may move the memory. */
  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.run.memory.buffer, address, length);
  }

  /** `length` uint32 values at an address; void after the next `alloc`. */
  words(address: number, length: number): Uint32Array {
    return new Uint32Array(this.run.memory.buffer, address, length);
  }
}
