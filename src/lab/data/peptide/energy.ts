/** The potential energy of alanine dipeptide. */

import { ANGLES, ATOMS, type AtomType, BONDS, COULOMB, LENNARD_JONES, ONE_FOUR, PLANES, TORSIONS } from './topology.js';

const DEGREE = Math.PI / 180;

const bonded = ATOMS.flatMap(({ bond }, i) => (bond === undefined ? [] : [[bond, i] as const]));
const neighbours = ATOMS.map((_, i) => bonded.flatMap(([a, b]) => (a === i ? [b] : b === i ? [a] : [])));
const type = (i: number): AtomType => ATOMS[i].type;

/** Atoms, and the constants of the term. */
type Term = { readonly atoms: readonly number[]; readonly constants: readonly number[] };

export const BOND_TERMS: readonly Term[] = bonded.map(([a, b]) => ({
  atoms: [a, b],
  constants: find(BONDS, [type(a), type(b)]),
}));

export const ANGLE_TERMS: readonly Term[] = neighbours.flatMap((around, centre) =>
  around.flatMap((a, i) =>
    around.slice(i + 1).map((b) => {
      const [degrees, k] = find(ANGLES, [type(a), type(centre), type(b)]);
      return { atoms: [a, centre, b], constants: [degrees * DEGREE, k] };
    }),
  ),
);

const PROPER: readonly (readonly number[])[] = bonded.flatMap(([b, c]) =>
  neighbours[b].flatMap((a) => neighbours[c].flatMap((d) => (a === c || d === b || a === d ? [] : [[a, b, c, d]]))),
);

export const TORSION_TERMS: readonly Term[] = [
  ...PROPER.flatMap((atoms) => {
    const types = atoms.map(type);
    const general = ['X', types[1], types[2], 'X'];
    const waves = lookUp(TORSIONS, types) ?? find(TORSIONS, general);
    return waves.map(([phase, k, n]) => ({ atoms, constants: [phase * DEGREE, k, n] }));
  }),
  ...PLANES.map(([atoms, k]) => ({ atoms, constants: [Math.PI, k, 2] })),
];

/** Pairs that are three bonds apart or more: Lennard-Jones’ 4 epsilon sigma^12 and 4 epsilon sigma^6, and the charges’ product. */
export const PAIR_TERMS: readonly Term[] = ATOMS.flatMap((_, a) =>
  ATOMS.slice(a + 1).flatMap((_, k) => {
    const b = a + 1 + k;
    const apart = bondsBetween(a, b);
    if (apart < 3) return [];
    const [[sigmaA, epsilonA], [sigmaB, epsilonB]] = [a, b].map((i) => LENNARD_JONES[type(i)]);
    const sixth = ((sigmaA + sigmaB) / 2) ** 6;
    const depth = 4 * Math.sqrt(epsilonA * epsilonB) * (apart === 3 ? ONE_FOUR.lennardJones : 1);
    const charges = COULOMB * ATOMS[a].charge * ATOMS[b].charge * (apart === 3 ? ONE_FOUR.coulomb : 1);
    return [{ atoms: [a, b], constants: [depth * sixth * sixth, depth * sixth, charges] }];
  }),
);

/** Terms as lists of numbers, which is what makes the energy quick: 200,000 of them are a second or two. */
function packed(terms: readonly Term[]): { atoms: Int32Array; constants: Float64Array } {
  return {
    atoms: Int32Array.from(terms.flatMap(({ atoms }) => atoms)),
    constants: Float64Array.from(terms.flatMap(({ constants }) => constants)),
  };
}

const [BOND, ANGLE, TORSION, PAIR] = [BOND_TERMS, ANGLE_TERMS, TORSION_TERMS, PAIR_TERMS].map(packed);

/** Energy in kJ/mol of atoms at x [22 * 3] in nanometres, in vacuum. */
export function energy(x: Float64Array): number {
  return bonds(x) + angles(x) + torsions(x) + pairs(x);
}

