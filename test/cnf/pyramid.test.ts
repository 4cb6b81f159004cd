import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { convolutional, convolutions } from '../../models/fields/convolutional.js';
import { dual } from '../../models/fields/dual.js';
import { straight } from '../../models/fields/straight.js';
import { Weights } from '../../models/fields/weights.js';
import { conditionalAffine } from '../../models/layers/conditional-affine.js';
import type { Layer } from '../../models/layers/layer.js';
import { standardized } from '../../models/layers/standardized.js';
import { logDensity, standardLogistic, standardNormal } from '../../src/cnf/base.js';
import { marginalCoder } from '../../src/cnf/coding/marginal-coder.js';
import { pyramidCoder } from '../../src/cnf/coding/pyramid-coder.js';
import { type Coder, Stack } from '../../src/cnf/coding/stack.js';
import { variationalDequantizer } from '../../src/cnf/dequantization.js';
import { exactDivergence } from '../../src/cnf/divergence.js';
import { chain, cnf, jacobian } from '../../src/cnf/flow.js';
import { blockLifting, colourLifting, matrixOf } from '../../src/cnf/lifting.js';
import { gaussianized, marginalBits, marginalsOf, probitOf } from '../../src/cnf/marginals.js';
import { cellBands, cellsOf, type PyramidShape, pyramid, pyramidFlow } from '../../src/cnf/pyramid.js';
import { rk4 } from '../../src/cnf/solvers/rk4.js';
import { backpropagate } from '../../src/cnf/train.js';
import { selectBackend } from '../../src/train/backend.js';
import { Random } from '../../src/train/random.js';

beforeAll(() => selectBackend(() => {}));

const random = new Random(5);
const normals = (rows: number, columns: number) =>
  tf.tensor2d(
    Float32Array.from({ length: rows * columns }, () => random.normal()),
    [rows, columns],
  );
const furthest = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0];

describe('lifting', () => {
  test.each([
    ['colour', colourLifting()],
    ['blocks of three channels', blockLifting(3)],
  ])('%s: integers come back, and the real map has determinant 1', (_name, lifting) => {
    for (let trial = 0; trial < 100; trial++) {
      const before = Float64Array.from({ length: lifting.size }, () => random.below(2001) - 1000);
      const values = before.slice();
      lifting.forward(values, Math.round);
      expect(values.every(Number.isInteger)).toBe(true);
      expect(values).not.toEqual(before);
      lifting.backward(values, Math.round);
      expect(values).toEqual(before);
    }
    const n = lifting.size;
    const rows = Array.from({ length: n }, (_, i) => Array.from(matrixOf(lifting).subarray(i * n, (i + 1) * n)));
    expect(Math.abs(determinant(rows))).toBeCloseTo(1, 6);
  });

  test('a block of equal pixels has no details and itself for its mean', () => {
    const values = Float64Array.of(7, -2, 7, -2, 7, -2, 7, -2);
    blockLifting(2).forward(values, Math.round);
    expect(Array.from(values)).toEqual([7, -2, 0, 0, 0, 0, 0, 0]);
  });
});

function determinant(rows: number[][]): number {
  if (rows.length === 0) return 1;
  const pivot = rows.findIndex((row) => Math.abs(row[0]) > 1e-9);
  if (pivot < 0) return 0;
  const first = rows[pivot];
  const rest = rows
    .filter((_, i) => i !== pivot)
    .map((row) => row.slice(1).map((value, j) => value - (row[0] / first[0]) * first[j + 1]));
  return (pivot % 2 === 0 ? 1 : -1) * first[0] * determinant(rest);
}

const SHAPES: PyramidShape[] = [
  { side: 8, channels: 1, details: 2 },
  { side: 4, channels: 3, details: 1 },
  { side: 5, channels: 1, details: 0 },
];

