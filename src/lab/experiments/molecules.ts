/**
 * An equivariant continuous flow on molecules (Koehler, Klein, Noe 2020; Satorras et al. 2021): its density does not change when a molecule is turned or like
 * atoms change places. It is trained on geometries of a force field by flow matching and by maximum likelihood with Hutchinson's estimator.
 */

import * as tf from '@tensorflow/tfjs-core';
import { equivariant } from '../../../models/fields/equivariant.js';
import { Weights } from '../../../models/fields/weights.js';
import { type Base, logDensities, standardNormal } from '../../cnf/base.js';
import { hutchinson } from '../../cnf/divergence.js';
import { fitLikelihood, fitVelocity } from '../../cnf/fit.js';
import { type Cnf, cnf } from '../../cnf/flow.js';
import { scoped } from '../../cnf/scope.js';
import { rk4 } from '../../cnf/solvers/rk4.js';
import type { Random } from '../../train/random.js';
import { bondAngles, bondLengths, MOLECULES, type Molecule, sampleMolecule, subspace } from '../data/molecules.js';
import { atLeast, atMost, type Check, type Experiment, type Lab } from '../experiment.js';
import { type Figure, histogram } from '../figures.js';
import { mean, variance, wasserstein } from '../statistics.js';
import { TRAINING, TRAINING_TOLD } from '../training.js';

/** Kelvin: hot, so that the spread of lengths and angles is wide enough to be seen and learnt. */
const TEMPERATURE = 3000;
/** Units of the flow's space to an Angstrom: coordinates there vary by about 1. */
const UNITS = 1.8;
const HIDDEN = 32;
const BATCH = 128;

interface Budget {
  readonly geometries: number;
  readonly matching: number;
  readonly likelihood: number;
  readonly test: number;
}

export const experiment: Experiment = {
  title: 'Can a flow draw molecules that are free to turn?',
  claim:
    'A flow whose field turns with the molecule and treats like atoms alike has a likelihood that neither changes. Trained on geometries of a force field, by flow matching and then by maximum likelihood with one ' +
    'random probe for the divergence, it draws molecules whose bond lengths and angles are distributed as that force field’s are: much nearer to them than a Gaussian’s.',

  async run(lab) {
    const { quick } = lab;
    const budget = quick
      ? { geometries: 2000, matching: 900, likelihood: 20, test: 400 }
      : { geometries: 10_000, matching: 6000, likelihood: 200, test: 2000 };
    const molecules = quick ? MOLECULES.slice(0, 1) : MOLECULES;
    const results = molecules.map((molecule) => study(molecule, budget, lab));
    return {
      configuration: {
        data: `harmonic bonds and angles at ${TEMPERATURE} K, Metropolis sampling; ${budget.geometries} geometries and ${budget.test} held out`,
        constants: molecules
          .map(
            ({ name, bond, angle }) =>
              `${name}: k ${bond.k} kcal/mol/Å², ${bond.length} Å; k ${angle.k} kcal/mol/rad², ${((angle.angle * 180) / Math.PI).toFixed(2)}°`,
          )
          .join('; '),
        field: `equivariant, ${HIDDEN} hidden units; base: standard normal of mean 0 over the atoms, ${(1 / UNITS).toFixed(3)} Å`,
        training: `flow matching, ${budget.matching} steps, then maximum likelihood, ${budget.likelihood} steps of ${BATCH}, one Rademacher probe`,
        'solver in training': TRAINING_TOLD,
        'solver in tests': 'RK4, 24 steps',
      },
      checks: results.flatMap(({ checks }) => checks),
      figures: results.flatMap(({ figures }) => figures),
      tables: [
        {
          title: 'Geometry: mean (standard deviation)',
          columns: ['molecule', 'bonds of data, Å', 'of samples', 'angles of data, °', 'of samples'],
          rows: results.map(({ name, moments }) => [name, ...moments]),
        },
        {
          title: 'Held-out log-density, nats per molecule (positions in Å, mean held)',
          columns: ['molecule', 'flow', 'isotropic Gaussian'],
          rows: results.map(({ name, held, gaussian }) => [name, held, gaussian]),
        },
      ],
      notes: [
        'No orientation has to be learnt: what the flow knows of one it knows of all. Its field moves atoms along the lines between them, by strengths that depend on distances; the mean of the atoms stays where it is, so that ' +
          'base and data live on the same subspace of 3 (atoms - 1) dimensions. Angles come from distances between atoms that are not bound to each other, and are drawn somewhat wider than the data’s: ' +
          'the hydrogens repel each other only through a function of their distance that the flow has to learn.',
      ],
    };
  },
};

interface Study {
  readonly name: string;
  readonly checks: Check[];
  readonly figures: Figure[];
  readonly moments: string[];
  readonly held: number;
  readonly gaussian: number;
}

