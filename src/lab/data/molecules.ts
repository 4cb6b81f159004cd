/**
 * Geometries of small molecules in thermal equilibrium: harmonic bonds and angles, E = sum k/2 (r - r0)^2 + sum k/2 (angle - angle0)^2, sampled by the
 * Metropolis algorithm (1953). Lengths in Angstrom, energies in kcal/mol, angles in radians.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Random } from '../../train/random.js';

export interface Molecule {
  readonly name: string;
  /** Atoms of one kind are interchangeable. */
  readonly kinds: readonly number[];
  /** The central atom is atom 0; all others are bound to it. */
  readonly bond: { readonly k: number; readonly length: number };
  /** Between every two bonds. */
  readonly angle: { readonly k: number; readonly angle: number };
}

const DEGREE = Math.PI / 180;

export const MOLECULES: readonly Molecule[] = [
  // SPC/Fw, Wu, Tepper, Voth 2006.
  { name: 'water', kinds: [0, 1, 1], bond: { k: 1059.2, length: 1.012 }, angle: { k: 75.9, angle: 113.24 * DEGREE } },
  // After GAFF's amine nitrogen and hydrogen, Wang et al. 2004.
  { name: 'ammonia', kinds: [0, 1, 1, 1], bond: { k: 788, length: 1.018 }, angle: { k: 82.6, angle: 107.13 * DEGREE } },
];

/** Boltzmann's constant in kcal/mol/K. */
const BOLTZMANN = 0.0019872;
/** Standard deviation of a move of each coordinate. */
const MOVE = 0.06;
const BURN_IN = 3000;
/** Moves between two geometries that are kept. */
const THINNING = 60;

/** Atoms' coordinates about their mean, in a random orientation: [count, atoms * 3]. */
export function sampleMolecule(molecule: Molecule, temperature: number, count: number, random: Random): Float32Array {
  const dimension = 3 * molecule.kinds.length;
  const heat = BOLTZMANN * temperature;
  let state = start(molecule);
  let energy = energyOf(molecule, state);
  const samples = new Float32Array(count * dimension);
  for (let move = 0; move < BURN_IN + count * THINNING; move++) {
    const next = state.map((value) => value + MOVE * random.normal());
    const other = energyOf(molecule, next);
    if (random.uniform() < Math.exp((energy - other) / heat)) [state, energy] = [next, other];
    const kept = (move - BURN_IN + 1) / THINNING - 1;
    if (kept >= 0 && Number.isInteger(kept)) samples.set(turned(centred(state), random), kept * dimension);
  }
  return samples;
}

/** Lengths of all bonds of geometries [count, atoms * 3]. */
export function bondLengths({ kinds }: Molecule, geometries: ArrayLike<number>): number[] {
  return perGeometry(kinds.length, geometries, bonds).flatMap((vectors) =>
    vectors.map((vector) => Math.hypot(...vector)),
  );
}

/** Angles between every two bonds, in degrees. */
export function bondAngles({ kinds }: Molecule, geometries: ArrayLike<number>): number[] {
  return perGeometry(kinds.length, geometries, (geometry) => angles(geometry).map((angle) => angle / DEGREE)).flat();
}

function perGeometry<T>(atoms: number, geometries: ArrayLike<number>, read: (geometry: readonly number[]) => T): T[] {
  const values = Array.from(geometries);
  const size = 3 * atoms;
  return Array.from({ length: values.length / size }, (_, i) => read(values.slice(i * size, (i + 1) * size)));
}

/** From the central atom to each other one. */
function bonds(geometry: readonly number[]): number[][] {
  return Array.from({ length: geometry.length / 3 - 1 }, (_, i) =>
    [0, 1, 2].map((axis) => geometry[3 * (i + 1) + axis] - geometry[axis]),
  );
}

function angles(geometry: readonly number[]): number[] {
  const vectors = bonds(geometry);
  return vectors.flatMap((a, i) =>
    vectors.slice(i + 1).map((b) => {
      const cosine = (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / (Math.hypot(...a) * Math.hypot(...b));
      return Math.acos(Math.min(1, Math.max(-1, cosine)));
    }),
  );
}

function energyOf({ bond, angle }: Molecule, geometry: readonly number[]): number {
  const stretch = bonds(geometry).reduce((sum, vector) => sum + (Math.hypot(...vector) - bond.length) ** 2, 0);
  const bend = angles(geometry).reduce((sum, value) => sum + (value - angle.angle) ** 2, 0);
  return (bond.k * stretch + angle.k * bend) / 2;
}

/** Atoms around the first, at the bond's length and not all in one plane. */
function start({ kinds, bond }: Molecule): number[] {
  const around = kinds.slice(1).flatMap((_, i) => {
    const turn = (2 * Math.PI * i) / (kinds.length - 1);
    return [0.9 * Math.cos(turn), 0.9 * Math.sin(turn), 0.43].map((value) => value * bond.length);
  });
  return [0, 0, 0, ...around];
}

/** About their mean: positions [atoms * 3] of one molecule. */
export function centred(geometry: readonly number[]): number[] {
  const atoms = geometry.length / 3;
  const mean = [0, 1, 2].map((axis) => geometry.filter((_, i) => i % 3 === axis).reduce((a, b) => a + b) / atoms);
  return geometry.map((value, i) => value - mean[i % 3]);
}

/** An orthonormal basis of the positions whose mean is 0, [3 (atoms - 1), 3 atoms]: Helmert's contrasts on each axis. */
export function subspace(atoms: number): tf.Tensor2D {
  const rows: number[][] = [];
  for (let n = 1; n < atoms; n++) {
    for (let axis = 0; axis < 3; axis++) {
      const row = new Array(3 * atoms).fill(0);
      for (let atom = 0; atom < n; atom++) row[3 * atom + axis] = 1 / Math.sqrt(n * (n + 1));
      row[3 * n + axis] = -n / Math.sqrt(n * (n + 1));
      rows.push(row);
    }
  }
  return tf.tensor2d(rows);
}

/** Turned by a rotation drawn evenly from all (a random unit quaternion). */
function turned(geometry: readonly number[], random: Random): number[] {
  const drawn = Array.from({ length: 4 }, () => random.normal());
  const size = Math.hypot(...drawn);
  const [w, x, y, z] = drawn.map((value) => value / size);
  const rows = [
    [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
    [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
    [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
  ];
  return geometry.map((_, i) => {
    const atom = i - (i % 3);
    return rows[i % 3].reduce((sum, value, axis) => sum + value * geometry[atom + axis], 0);
  });
}