describe.each(SHAPES)('a pyramid of $side x $side pixels, $channels channels, $details scales', (shape) => {
  const size = shape.side ** 2 * shape.channels;

  test('images come back from their scales', () => {
    const parts = pyramid(shape);
    const images = normals(3, size);
    const bands = parts.bands(images);
    const again = parts.image((k, context) => {
      if (context) expect(furthest(context, bands[k].context!)).toBeLessThan(1e-5);
      return bands[k].own;
    });
    expect(furthest(again, images)).toBeLessThan(1e-5);
  });

  test('cells have the same scales, to rounding, and come back exactly', () => {
    const cells = Int32Array.from({ length: size }, () => random.below(1 << 16) - (1 << 15));
    const whole = cellBands(shape, cells);
    const real = pyramid(shape).bands(tf.tensor2d(Float32Array.from(cells), [1, size]));
    for (const [k, { own, context }] of whole.entries()) {
      expect(furthest(tf.tensor2d(Float32Array.from(own), [1, own.length]), real[k].own)).toBeLessThan(6);
      if (context)
        expect(furthest(tf.tensor2d(Float32Array.from(context), [1, context.length]), real[k].context!)).toBeLessThan(
          6,
        );
    }
    expect(cellsOf(shape, (k) => whole[k].own)).toEqual(cells);
  });
});

test('a side that cannot be halved is refused', () => {
  expect(() => pyramid({ side: 6, channels: 1, details: 2 })).toThrow('6 pixels cannot be halved 2 times');
});

describe('marginals', () => {
  const dimension = 3;
  const draw = () => [random.below(2), 7, Math.min(15, Math.floor(-3 * Math.log(random.uniform())))];
  const points = Array.from({ length: 500 }, draw);
  const own = () => marginalsOf(points, { dimension, values: 16 });

  test('Phi^-1 where tables have it', () => {
    for (const [share, value] of [
      [0.5, 0],
      [0.975, 1.959963985],
      [0.01, -2.326347874],
      [1e-6, -4.753424309],
    ])
      expect(probitOf(share, 1 - share)).toBeCloseTo(value, 6);
    expect(probitOf(1 - 1e-9, 1e-9)).toBeCloseTo(5.997807015, 6);
  });

  test('the layer with a normal base is the model of independent coordinates, wherever in its bin a point is', () => {
    const marginals = own();
    const layer = gaussianized(marginals);
    const x = [...Array.from({ length: 20 }, draw), [1, 3, 15]];
    for (const noise of [0.001, 0.4, 0.999]) {
      const logs = logDensity(layer, standardNormal(dimension), tf.tensor2d(x.map((row) => row.map((v) => v + noise))));
      const bits = Array.from(logs.dataSync(), (log) => -log / Math.LN2);
      for (const [i, point] of x.entries()) expect(bits[i]).toBeCloseTo(marginalBits(marginals, point), 2);
    }
    // What was never seen is possible, and takes more.
    expect(marginalBits(marginals, [1, 3, 15])).toBeGreaterThan(marginalBits(marginals, [1, 7, 15]) + 5);
  });

  test('it makes coordinates standard normal, comes back, and tells its own slope', () => {
    const layer = gaussianized(own());
    const x = tf.tensor2d(Array.from({ length: 4000 }, () => draw().map((v) => v + random.uniform())));
    const { y, logDet } = layer.forward(x);
    const { mean, variance } = tf.moments(y, 0);
    expect(furthest(mean, tf.zerosLike(mean))).toBeLessThan(0.1);
    expect(furthest(variance, tf.onesLike(variance))).toBeLessThan(0.12);
    expect(furthest(layer.inverse(y), x)).toBeLessThan(2e-3);
    const some = tf.slice(x, [0, 0], [50, 3]);
    const { jacobian: slopes } = jacobian(layer, some);
    const logs = tf.sum(tf.log(tf.sum(slopes, 2)), 1, true);
    expect(furthest(logs, tf.slice(logDet, [0, 0], [50, 1]))).toBeLessThan(1e-3);
    // The gradient of the sum of y is the slope, too, and that of log |det| is y times it.
    const { gradients } = backpropagate([some], () => tf.sum(layer.forward(some).y));
    expect(furthest(tf.div(gradients[0], tf.sum(slopes, 2)), tf.onesLike(some))).toBeLessThan(1e-3);
    const { gradients: bends } = backpropagate([some], () => tf.sum(layer.forward(some).logDet));
    expect(furthest(bends[0], tf.mul(tf.sum(slopes, 2), layer.forward(some).y))).toBeLessThan(1e-2);
  });

  test('groups share a distribution', () => {
    const shared = marginalsOf([[0, 1, 2, 3]], { dimension: 4, values: 4, groupOf: (i) => i % 2 });
    expect(shared.start(0, 2)).toBe(shared.start(2, 2));
    expect(shared.start(0, 1)).not.toBe(shared.start(1, 1));
    expect(shared.start(3, 4)).toBe(2 ** 20);
  });
});