function bonds(x: Float64Array): number {
  const { atoms, constants } = BOND;
  let sum = 0;
  for (let i = 0; i < atoms.length; i += 2) {
    const away = distance(x, atoms[i], atoms[i + 1]) - constants[i];
    sum += 0.5 * constants[i + 1] * away * away;
  }
  return sum;
}

function angles(x: Float64Array): number {
  const { atoms, constants } = ANGLE;
  let sum = 0;
  for (let i = 0, k = 0; i < atoms.length; i += 3, k += 2) {
    const away = angleAt(x, atoms[i], atoms[i + 1], atoms[i + 2]) - constants[k];
    sum += 0.5 * constants[k + 1] * away * away;
  }
  return sum;
}

function torsions(x: Float64Array): number {
  const { atoms, constants } = TORSION;
  let sum = 0;
  for (let i = 0, k = 0; i < atoms.length; i += 4, k += 3) {
    const angle = torsion(x, atoms[i], atoms[i + 1], atoms[i + 2], atoms[i + 3]);
    sum += constants[k + 1] * (1 + Math.cos(constants[k + 2] * angle - constants[k]));
  }
  return sum;
}

function pairs(x: Float64Array): number {
  const { atoms, constants } = PAIR;
  let sum = 0;
  for (let i = 0, k = 0; i < atoms.length; i += 2, k += 3) {
    const inverse = 1 / distance(x, atoms[i], atoms[i + 1]);
    const square = inverse * inverse;
    const sixth = square * square * square;
    sum += (constants[k] * sixth - constants[k + 1]) * sixth + constants[k + 2] * inverse;
  }
  return sum;
}

export function distance(x: Float64Array, a: number, b: number): number {
  const dx = x[3 * a] - x[3 * b];
  const dy = x[3 * a + 1] - x[3 * b + 1];
  const dz = x[3 * a + 2] - x[3 * b + 2];
  return Math.sqrt(dx * dx + dy * dy + dz * dz);
}

/** The angle at b, 0 to pi. */
export function angleAt(x: Float64Array, a: number, b: number, c: number): number {
  let product = 0;
  for (let k = 0; k < 3; k++) product += (x[3 * a + k] - x[3 * b + k]) * (x[3 * c + k] - x[3 * b + k]);
  return Math.acos(Math.min(1, Math.max(-1, product / (distance(x, a, b) * distance(x, c, b)))));
}

/** The torsion a-b-c-d about b-c, -pi to pi, 0 where a and d are on one side (IUPAC). */
export function torsion(x: Float64Array, a: number, b: number, c: number, d: number): number {
  const ax = x[3 * b] - x[3 * a];
  const ay = x[3 * b + 1] - x[3 * a + 1];
  const az = x[3 * b + 2] - x[3 * a + 2];
  const bx = x[3 * c] - x[3 * b];
  const by = x[3 * c + 1] - x[3 * b + 1];
  const bz = x[3 * c + 2] - x[3 * b + 2];
  const cx = x[3 * d] - x[3 * c];
  const cy = x[3 * d + 1] - x[3 * c + 1];
  const cz = x[3 * d + 2] - x[3 * c + 2];
  const mx = ay * bz - az * by;
  const my = az * bx - ax * bz;
  const mz = ax * by - ay * bx;
  const nx = by * cz - bz * cy;
  const ny = bz * cx - bx * cz;
  const nz = bx * cy - by * cx;
  const across = Math.sqrt(bx * bx + by * by + bz * bz) * (ax * nx + ay * ny + az * nz);
  return Math.atan2(across, mx * nx + my * ny + mz * nz);
}

function bondsBetween(a: number, b: number): number {
  let [reached, steps] = [new Set([a]), 0];
  while (!reached.has(b)) {
    reached = new Set([...reached].flatMap((i) => [i, ...neighbours[i]]));
    steps++;
  }
  return steps;
}

function lookUp<T>(table: Record<string, T>, types: readonly string[]): T | undefined {
  return table[types.join(' ')] ?? table[[...types].reverse().join(' ')];
}

function find<T>(table: Record<string, T>, types: readonly string[]): T {
  const found = lookUp(table, types);
  if (found === undefined) throw new Error(`the force field has nothing for ${types.join(' ')}`);
  return found;
}
