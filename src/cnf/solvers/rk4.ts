import { rungeKutta, type Tableau } from './runge-kutta.js';

/** The classical method of order four (Kutta 1901). */
export const RK4: Tableau = {
  name: 'rk4',
  order: 4,
  c: [0, 1 / 2, 1 / 2, 1],
  a: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
  b: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
};

export const rk4 = rungeKutta(RK4);
