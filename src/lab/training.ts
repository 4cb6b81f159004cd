/** How the laboratory trains flows by maximum likelihood: through few steps of a simple solver. */

import type { FlowOptions } from '../cnf/flow.js';
import { midpoint } from '../cnf/solvers/midpoint.js';

const STEPS = 8;
/** Of kinetic energy and Jacobian (Finlay et al. 2020). Without, likelihood learns to profit from the error of so few steps. */
const PENALTY = 0.02;

export const TRAINING: FlowOptions = {
  method: { solver: midpoint, steps: STEPS },
  kinetic: PENALTY,
  jacobian: PENALTY,
};

/** For the configuration of a report. */
export const TRAINING_TOLD = `midpoint method, ${STEPS} steps, kinetic and Jacobian penalties of ${PENALTY}`;