describe('coders of images', () => {
  const shape: PyramidShape = { side: 4, channels: 1, details: 1 };
  const images = Array.from({ length: 40 }, () => {
    const level = random.below(12);
    return Int32Array.from({ length: 16 }, () => level + random.below(4));
  });
  const marginals = marginalsOf(images, { dimension: 16, values: 16 });

  function flow() {
    const parts = pyramid(shape);
    const layers = parts.scales.map(({ side, channels, context }) => {
      const weights = new Weights(new Random(3));
      const field = convolutional(weights, {
        height: side,
        width: side,
        channels,
        hidden: [6],
        context,
        outputGain: 1,
      });
      return chain([
        standardized(normals(50, side * side * channels)),
        cnf(field, { method: { solver: rk4, steps: 6 } }),
      ]);
    });
    return pyramidFlow(parts, layers);
  }

  test('integers by their marginals under a standard normal cost what the marginals say, and come back', async () => {
    const gridBits = 14;
    const identity: Layer = {
      forward: (x) => ({ y: x, logDet: tf.zeros([x.shape[0], 1]) }),
      map: (x) => x,
      inverse: (y) => y,
    };
    const whole = pyramidFlow(pyramid({ side: 4, channels: 1, details: 0 }), [identity]);
    const coder = marginalCoder(pyramidCoder(whole, { gridBits, noiseBits: 8 }), marginals, gridBits);
    const stack = await Stack.create(1 << 16, 1000, () => random.word());
    const before = stack.contents();
    const start = stack.bits;
    for (const image of images) coder.push(stack, image);
    const ideal = images.reduce((sum, image) => sum + marginalBits(marginals, image), 0);
    expect(Math.abs((stack.bits - start) / ideal - 1)).toBeLessThan(0.02);
    for (const image of [...images].reverse()) expect(coder.pop(stack)).toEqual(image);
    expect(stack.contents()).toEqual(before);
    expect(() => marginalCoder(pyramidCoder(whole, { gridBits: 24, noiseBits: 8 }), marginals, 24)).toThrow('2^-24');
  });

  test('under a flow by scales: cells cost -log2 p of the flow, and images come back from another stack with the same contents', async () => {
    const gridBits = 14;
    const own = flow();
    const inner = pyramidCoder(own, { gridBits, noiseBits: 9 });
    let [cost, ideal] = [0, 0];
    const measured: Coder<Int32Array> = {
      push(stack, cells) {
        const before = stack.bits;
        inner.push(stack, cells);
        cost += stack.bits - before;
        const y = tf.tensor2d(
          Float32Array.from(cells, (cell) => cell * 2 ** -gridBits),
          [1, 16],
        );
        ideal += 16 * gridBits - logDensity(own, standardNormal(16), y).dataSync()[0] / Math.LN2;
      },
      pop: (stack) => inner.pop(stack),
    };
    const coder = marginalCoder(measured, marginals, gridBits);
    const stack = await Stack.create(1 << 16, 1000, () => random.word());
    for (const image of images.slice(0, 10)) coder.push(stack, image);
    expect(Math.abs(cost - ideal) / (10 * 16)).toBeLessThan(0.05);
    const other = await Stack.of(stack.contents(), 1 << 16);
    for (const image of images.slice(0, 10).reverse()) expect(coder.pop(other)).toEqual(image);
  });

  test('the flow’s log |det| is that of its Jacobian, scale by scale, and it comes back', () => {
    const own = flow();
    const x = normals(4, 16);
    const { y, logDet } = own.forward(x);
    expect(furthest(own.inverse(y), x)).toBeLessThan(1e-3);
    // By differences over the whole image: the pyramid itself adds nothing.
    const [point] = [tf.slice(x, [0, 0], [1, 16])];
    const step = 1 / 128;
    const columns = Array.from({ length: 16 }, (_, k) => {
      const unit = tf.mul(tf.oneHot(tf.tensor1d([k], 'int32'), 16), step);
      const ends = [1, -1].map((sign) => own.forward(tf.add(point, tf.mul(unit, sign))).y);
      return Array.from(tf.div(tf.sub(ends[0], ends[1]), 2 * step).dataSync());
    });
    expect(Math.abs(Math.log(Math.abs(determinant(columns))) - logDet.dataSync()[0])).toBeLessThan(0.02);
  });
});

