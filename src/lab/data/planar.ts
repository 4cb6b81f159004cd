/** The plane's usual test sets, each with its exact density. */

import * as tf from '@tensorflow/tfjs-core';
import type { Random } from '../../train/random.js';

export interface PlanarSet {
  sample(random: Random): [number, number];
  /** p(x, y). */
  density(x: number, y: number): number;
}

type Curve = (s: number) => readonly [number, number];

/** The moons with noise of Student's t of so many degrees of freedom in each coordinate: heavy tails. */
export function studentMoons(freedom: number): PlanarSet {
  const [NODES, scale] = [200, 0.12];
  const paths = [upperMoon, lowerMoon];
  const nodes = paths.flatMap((path) => Array.from({ length: NODES }, (_, i) => path((i + 0.5) / NODES)));
  // Unnormalized; its integral over the line by the substitution x = tan(angle) times a scale.
  const shape = (x: number) => (1 + (x * x) / freedom) ** (-(freedom + 1) / 2);
  const STEPS = 10_000;
  let mass = 0;
  for (let i = 0; i < STEPS; i++) {
    const x = Math.tan(Math.PI * ((i + 0.5) / STEPS - 0.5));
    mass += (shape(x) * (1 + x * x) * Math.PI) / STEPS;
  }
  return {
    sample(random) {
      const noise = () => {
        let chi = 0;
        for (let i = 0; i < freedom; i++) chi += random.normal() ** 2;
        return (scale * random.normal()) / Math.sqrt(chi / freedom);
      };
      const [x, y] = paths[random.below(2)](random.uniform());
      return [x + noise(), y + noise()];
    },
    density(x, y) {
      let sum = 0;
      for (const [a, b] of nodes) sum += shape((x - a) / scale) * shape((y - b) / scale);
      return sum / (nodes.length * (scale * mass) ** 2);
    },
  };
}

/** Points along curves, each as often as the others, with normal noise across and along. */
function curves(paths: readonly Curve[], noise: number): PlanarSet {
  const NODES = 400;
  const nodes = paths.flatMap((path) => Array.from({ length: NODES }, (_, i) => path((i + 0.5) / NODES)));
  return {
    sample(random) {
      const [x, y] = paths[random.below(paths.length)](random.uniform());
      return [x + noise * random.normal(), y + noise * random.normal()];
    },
    // The integral along the curves by the midpoint rule; its nodes lie much closer than the noise is wide.
    density(x, y) {
      let sum = 0;
      for (const [a, b] of nodes) sum += Math.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * noise ** 2));
      return sum / (nodes.length * 2 * Math.PI * noise ** 2);
    },
  };
}

const upperMoon: Curve = (s) => [1.5 * Math.cos(Math.PI * s) - 0.75, 1.5 * Math.sin(Math.PI * s) - 0.4];
const lowerMoon: Curve = (s) => [0.75 - 1.5 * Math.cos(Math.PI * s), 0.4 - 1.5 * Math.sin(Math.PI * s)];

function spiral(sign: number): Curve {
  return (s) => {
    const angle = 3 * Math.PI * Math.sqrt(0.02 + 0.98 * s);
    const radius = (2.4 * angle) / (3 * Math.PI);
    return [sign * radius * Math.cos(angle), sign * radius * Math.sin(angle)];
  };
}

const RING_RADII = [0.7, 1.4, 2.1];
const RING_NOISE = 0.1;

const ARMS = 5;
const [ALONG, ACROSS, TWIST] = [0.35, 0.12, 1.2];

export const PLANAR: Record<string, PlanarSet> = {
  moons: curves([upperMoon, lowerMoon], 0.12),
  spirals: curves([spiral(1), spiral(-1)], 0.1),
  /** Squares of side 1 of a board of 4 by 4, every second one. */
  checkerboard: {
    sample(random) {
      const column = random.below(4);
      const row = 2 * random.below(2) + (column % 2);
      return [column - 2 + random.uniform(), row - 2 + random.uniform()];
    },
    density(x, y) {
      const [column, row] = [Math.floor(x + 2), Math.floor(y + 2)];
      const inside = column >= 0 && column < 4 && row >= 0 && row < 4;
      return inside && (column + row) % 2 === 0 ? 1 / 8 : 0;
    },
  },
  rings: {
    sample(random) {
      const radius = Math.abs(RING_RADII[random.below(RING_RADII.length)] + RING_NOISE * random.normal());
      const angle = 2 * Math.PI * random.uniform();
      return [radius * Math.cos(angle), radius * Math.sin(angle)];
    },
    density(x, y) {
      const radius = Math.hypot(x, y);
      const radial = RING_RADII.map((mean) => normal(radius, mean, RING_NOISE)).reduce((a, b) => a + b);
      return radial / (RING_RADII.length * 2 * Math.PI * radius);
    },
  },
  /** Five arms, normal along and across, turned by an angle that grows with the radius: a map that keeps areas. */
  pinwheel: {
    sample(random) {
      const arm = random.below(ARMS);
      const [u, v] = [1.3 + ALONG * random.normal(), ACROSS * random.normal()];
      const angle = (2 * Math.PI * arm) / ARMS + TWIST * Math.hypot(u, v);
      return [u * Math.cos(angle) - v * Math.sin(angle), u * Math.sin(angle) + v * Math.cos(angle)];
    },
    density(x, y) {
      let sum = 0;
      for (let arm = 0; arm < ARMS; arm++) {
        const angle = -((2 * Math.PI * arm) / ARMS + TWIST * Math.hypot(x, y));
        const [u, v] = [x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle)];
        sum += normal(u, 1.3, ALONG) * normal(v, 0, ACROSS);
      }
      return sum / ARMS;
    },
  },
};

/** Points of a set, [points, 2]. */
export function samplePlanar(set: PlanarSet, points: number, random: Random): tf.Tensor2D {
  return tf.tensor2d(Array.from({ length: points }, () => set.sample(random)));
}

/** Mean of log p over the set's own points, in nats: what no model can exceed on average. */
export function negativeEntropy(set: PlanarSet, points: number, random: Random): number {
  let sum = 0;
  for (let i = 0; i < points; i++) sum += Math.log(set.density(...set.sample(random)));
  return sum / points;
}

function normal(x: number, mean: number, deviation: number): number {
  return Math.exp(-((x - mean) ** 2) / (2 * deviation ** 2)) / (deviation * Math.sqrt(2 * Math.PI));
}
