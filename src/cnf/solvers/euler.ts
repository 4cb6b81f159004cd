import { rungeKutta, type Tableau } from './runge-kutta.js';

/** Euler's method: a residual network's own. */
export const EULER: Tableau = { name: 'euler', order: 1, c: [0], a: [[]], b: [1] };

export const euler = rungeKutta(EULER);
