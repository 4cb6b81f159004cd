/** How an adaptive method chooses its next step. */

/**
 * A PID controller of steps (Soderlind 2003): the next step is the last one times e_n^-(p+i+d)/5 e_(n-1)^(p+2d)/5 e_(n-2)^-d/5, where e is a step's estimated
 * error over its tolerance. More than i alone makes steps smoother and rejects fewer.
 */
export interface StepControl {
  readonly p: number;
  readonly i: number;
  readonly d: number;
}

/** By the last error alone, the textbook's choice. */
export const INTEGRAL: StepControl = { p: 0, i: 1, d: 0 };

const SAFETY = 0.9;
const [SHRINK, GROW] = [0.2, 5];
/** The error of a step goes as its fifth power. */
const ORDER = 5;

/** The factors of one path's steps. */
export class Controller {
  #before: readonly [number, number] = [1, 1];

  constructor(readonly control: StepControl) {}

  /** What the next step is longer by, after one with this error; errors of accepted steps (up to 1) are remembered. */
  factor(error: number): number {
    const { p, i, d } = this.control;
    // What is no number is an error without bound.
    const now = Math.max(Number.isNaN(error) ? Number.POSITIVE_INFINITY : error, 1e-10);
    // After a step in vain the past says nothing of how far to go back.
    const accepted = now <= 1;
    const [last, older] = this.#before;
    const wanted = accepted
      ? now ** (-(p + i + d) / ORDER) * last ** ((p + 2 * d) / ORDER) * older ** (-d / ORDER)
      : now ** (-1 / ORDER);
    if (accepted) this.#before = [now, last];
    return Math.min(GROW, Math.max(SHRINK, SAFETY * wanted));
  }
}
