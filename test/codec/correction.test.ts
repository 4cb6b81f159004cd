import { expect, test } from 'vitest';
import { Kernels } from '../../codec/kernels/kernels.js';
import { PASSES } from '../../models/definition.js';
import { randomIntegers } from '../../src/fuzz/random-bytes.js';

/** Cells of a window, as [row, column] from the site: `rows` x `columns` from the first on. */
function window(row: number, column: number, rows: number, columns: number): [number, number][] {
  return Array.from({ length: rows * columns }, (_, n) => [row + Math.floor(n / columns), column + (n % columns)]);
}

/** What a pass's correction sees: of which map, and which cells; 0 to 2 are the samples of A, D and H, 3 to 5 the errors of D, H and V. */
const SEEN: Record<string, [map: number, cells: [number, number][]][]> = {
  D: [
    [0, window(-1, -1, 4, 4)],
    [3, [[-2, 0], ...window(-1, -1, 1, 3)]],
  ],
  H: [
    [0, window(-1, -1, 3, 4)],
    [1, window(-2, -1, 4, 4)],
    [4, [[-2, 0], ...window(-1, -1, 1, 3)]],
    [3, window(-1, -1, 2, 3)],
  ],
  V: [
    [0, window(0, -1, 2, 4)],
    [1, window(-1, -2, 3, 4)],
    [2, window(-1, -2, 4, 4)],
    [5, [[-2, 0], ...window(-1, -1, 1, 3)]],
    [3, window(-1, -1, 3, 2)],
    [4, window(0, -1, 2, 2)],
  ],
};

const ROWS = 3;
const COLUMNS = 6;
const HEAD = 8;

test.each(PASSES.flatMap((pass) => [1, 3].map((channels) => [pass, channels] as const)))(
  'pass %s, %i channels: the correction is the linear map of what it sees, and its gradient and errors are what they should be',
  async (pass, channels) => {
    const kernels = await Kernels.create();
    const { run } = kernels;
    const random = randomIntegers(channels + PASSES.indexOf(pass));
    const centred = () => random(20001) / 10000 - 1;
    const array = (length: number, value: () => number) => {
      const address = kernels.alloc(4 * length);
      return { address, fill: () => kernels.floats(address, length).set(Array.from({ length }, value)) };
    };
    const seen = SEEN[pass];
    const cells = seen.flatMap(([map, own]) => own.map((at) => [map, ...at] as const));
    expect(run.correctionWeights(PASSES.indexOf(pass))).toBe(4 * cells.length);

    const size = (ROWS + 4) * (COLUMNS + 4) * channels;
    const maps = Array.from({ length: 6 }, (_, map) => array(size, () => (map < 3 ? random(256) : 5 * centred())));
    const weights = array(4 * cells.length, () => centred());
    const gradient = array(4 * cells.length, () => 0);
    const head = array(COLUMNS * HEAD, () => centred());
    const dHead = array(COLUMNS * HEAD, () => centred());
    const locals = array(COLUMNS * 3 * channels, () => 1 + random(100));
    const address = kernels.alloc(run.correctionBytes());
    for (const { fill } of [...maps, weights, gradient, head, dHead, locals]) fill();
    for (const [map, own] of maps.entries()) run.correctionMap(address, map, own.address);
    run.correctionOpen(address, PASSES.indexOf(pass), COLUMNS, channels, weights.address, gradient.address);

    // A run from column 1 on in row 2; the last column is not in it.
    const [row, first, count] = [2, 1, 4];
    const at = (i: number, j: number, k: number) => ((i + 2) * (COLUMNS + 4) + j + 2) * channels + k;
    const before = maps.map((map) => Float32Array.from(kernels.floats(map.address, size)));
    const local = Float32Array.from(kernels.floats(locals.address, COLUMNS * 3 * channels));
    const w = Float32Array.from(kernels.floats(weights.address, 4 * cells.length));
    const heads = Float32Array.from(kernels.floats(head.address, COLUMNS * HEAD));
    const dHeads = Float32Array.from(kernels.floats(dHead.address, COLUMNS * HEAD));
    run.correctRow(address, row, first, count, head.address, HEAD, locals.address);
    const sampleMap = PASSES.indexOf(pass) === 2 ? maps[2] : maps[PASSES.indexOf(pass) + 1];
    const x = sampleMap.address + 4 * at(row, first, 0);
    const samples = Float32Array.from(kernels.floats(x, count * channels));
    run.correctionLearn(address, row, first, count, head.address, HEAD, dHead.address, x, locals.address);

    const corrected = kernels.floats(head.address, COLUMNS * HEAD);
    const learned = kernels.floats(gradient.address, 4 * cells.length);
    const expected = new Float64Array(4 * cells.length);
    const errors = Float32Array.from(before[3 + PASSES.indexOf(pass)]);
    for (let s = 0; s < count; s++) {
      for (let k = 0; k < HEAD; k++) {
        let correction = 0;
        if (k < channels) {
          const mean = local[3 * s * channels + k];
          const spread = local[(3 * s + 1) * channels + k];
          const inputs = cells.map(([map, dy, dx]) => {
            const value = before[map][at(row + dy, first + s + dx, k)];
            return map < 3 ? (0.1 * (value - mean)) / spread : value / spread;
          });
          correction = inputs.reduce((sum, input, n) => sum + input * w[4 * n + k], 0);
          for (const [n, input] of inputs.entries()) expected[4 * n + k] += input * dHeads[s * HEAD + k];
          const missed = samples[s * channels + k] + 0.5 - mean - spread * corrected[s * HEAD + k];
          errors[at(row, first + s, k)] = Math.max(-8 * spread, Math.min(8 * spread, missed));
        }
        expect(corrected[s * HEAD + k]).toBeCloseTo(heads[s * HEAD + k] + correction, 3);
      }
    }
    for (const [i, value] of expected.entries()) expect(learned[i]).toBeCloseTo(value, 3);
    const noted = kernels.floats(maps[3 + PASSES.indexOf(pass)].address, size);
    for (const [i, value] of errors.entries()) expect(noted[i]).toBeCloseTo(value, 2);
  },
);
