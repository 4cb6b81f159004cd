/**
 * Coordinates of alanine dipeptide in which a flow has little to do: internal ones, those that turn on a line by the logistic function, all whitened. A density
 * there is one of positions, by the volume that goes with it.
 */

import { whitening } from '../../whitening.js';
import { at, INTERNALS, logVolume } from './internal.js';
import { wrapped } from './sample.js';
import { ATOMS } from './topology.js';

export interface Chart {
  /** Whitened coordinates of molecules by internal ones, [count, 60]. */
  points(internals: Float64Array): Float64Array;
  /** Internal coordinates of molecules by whitened ones. */
  internals(points: ArrayLike<number>): Float64Array;
  /**
   * What is added to the log-density of a whitened point to be that of the molecule's positions about their mean, in nats with lengths in nanometres; of
   * each molecule.
   */
  logUnits(internals: Float64Array): Float64Array;
}

const TURNING: readonly number[] = ATOMS.flatMap(({ turns }, i) => (turns ? [at.torsion(i)] : []));
/** Torsions that do not turn lie about their mean; distances and angles are as they are. */
const FIRST_TORSION = at.torsion(3);
const BINS = 24;

/** A chart by the molecules' own cuts and moments: a turning torsion's circle is cut where they are rarest. */
export function chartOf(internals: Float64Array): Chart {
  const count = internals.length / INTERNALS;
  const cuts = new Map(
    TURNING.map((k) => [k, rarest(Float64Array.from({ length: count }, (_, i) => internals[i * INTERNALS + k]))]),
  );
  const centres = Float64Array.from({ length: INTERNALS }, (_, k) => {
    if (k < FIRST_TORSION) return 0;
    let [sine, cosine] = [0, 0];
    for (let i = k; i < internals.length; i += INTERNALS) {
      sine += Math.sin(internals[i]);
      cosine += Math.cos(internals[i]);
    }
    return Math.atan2(sine, cosine);
  });
  /** Where on its circle, 0 to 1, a turning torsion is. */
  const share = (cut: number, angle: number) => {
    const part = wrapped(angle - cut - Math.PI) / (2 * Math.PI) + 0.5;
    return Math.min(1 - 1e-9, Math.max(1e-9, part));
  };
  const flat = (all: Float64Array) =>
    all.map((value, i) => {
      const k = i % INTERNALS;
      const cut = cuts.get(k);
      if (cut !== undefined) {
        const part = share(cut, value);
        return Math.log(part / (1 - part));
      }
      return k < FIRST_TORSION ? value : wrapped(value - centres[k]);
    });
  const { whiten, restore, logScale } = whitening(flat(internals), INTERNALS);
  return {
    points: (all) => whiten(flat(all)),
    internals: (points) =>
      restore(points).map((value, i) => {
        const cut = cuts.get(i % INTERNALS);
        if (cut !== undefined) return wrapped(cut + (2 * Math.PI) / (1 + Math.exp(-value)));
        return i % INTERNALS < FIRST_TORSION ? value : wrapped(value + centres[i % INTERNALS]);
      }),
    logUnits: (all) =>
      Float64Array.from({ length: all.length / INTERNALS }, (_, i) => {
        const own = all.subarray(i * INTERNALS, (i + 1) * INTERNALS);
        let slopes = 0;
        for (const [k, cut] of cuts) {
          const part = share(cut, own[k]);
          slopes -= Math.log(2 * Math.PI * part * (1 - part));
        }
        // Orientations are 8 pi² of volume; positions about their mean are N^(3/2) to positions about one atom.
        return slopes - logScale - logVolume(own) - Math.log(8 * Math.PI ** 2) + 1.5 * Math.log(ATOMS.length);
      }),
  };
}

/** The middle of the part of the circle with the fewest angles. */
function rarest(angles: Float64Array): number {
  const counts = new Float64Array(BINS);
  const place = (angle: number) => Math.min(BINS - 1, Math.floor(((angle + Math.PI) / (2 * Math.PI)) * BINS));
  for (const angle of angles) counts[place(angle)]++;
  // With its neighbours, so that an edge of a crowd is not taken for a gap.
  const around = counts.map((own, i) => 2 * own + counts[(i + 1) % BINS] + counts[(i + BINS - 1) % BINS]);
  return ((around.indexOf(Math.min(...around)) + 0.5) / BINS) * 2 * Math.PI - Math.PI;
}
