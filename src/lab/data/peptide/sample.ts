/** Alanine dipeptide in thermal equilibrium: the Metropolis algorithm (1953) on one internal coordinate after the other. */

import type { Random } from '../../../train/random.js';
import { energy } from './energy.js';
import { at, INTERNALS, logVolume, positionsOf } from './internal.js';
import { ANGLES, ATOMS, BOLTZMANN, BONDS } from './topology.js';

/** Deviations of moves: of distances in nanometres, of angles, of torsions that are stiff and that turn, in radians. */
const MOVES = { distance: 0.006, angle: 0.12, stiff: 0.16, turning: 0.6 };
/** Share of the moves of a turning torsion that may lead anywhere. */
const ANYWHERE = 0.3;
/** Sweeps over all coordinates before the first that is kept, and from one to the next. */
const [BURN_IN, THINNING] = [300, 3];

/** Internal coordinates of molecules at a temperature in kelvin, [count, 60], one after the other on one path. */
export function samplePeptide(temperature: number, count: number, random: Random): Float64Array {
  const heat = BOLTZMANN * temperature;
  const state = start();
  const positions = new Float64Array(3 * ATOMS.length);
  const score = () => logVolume(state) - energy(positionsOf(state, positions)) / heat;
  const moves = proposals();
  let now = score();
  const samples = new Float64Array(count * INTERNALS);
  for (let sweep = 0; sweep < BURN_IN + count * THINNING; sweep++) {
    for (let k = 0; k < INTERNALS; k++) {
      const before = state[k];
      const { deviation, turns, circular } = moves[k];
      const anywhere = turns && random.uniform() < ANYWHERE;
      const next = anywhere ? Math.PI * (2 * random.uniform() - 1) : before + deviation * random.normal();
      state[k] = circular ? wrapped(next) : next;
      const other = score();
      // Beyond what a distance or an angle can be, the volume has no logarithm.
      if (other - now > Math.log(random.uniform())) now = other;
      else state[k] = before;
    }
    const kept = (sweep - BURN_IN + 1) / THINNING - 1;
    if (kept >= 0 && Number.isInteger(kept)) samples.set(state, kept * INTERNALS);
  }
  return samples;
}

/** The same angle in -pi .. pi. */
export function wrapped(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}

function proposals(): { deviation: number; turns: boolean; circular: boolean }[] {
  const found: { deviation: number; turns: boolean; circular: boolean }[] = new Array(INTERNALS);
  for (const [i, { bond, angle, torsion, turns = false }] of ATOMS.entries()) {
    if (bond !== undefined) found[at.distance(i)] = { deviation: MOVES.distance, turns: false, circular: false };
    if (angle !== undefined) found[at.angle(i)] = { deviation: MOVES.angle, turns: false, circular: false };
    if (torsion !== undefined)
      found[at.torsion(i)] = { deviation: turns ? MOVES.turning : MOVES.stiff, turns, circular: true };
  }
  return found;
}

/** The extended molecule with lengths and angles near those of the force field, its alpha carbon left-handed (L). */
function start(): Float64Array {
  const state = new Float64Array(INTERNALS);
  const third = (2 * Math.PI) / 3;
  for (const [i, { bond, angle, torsion, turns, name }] of ATOMS.entries()) {
    const hydrogen = ATOMS[i].type.startsWith('H');
    if (bond !== undefined) state[at.distance(i)] = BONDS[hydrogen ? 'CT HC' : 'C CT'][0];
    if (angle !== undefined)
      state[at.angle(i)] = (Math.PI / 180) * ANGLES[ATOMS[bond!].type === 'CT' ? 'CT CT HC' : 'C N H'][0];
    if (torsion === undefined) continue;
    // Neighbours of one atom that share its bond: the second and third methyl hydrogens, CB and HA.
    const sides: Record<string, number> = { CB: third, HA: -third, 2: third, 3: -third };
    state[at.torsion(i)] = turns ? Math.PI : (sides[name] ?? sides[name.match(/H.?([23])$/)?.[1] ?? ''] ?? Math.PI);
  }
  return state;
}
