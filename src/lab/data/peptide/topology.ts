/**
 * Alanine dipeptide (acetyl-alanine-methylamide, 22 atoms) in the force field AMBER ff96: Cornell et al. 1995 with the backbone torsions of Kollman et al. 1997,
 * with the numbers of GROMACS’ `amber96.ff`. Lengths in nanometres, energies in kJ/mol, angles in radians, charges of the electron.
 */

/** Atoms that each is placed by: its distance to `bond`, its angle there to `angle`, its torsion about that bond to `torsion`. */
export interface Atom {
  readonly name: string;
  /** AMBER’s type. */
  readonly type: AtomType;
  readonly charge: number;
  /** Atoms of one kind are interchangeable. */
  readonly kind: number;
  readonly bond?: number;
  readonly angle?: number;
  readonly torsion?: number;
  /** Its torsion turns freely, or nearly so. */
  readonly turns?: boolean;
}

export type AtomType = 'C' | 'CT' | 'N' | 'O' | 'H' | 'HC' | 'H1';

const atom = (
  name: string,
  type: AtomType,
  charge: number,
  kind: number,
  [bond, angle, torsion]: readonly number[] = [],
  turns?: 'turns',
): Atom => ({ name, type, charge, kind, bond, angle, torsion, turns: turns !== undefined });

export const ATOMS: readonly Atom[] = [
  atom('N', 'N', -0.4157, 0),
  atom('CA', 'CT', 0.0337, 1, [0]),
  atom('C', 'C', 0.5973, 2, [1, 0]),
  // Its torsion is phi.
  atom('acetyl C', 'C', 0.5972, 3, [0, 1, 2], 'turns'),
  // Its torsion is psi.
  atom('amide N', 'N', -0.4157, 4, [2, 1, 0], 'turns'),
  // Its torsion and that of the next tell the hand.
  atom('CB', 'CT', -0.1825, 5, [1, 2, 0]),
  atom('HA', 'H1', 0.0823, 6, [1, 2, 0]),
  atom('H', 'H', 0.2719, 7, [0, 1, 3]),
  atom('acetyl CH3', 'CT', -0.3662, 8, [3, 0, 1]),
  atom('acetyl O', 'O', -0.5679, 9, [3, 0, 8]),
  atom('O', 'O', -0.5679, 10, [2, 1, 4]),
  atom('amide CH3', 'CT', -0.149, 11, [4, 2, 1]),
  atom('amide H', 'H', 0.2719, 12, [4, 2, 11]),
  atom('acetyl H1', 'HC', 0.1123, 13, [8, 3, 0], 'turns'),
  atom('acetyl H2', 'HC', 0.1123, 13, [8, 3, 13]),
  atom('acetyl H3', 'HC', 0.1123, 13, [8, 3, 13]),
  atom('HB1', 'HC', 0.0603, 14, [5, 1, 0], 'turns'),
  atom('HB2', 'HC', 0.0603, 14, [5, 1, 16]),
  atom('HB3', 'HC', 0.0603, 14, [5, 1, 16]),
  atom('amide H1', 'H1', 0.0976, 15, [11, 4, 2], 'turns'),
  atom('amide H2', 'H1', 0.0976, 15, [11, 4, 19]),
  atom('amide H3', 'H1', 0.0976, 15, [11, 4, 19]),
];

/** Atoms whose torsions are phi and psi. */
export const [PHI, PSI] = [3, 4];
/** The alpha carbon, and three of its neighbours, whose handedness is the molecule’s. */
export const CENTRE = { carbon: 1, neighbours: [0, 2, 5] } as const;

/** Of Lennard-Jones, by type: sigma, epsilon. */
export const LENNARD_JONES: Record<AtomType, readonly [number, number]> = {
  C: [0.339967, 0.359824],
  CT: [0.339967, 0.45773],
  N: [0.325, 0.71128],
  O: [0.295992, 0.87864],
  H: [0.106908, 0.0656888],
  HC: [0.264953, 0.0656888],
  H1: [0.247135, 0.0656888],
};

/** E = k/2 (r - r0)²: r0, k. */
export const BONDS: Record<string, readonly [number, number]> = {
  'C CT': [0.1522, 265265.6],
  'C O': [0.1229, 476976],
  'C N': [0.1335, 410032],
  'CT CT': [0.1526, 259408],
  'CT HC': [0.109, 284512],
  'CT H1': [0.109, 284512],
  'CT N': [0.1449, 282001.6],
  'N H': [0.101, 363171.2],
};

/** E = k/2 (angle - angle0)²: angle0 in degrees, k. */
export const ANGLES: Record<string, readonly [number, number]> = {
  'CT C O': [120.4, 669.44],
  'CT C N': [116.6, 585.76],
  'N C O': [122.9, 669.44],
  'CT CT HC': [109.5, 418.4],
  'CT CT H1': [109.5, 418.4],
  'HC CT HC': [109.5, 292.88],
  'H1 CT H1': [109.5, 292.88],
  'N CT H1': [109.5, 418.4],
  'C CT H1': [109.5, 418.4],
  'C CT HC': [109.5, 418.4],
  'C CT N': [110.1, 527.184],
  'CT CT N': [109.7, 669.44],
  'C CT CT': [111.1, 527.184],
  'C N CT': [121.9, 418.4],
  'C N H': [120, 251.04],
  'CT N H': [118.04, 251.04],
};

/** E = sum k (1 + cos(n angle - phase)): phase in degrees, k, n. X stands for any type; what is named wholly goes before. */
export const TORSIONS: Record<string, readonly (readonly [number, number, number])[]> = {
  'C N CT C': [
    [0, 3.5564, 1],
    [180, 1.2552, 2],
  ],
  'N CT C N': [
    [0, 3.5564, 1],
    [180, 1.2552, 2],
  ],
  'CT CT N C': [
    [0, 2.21752, 1],
    [180, 0.6276, 3],
    [180, 2.092, 4],
  ],
  'CT CT C N': [
    [0, 0.29288, 2],
    [0, 0.4184, 4],
  ],
  'H N C O': [
    [0, 8.368, 1],
    [180, 10.46, 2],
  ],
  'X C N X': [[180, 10.46, 2]],
  'X CT CT X': [[0, 0.65084, 3]],
  'X C CT X': [],
  'X CT N X': [],
};

/** Torsions that keep a carbonyl and an amide plane: atoms, and k of 1 + cos(2 angle - 180°). */
export const PLANES: readonly (readonly [readonly [number, number, number, number], number])[] = [
  [[8, 0, 3, 9], 43.932],
  [[3, 1, 0, 7], 4.184],
  [[1, 4, 2, 10], 43.932],
  [[2, 11, 4, 12], 4.184],
];

/** Atoms three bonds apart: shares of Lennard-Jones and of Coulomb. */
export const ONE_FOUR = { lennardJones: 1 / 2, coulomb: 1 / 1.2 };
/** kJ nm / mol / e². */
export const COULOMB = 138.935458;
/** kJ / mol / K. */
export const BOLTZMANN = 0.00831446;
