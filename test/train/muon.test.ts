import { expect, test } from 'vitest';
import { Kernels } from '../../codec/kernels/kernels.js';
import { orthogonalized } from '../../src/train/muon.js';
import { Random } from '../../src/train/random.js';

const kernels = await Kernels.create();

function randomMatrix(rows: number, columns: number): Float32Array {
  const random = new Random(rows);
  return Float32Array.from({ length: rows * columns }, () => random.normal());
}

/** The inner product of two of the shorter side's vectors. */
function inner(matrix: Float32Array, rows: number, columns: number, a: number, b: number): number {
  const tall = rows >= columns;
  let sum = 0;
  for (let i = 0; i < Math.max(rows, columns); i++) {
    sum += tall ? matrix[i * columns + a] * matrix[i * columns + b] : matrix[a * columns + i] * matrix[b * columns + i];
  }
  return sum;
}

test.each([
  [24, 8],
  [8, 24],
])('%i x %i: the shorter side becomes nearly orthonormal', (rows, columns) => {
  const result = orthogonalized(kernels, randomMatrix(rows, columns), rows, columns);
  for (let a = 0; a < 8; a++) {
    for (let b = 0; b < 8; b++) {
      const [low, high] = a === b ? [0.5, 1.5] : [-0.35, 0.35];
      expect(inner(result, rows, columns, a, b)).toBeGreaterThan(low);
      expect(inner(result, rows, columns, a, b)).toBeLessThan(high);
    }
  }
});

test('the scale of the matrix does not matter, and zeros stay zeros', () => {
  const matrix = randomMatrix(16, 8);
  const larger = matrix.map((value) => 1024 * value);
  const [a, b] = [orthogonalized(kernels, matrix, 16, 8), orthogonalized(kernels, larger, 16, 8)];
  expect(Math.max(...a.map((value, i) => Math.abs(value - b[i])))).toBeLessThan(1e-5);
  expect(orthogonalized(kernels, new Float32Array(128), 16, 8).every((value) => value === 0)).toBe(true);
});