describe('fields and layers of images', () => {
  test('convolutions see their context and their places', () => {
    const options = { height: 3, width: 3, channels: 1, hidden: [4], outputGain: 1 };
    const equal = tf.ones<tf.Rank.R2>([1, 9]);
    const seen = convolutional(new Weights(new Random(1)), { ...options, context: 2 });
    const at = (context: tf.Tensor2D) => seen.at(dual(equal), 0.5, context).value;
    expect(seen.context).toBe(18);
    expect(furthest(at(tf.zeros([1, 18])), at(tf.ones([1, 18])))).toBeGreaterThan(0.05);
    const weights = new Weights(new Random(1));
    const placed = convolutional(weights, { ...options, placed: true });
    const value = () => placed.at(dual(equal), 0.5).value.dataSync().slice();
    const before = value();
    const places = weights.variables.at(-1)!;
    expect(places.size).toBe(9 * 4);
    // A bias at the first pixel moves what is within the last layer's reach of it.
    places.assign(
      tf.pad(normals(1, 4), [
        [0, 0],
        [0, 32],
      ]),
    );
    const moved = value().map((after, i) => Math.abs(after - before[i]));
    expect(Math.min(...[0, 1, 3, 4].map((i) => moved[i]))).toBeGreaterThan(1e-3);
    expect(Math.max(...[2, 5, 6, 7, 8].map((i) => moved[i]))).toBe(0);
  });

  test('a straight field’s own flow is the identity; halfway points are drawn together', () => {
    const none = convolutional(new Weights(new Random(1)), {
      height: 2,
      width: 2,
      channels: 1,
      hidden: [],
      outputGain: 0,
    });
    const flow = cnf(straight(none), { method: { solver: rk4, steps: 32 } });
    const x = normals(5, 4);
    const { y, logDet } = flow.forward(x);
    expect(furthest(y, x)).toBeLessThan(1e-4);
    expect(furthest(logDet, tf.zerosLike(logDet))).toBeLessThan(1e-4);
    const half = flow.path(x, { to: 0.5 }).state[0];
    expect(furthest(half, tf.mul(x, Math.SQRT1_2))).toBeLessThan(1e-4);
    const each = straight(none).at(dual(x), tf.fill([5, 1], 0.25)).value;
    expect(furthest(each, straight(none).at(dual(x), 0.25).value)).toBeLessThan(1e-6);
  });

  test('noise that a network of the image scales and shifts: its density is that of what it draws', () => {
    const shape = { height: 2, width: 2, inputs: 1, outputs: 2, hidden: [4], time: 'shared' as const, outputGain: 1 };
    const network = convolutions(new Weights(new Random(2)), shape);
    const layer = conditionalAffine(network);
    const context = normals(3, 4);
    const x = normals(3, 4);
    const { y, logDet } = layer.forward(x, context);
    expect(furthest(layer.inverse(y, context), x)).toBeLessThan(1e-5);
    const { directions } = exactDivergence(3, 4);
    const { tangents } = layer.map(dual(x, directions), context);
    const logs = tf.sum(tf.log(tf.sum(tf.mul(tangents!, directions), 2)), 0);
    expect(furthest(tf.reshape(logs, [3, 1]), logDet)).toBeLessThan(1e-4);
    expect(() => layer.forward(x)).toThrow('needs a context');
    // A density of numbers in (0, 1) has the mean 1 of its inverse.
    const noise = variationalDequantizer(layer, standardLogistic(4), { centre: 0, range: 1 }, random);
    const many = noise(tf.tile<tf.Tensor2D>(tf.slice(context, [0, 0], [1, 4]), [20_000, 1]));
    expect(tf.mean(tf.exp(tf.neg(many.logDensity))).dataSync()[0]).toBeCloseTo(1, 1);
  });
});
