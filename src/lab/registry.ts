/** All experiments, each loaded only when it runs. */

import { CnfzipError } from '../../codec/error.js';
import type { Experiment } from './experiment.js';

type Loader = () => Promise<{ experiment: Experiment }>;

const LOADERS: Record<string, Loader> = {
  'resnet-limit': () => import('./experiments/resnet-limit.js'),
  'change-of-variables': () => import('./experiments/change-of-variables.js'),
  incompressible: () => import('./experiments/incompressible.js'),
  invertibility: () => import('./experiments/invertibility.js'),
  folding: () => import('./experiments/folding.js'),
  lipschitz: () => import('./experiments/lipschitz.js'),
  coupling: () => import('./experiments/coupling.js'),
  hutchinson: () => import('./experiments/hutchinson.js'),
  kicked: () => import('./experiments/kicked.js'),
  batchnorm: () => import('./experiments/batchnorm.js'),
  dequantization: () => import('./experiments/dequantization.js'),
  'stochastic-depth': () => import('./experiments/stochastic-depth.js'),
  mixture: () => import('./experiments/mixture.js'),
  'bits-back': () => import('./experiments/bits-back.js'),
  rotation: () => import('./experiments/rotation.js'),
  molecules: () => import('./experiments/molecules.js'),
  peptide: () => import('./experiments/peptide.js'),
  causal: () => import('./experiments/causal.js'),
  counterfactual: () => import('./experiments/counterfactual.js'),
  images: () => import('./experiments/images.js'),
  'likelihood-paradox': () => import('./experiments/likelihood-paradox.js'),
  accounting: () => import('./experiments/accounting.js'),
  'solver-steps': () => import('./experiments/solver-steps.js'),
  sweeps: () => import('./experiments/sweeps.js'),
  exactness: () => import('./experiments/exactness.js'),
  learning: () => import('./experiments/learning.js'),
};

export const NAMES: readonly string[] = Object.keys(LOADERS);

/** @throws {CnfzipError} `usage` if there is none of this name */
export async function loadExperiment(name: string): Promise<Experiment> {
  if (!Object.hasOwn(LOADERS, name)) {
    throw new CnfzipError('usage', `there is no experiment ${name}: there are ${NAMES.join(', ')}, and all`);
  }
  return (await LOADERS[name]()).experiment;
}
