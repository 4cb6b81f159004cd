/**
 * What the context network does to its maps, as operations on typed addresses of the kernels' memory. Maps and rows know their
 * sizes; parameters know theirs.
 */
import { ACCUMULATE, type Kernels, RELU } from './kernels.js';

const BYTES = 4;

/** A grid of cells with `channels` float32 values each, and a ring of one cell of zeros around it. */
export interface CellMap {
  readonly address: number;
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
}

/** `count` vectors of `channels` float32 values, side by side; `repeated`: one vector that stands for as many as are asked for. */
export interface Vectors {
  readonly address: number;
  readonly count: number;
  readonly channels: number;
  readonly repeated?: boolean;
}

/** Addresses of a linear map's weights, inputs x outputs, and of what is added: 0 for nothing. */
export interface Linear {
  readonly weight: number;
  readonly bias: number;
}

/** Room for as many vectors of as many channels as 16-bit integers, and for a scale of each: what `quantize` leaves. */
export interface QuantizedVectors {
  readonly address: number;
  readonly scales: number;
}

/** Addresses of a linear map's weights as integers, of the scales of its outputs, and of what is added. */
export interface QuantizedLinear extends Linear {
  readonly scales: number;
}

/** What becomes of a result: it replaces what is there, has its negative part cut off, or is added. */
export type Mode = 'replace' | 'relu' | 'add';
const MODES: Record<Mode, number> = { replace: 0, relu: RELU, add: ACCUMULATE };

/** The operations on the memory of one instance of the kernels. */
export class Operations {
  constructor(readonly kernels: Kernels) {}

  /** A map of zeros. */
  map({ rows, columns }: { rows: number; columns: number }, channels: number): CellMap {
    const address = this.kernels.alloc((rows + 2) * (columns + 2) * channels * BYTES);
    return { address, rows, columns, channels };
  }

  /** A map of zeros with the channels of another, in whose memory it has room. */
  mapIn({ address, channels }: CellMap, { rows, columns }: { rows: number; columns: number }): CellMap {
    const map = { address, rows, columns, channels };
    this.#values(map).fill(0);
    return map;
  }

  /** Sets the ring's row below a map to zeros, where something else has been. */
  closeBelow(map: CellMap): void {
    const { address, columns, channels } = rowOf(map, map.rows + 1);
    this.kernels.floats(address, (columns + 2) * channels).fill(0);
  }

  /** Copies as many vectors of as many channels. */
  copy(to: Vectors, from: Vectors): void {
    const values = ({ address, count, channels }: Vectors) => this.kernels.floats(address, count * channels);
    values(to).set(values(from));
  }

  vectors(count: number, channels: number): Vectors {
    return { address: this.kernels.alloc(count * channels * BYTES), count, channels };
  }

  /** The linear map at every cell. */
  mapProduct(to: CellMap, from: CellMap, { weight, bias }: Linear, mode: Mode): void {
    const { rows, columns, channels } = from;
    this.kernels.run.mapProduct(
      to.address,
      from.address,
      rows,
      columns,
      channels,
      weight,
      bias,
      to.channels,
      MODES[mode],
    );
  }

  /** Adds the gradients of `mapProduct` in weights and bias. */
  mapProductGradient(gradient: Linear, from: CellMap, dTo: CellMap): void {
    const { rows, columns, channels } = from;
    const { weight, bias } = gradient;
    this.kernels.run.mapProductGradient(weight, bias, from.address, dTo.address, rows, columns, channels, dTo.channels);
  }

  /** The linear map of `to.count` vectors. */
  product(to: Vectors, from: Vectors, { weight, bias }: Linear, mode: Mode): void {
    const { run } = this.kernels;
    run.product(
      to.address,
      stride(to),
      from.address,
      stride(from),
      from.channels,
      weight,
      bias,
      to.channels,
      to.count,
      MODES[mode],
    );
  }

  quantizedVectors(count: number, channels: number): QuantizedVectors {
    return { address: this.kernels.alloc((count * channels * BYTES) / 2), scales: this.kernels.alloc(count * BYTES) };
  }

  /** `product` of vectors that are turned into integers first, in the given room. */
  quantizedProduct(to: Vectors, from: Vectors, linear: QuantizedLinear, room: QuantizedVectors, mode: Mode): void {
    const { run } = this.kernels;
    run.quantize(room.address, room.scales, from.address, stride(from), from.channels, to.count);
    run.quantizedProduct(
      to.address,
      stride(to),
      room.address,
      room.scales,
      from.channels,
      linear.weight,
      linear.scales,
      linear.bias,
      to.channels,
      to.count,
      MODES[mode],
    );
  }

  /** Adds the gradient of `product` in the weights. */
  productWeightGradient(weight: number, from: Vectors, dTo: Vectors): void {
    const { run } = this.kernels;
    run.productWeightGradient(
      weight,
      from.address,
      stride(from),
      from.channels,
      dTo.address,
      stride(dTo),
      dTo.channels,
      dTo.count,
    );
  }

  /** Adds the gradients of `product` in weights and bias. */
  productGradient({ weight, bias }: Linear, from: Vectors, dTo: Vectors): void {
    this.productWeightGradient(weight, from, dTo);
    this.productBiasGradient(bias, dTo);
  }

  /** Adds the gradient of `product` in the bias. */
  productBiasGradient(bias: number, dTo: Vectors): void {
    this.kernels.run.productBiasGradient(bias, dTo.address, stride(dTo), dTo.channels, dTo.count);
  }

  /** Filters each channel by 3x3 taps of its own; `add` has no bias. */
  depthwise(to: CellMap, from: CellMap, { weight, bias }: Linear, mode: 'replace' | 'add'): void {
    const { rows, columns, channels } = from;
    this.kernels.run.depthwise(to.address, from.address, weight, bias, rows, columns, channels, MODES[mode]);
  }

  /** Adds the gradients of `depthwise` in weights and bias. */
  depthwiseGradient({ weight, bias }: Linear, from: CellMap, dTo: CellMap): void {
    const { rows, columns, channels } = from;
    this.kernels.run.depthwiseGradient(weight, bias, from.address, dTo.address, rows, columns, channels);
  }

  /** Sets a gradient to zero where the activation is, which has as many vectors. */
  reluGradient({ address, count, channels }: Vectors, activation: Vectors): void {
    this.kernels.run.reluGradient(address, activation.address, count * channels);
  }

  /** Transposes a linear map's weights, which then carry gradients from its output to its input. */
  transpose(to: number, weight: number, [inputs, outputs]: readonly number[]): void {
    this.kernels.run.transpose(to, weight, inputs, outputs);
  }

  #values({ address, rows, columns, channels }: CellMap): Float32Array {
    return this.kernels.floats(address, (rows + 2) * (columns + 2) * channels);
  }
}

/** `count` cells of row i of a map, the first in column j. */
export function cells({ address, columns, channels }: CellMap, i: number, count = columns, j = 0): Vectors {
  return { address: address + ((i + 1) * (columns + 2) + 1 + j) * channels * BYTES, count, channels };
}

/** Row i of a map as a map, whose ring the rows around it are. */
export function rowOf({ address, columns, channels }: CellMap, i: number): CellMap {
  return { address: address + i * (columns + 2) * channels * BYTES, rows: 1, columns, channels };
}

/** Bytes from a vector to the next. */
function stride({ channels, repeated }: Vectors): number {
  return repeated ? 0 : channels * BYTES;
}
