/**
 * Internal coordinates: of each atom its distance to one placed before, an angle and a torsion (a Z-matrix). They know nothing of where the molecule is and
 * which way it points, and a hand is a torsion's sign.
 */

import { angleAt, distance, torsion } from './energy.js';
import { ATOMS } from './topology.js';

const N = ATOMS.length;
/** Distances of all atoms but the first, angles of all but two, torsions of all but three. */
export const INTERNALS = 3 * N - 6;
const [ANGLES_AT, TORSIONS_AT] = [N - 1, 2 * N - 3];

/** Where the internal coordinate is that is an atom's distance, angle or torsion. */
export const at = {
  distance: (atom: number) => atom - 1,
  angle: (atom: number) => ANGLES_AT + atom - 2,
  torsion: (atom: number) => TORSIONS_AT + atom - 3,
};

/** Internal coordinates [60] of positions [22 * 3], in nanometres and radians. */
export function internalsOf(x: Float64Array): Float64Array {
  const found = new Float64Array(INTERNALS);
  for (const [i, { bond, angle, torsion: third }] of ATOMS.entries()) {
    if (bond === undefined) continue;
    found[at.distance(i)] = distance(x, i, bond);
    if (angle === undefined) continue;
    found[at.angle(i)] = angleAt(x, i, bond, angle);
    if (third !== undefined) found[at.torsion(i)] = torsion(x, third, angle, bond, i);
  }
  return found;
}

/** Positions [22 * 3] with these internal coordinates: the first atom at 0, the second along x, the third in the plane of x and y. */
export function positionsOf(internals: ArrayLike<number>, x = new Float64Array(3 * N)): Float64Array {
  for (let i = 1; i < N; i++) {
    const { bond: c, angle: b, torsion: a } = ATOMS[i];
    const r = internals[at.distance(i)];
    if (i === 1) {
      x[3] = r;
      continue;
    }
    const bend = internals[at.angle(i)];
    if (i === 2) {
      x[6] = x[3] - r * Math.cos(bend);
      x[7] = r * Math.sin(bend);
      continue;
    }
    place(x, [a!, b!, c!, i], r, bend, internals[at.torsion(i)]);
  }
  return x;
}

/** Puts atom d where its distance to c, the angle b-c-d and the torsion a-b-c-d have it. */
function place(
  x: Float64Array,
  [a, b, c, d]: readonly [number, number, number, number],
  r: number,
  bend: number,
  turn: number,
): void {
  const length = 1 / distance(x, b, c);
  const ux = length * (x[3 * c] - x[3 * b]);
  const uy = length * (x[3 * c + 1] - x[3 * b + 1]);
  const uz = length * (x[3 * c + 2] - x[3 * b + 2]);
  const vx = x[3 * b] - x[3 * a];
  const vy = x[3 * b + 1] - x[3 * a + 1];
  const vz = x[3 * b + 2] - x[3 * a + 2];
  const [px, py, pz] = [vy * uz - vz * uy, vz * ux - vx * uz, vx * uy - vy * ux];
  const side = (r * Math.sin(bend)) / Math.sqrt(px * px + py * py + pz * pz);
  const [along, m, n] = [-r * Math.cos(bend), side * Math.cos(turn), side * Math.sin(turn)];
  x[3 * d] = x[3 * c] + along * ux + m * (py * uz - pz * uy) + n * px;
  x[3 * d + 1] = x[3 * c + 1] + along * uy + m * (pz * ux - px * uz) + n * py;
  x[3 * d + 2] = x[3 * c + 2] + along * uz + m * (px * uy - py * ux) + n * pz;
}

/** log of the volume of positions, but for place and orientation, to one of internal coordinates: sum of 2 log r and of log sin angle. */
export function logVolume(internals: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < ANGLES_AT; i++) sum += 2 * Math.log(internals[i]);
  for (let i = ANGLES_AT; i < TORSIONS_AT; i++) sum += Math.log(Math.sin(internals[i]));
  return sum;
}
