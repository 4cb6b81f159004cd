/**
 * Lifting (Sweldens 1996): steps that add to one number a function of others. Over the reals they are a linear map of determinant 1; with every step rounded
 * they map integers on integers, and either way each step is undone exactly.
 */

/** What a step adds is rounded, or not. */
export type Rounding = (x: number) => number;

export interface Lifting {
  /** Numbers that are mapped together. */
  readonly size: number;
  /** In place. */
  forward(values: Float64Array, round: Rounding): void;
  backward(values: Float64Array, round: Rounding): void;
}

export const unrounded: Rounding = (x) => x;

/** values[to] += weight values[from]. */
type Step = readonly [to: number, from: number, weight: number];

function lifting(size: number, steps: readonly Step[], places?: readonly number[]): Lifting {
  const order = places ?? Array.from({ length: size }, (_, i) => i);
  return {
    size,
    forward(values, round) {
      for (const [to, from, weight] of steps) values[to] += round(weight * values[from]);
      values.set(order.map((place) => values[place]));
    },
    backward(values, round) {
      const moved = values.slice();
      for (const [i, place] of order.entries()) values[place] = moved[i];
      for (const [to, from, weight] of [...steps].reverse()) values[to] -= round(weight * values[from]);
    },
  };
}

/** Red, green and blue to a luma and two differences (YCoCg-R: Malvar, Sullivan 2003). */
export function colourLifting(): Lifting {
  const [r, g, b] = [0, 1, 2];
  const steps: Step[] = [
    [r, b, -1],
    [b, r, 0.5],
    [g, b, -1],
    [b, g, 0.5],
  ];
  return lifting(3, steps, [b, r, g]);
}

/**
 * Two by two pixels of `channels` each, row by row, to their means, `channels` of them, and three differences of each (Haar's wavelet; Calderbank et al.
 * 1998, the S transform).
 */
export function blockLifting(channels: number): Lifting {
  const at = (pixel: number, c: number) => pixel * channels + c;
  const pairs = [
    [0, 1],
    [2, 3],
    [0, 2],
    [1, 3],
  ];
  const steps = pairs.flatMap(([a, b]) =>
    Array.from({ length: channels }, (_, c) => c).flatMap((c): Step[] => [
      [at(b, c), at(a, c), -1],
      [at(a, c), at(b, c), 0.5],
    ]),
  );
  return lifting(4 * channels, steps);
}

/** The matrix of a lifting over the reals, [size, size] row by row: row i is where the i-th unit vector goes. */
export function matrixOf({ size, forward }: Lifting): Float32Array {
  return rowsOf(size, forward);
}

/** That of the way back. */
export function inverseOf({ size, backward }: Lifting): Float32Array {
  return rowsOf(size, backward);
}

function rowsOf(size: number, map: (values: Float64Array, round: Rounding) => void): Float32Array {
  const matrix = new Float32Array(size * size);
  for (let i = 0; i < size; i++) {
    const unit = new Float64Array(size);
    unit[i] = 1;
    map(unit, unrounded);
    matrix.set(unit, i * size);
  }
  return matrix;
}