function study(molecule: Molecule, budget: Budget, { quick, random, log }: Lab): Study {
  const { name, kinds } = molecule;
  const free = 3 * (kinds.length - 1);
  const base = standardNormal(free, tf.keep(subspace(kinds.length)));
  const data = sampleMolecule(molecule, TEMPERATURE, budget.geometries, random);
  const flow = fitted(molecule, base, data, budget, random);
  const test = sampleMolecule(molecule, TEMPERATURE, budget.test, random);
  const x = tf.tensor2d(
    test.map((v) => v * UNITS),
    [budget.test, 3 * kinds.length],
  );
  const logs = logDensities(flow, base, x, 500);
  const held = mean(logs) + free * Math.log(UNITS);
  const gaussian =
    -0.5 * free * (1 + Math.log(2 * Math.PI * (test.reduce((sum, v) => sum + v * v, 0) / budget.test / free)));
  const asymmetry = symmetryError(flow, base, tf.slice(x, [0, 0], [100, -1]), kinds);
  const samples = scoped(() =>
    flow
      .inverse(base.sample(budget.test, random))
      .dataSync<'float32'>()
      .map((v) => v / UNITS),
  );
  x.dispose();
  const [lengths, sampled] = [test, samples].map((values) => bondLengths(molecule, values));
  const [angles, drawn] = [test, samples].map((values) => bondAngles(molecule, values));
  // What the isotropic Gaussian of the same size draws: what is won over it is what the flow has learnt.
  const size = Math.sqrt(test.reduce((sum, v) => sum + v * v, 0) / budget.test / free);
  const plain = scoped(() =>
    base
      .sample(budget.test, random)
      .dataSync<'float32'>()
      .map((v) => v * size),
  );
  const shuffled = { lengths: bondLengths(molecule, plain), angles: bondAngles(molecule, plain) };
  log(
    `${name}: bonds ${told(lengths)} / ${told(sampled)} Å, angles ${told(angles)} / ${told(drawn)}°; ${held.toFixed(2)} nats, Gaussian ${gaussian.toFixed(2)}`,
  );
  return {
    name,
    held,
    gaussian,
    moments: [lengths, sampled, angles, drawn].map(told),
    checks: [
      atMost(
        `${name}: mean bond length of samples, off by`,
        100 * Math.abs(mean(sampled) / mean(lengths) - 1),
        quick ? 5 : 3,
        '%',
      ),
      atMost(`${name}: mean angle of samples, off by`, Math.abs(mean(drawn) - mean(angles)), quick ? 10 : 4, 'degrees'),
      atMost(
        `${name}: distance of the samples’ bond lengths from the data’s, over that of a Gaussian’s`,
        closeness(lengths, sampled, shuffled.lengths),
        quick ? 0.5 : 0.25,
      ),
      atMost(
        `${name}: distance of the samples’ angles from the data’s, over that of a Gaussian’s`,
        closeness(angles, drawn, shuffled.angles),
        quick ? 0.5 : 0.25,
      ),
      atMost(`${name}: log-density of turned molecules and swapped hydrogens, off by`, asymmetry, 2e-3, 'nats'),
      atLeast(`${name}: held-out gain over an isotropic Gaussian`, held - gaussian, quick ? 1 : 2, 'nats per molecule'),
    ],
    figures: [
      histogram(
        `${name}: bond lengths`,
        `${lengths.length} each.`,
        'bond length, Å',
        series(lengths, sampled),
        [0.6, 1.5],
      ),
      histogram(
        `${name}: angles between bonds`,
        `${angles.length} each.`,
        'angle, degrees',
        series(angles, drawn),
        [40, 180],
      ),
    ],
  };
}

/** Wasserstein-1 distance of samples from the data over that of a baseline: 0 is the data's own distribution, 1 no better than the baseline. */
function closeness(data: number[], samples: number[], baseline: number[]): number {
  return wasserstein(data, samples) / wasserstein(data, baseline);
}

function fitted({ kinds }: Molecule, base: Base, data: Float32Array, budget: Budget, random: Random): Cnf {
  const dimension = 3 * kinds.length;
  const weights = new Weights(random);
  const field = equivariant(weights, { kinds, space: 3, hidden: HIDDEN });
  const batch = () => {
    const rows = Array.from({ length: BATCH }, () => {
      const at = dimension * random.below(data.length / dimension);
      return Array.from(data.subarray(at, at + dimension), (value) => value * UNITS);
    });
    return tf.tensor2d(rows);
  };
  fitVelocity(field, base, { weights, batch, steps: budget.matching, rate: 0.01 }, random);
  const divergence = hutchinson({ noise: 'rademacher', draws: random });
  const estimated = cnf(field, { ...TRAINING, divergence });
  fitLikelihood(estimated, base, { weights, batch, steps: budget.likelihood, rate: 2e-3 });
  return cnf(field, { method: { solver: rk4, steps: 24 } });
}

/** Largest change of log-density when a molecule is turned and its last two atoms, of one kind, change places. */
function symmetryError(flow: Cnf, base: Base, x: tf.Tensor2D, kinds: readonly number[]): number {
  return scoped(() => {
    const [c, s] = [Math.cos(1), Math.sin(1)];
    const turn = tf.tensor2d([
      [c, -s, 0],
      [s * c, c * c, -s],
      [s * s, c * s, c],
    ]);
    const atoms = tf.split(x, kinds.length, 1);
    const swapped = tf.concat([...atoms.slice(0, -2), atoms.at(-1)!, atoms.at(-2)!], 1);
    const moved = tf.reshape<tf.Rank.R2>(tf.matMul(tf.reshape(swapped, [-1, 3]), turn), x.shape);
    const [before, after] = [x, moved].map((points) => logDensities(flow, base, points));
    return Math.max(...before.map((value, i) => Math.abs(value - after[i])));
  });
}

function series(data: number[], samples: number[]) {
  return [
    { name: 'data', values: data },
    { name: 'samples', values: samples },
  ];
}

function told(values: number[]): string {
  return `${mean(values).toFixed(3)} (${Math.sqrt(variance(values)).toFixed(3)})`;
}
