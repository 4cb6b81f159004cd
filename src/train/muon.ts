/**
 * Muon (Jordan et al. 2024): a matrix steps along the nearest semi-orthogonal matrix to its momentum, so that every direction
 * of the matrix moves alike. The factor is found by Newton-Schulz iterations on the small Gram matrix alone: with X^T X = G
 * each iterate is X times a polynomial in G, and one product with X at the end makes the step.
 */

import type { Kernels } from '../../codec/kernels/kernels.js';
import { Operations, type Vectors } from '../../codec/kernels/operations.js';

/** Quintic coefficients of Jordan et al.: singular values come to within 0.7 .. 1.2 in five iterations. */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const ITERATIONS = 5;
const EPSILON = 1e-12;

/**
 * The approximately semi-orthogonal factor of a row-major matrix of `rows` x `columns`, of which `columns` is a multiple of 8.
 *
 * @returns a matrix of the same layout whose singular values are near 1 (0 for a zero matrix)
 */
export function orthogonalized(kernels: Kernels, matrix: Float32Array, rows: number, columns: number): Float32Array {
  if (rows < columns && rows % 8 === 0) {
    const wide = transposed(matrix, rows, columns);
    return transposed(orthogonalized(kernels, wide, columns, rows), columns, rows);
  }
  return kernels.scoped(() => {
    const n = columns;
    const operations = new Operations(kernels);
    const alloc = (values: Float32Array): Vectors => {
      const vectors = operations.vectors(values.length / n, n);
      kernels.floats(vectors.address, values.length).set(values);
      return vectors;
    };
    const valuesOf = ({ address, count }: Vectors) => kernels.floats(address, count * n);
    /** Of two row-major matrices, a of `count` x n and b of n x n. */
    const product = (a: Vectors, b: Vectors): Vectors => {
      const out = operations.vectors(a.count, n);
      operations.product(out, a, { weight: b.address, bias: 0 }, 'replace');
      return out;
    };
    const scale = 1 / (Math.sqrt(matrix.reduce((sum, value) => sum + value * value, 0)) + EPSILON);
    const x = alloc(matrix.map((value) => value * scale));
    let gram = operations.vectors(n, n);
    operations.productWeightGradient(gram.address, x, x);
    let factor: Vectors | undefined;
    for (let iteration = 0; iteration < ITERATIONS; iteration++) {
      const g = valuesOf(gram).slice();
      const polynomial = valuesOf(product(gram, gram)).map((square, i) => C * square + B * g[i]);
      for (let i = 0; i < n; i++) polynomial[i * n + i] += A;
      const p = alloc(polynomial);
      factor = factor === undefined ? p : product(factor, p);
      if (iteration < ITERATIONS - 1) gram = product(product(p, gram), p);
    }
    return valuesOf(product(x, factor!)).slice();
  });
}

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = matrix[i * columns + j];
  return out;
}
