import { rungeKutta, type Tableau } from './runge-kutta.js';

/** The explicit midpoint rule (Runge 1895). */
export const MIDPOINT: Tableau = { name: 'midpoint', order: 2, c: [0, 1 / 2], a: [[], [1 / 2]], b: [0, 1] };

export const midpoint = rungeKutta(MIDPOINT);
