/** What is measured again with other seeds: a mean, and how sure it is. */

import { Random } from '../train/random.js';
import { mean, variance } from './statistics.js';

/** A mean over runs, with its standard error. */
export interface Spread {
  readonly mean: number;
  /** Standard error of the mean: the deviation over runs / sqrt(runs). */
  readonly error: number;
  /** Of each run. */
  readonly values: readonly number[];
}

/** Runs of the laboratory's trained comparisons, each with random numbers of its own. */
export const RUNS = 3;

/** @throws {RangeError} for less than two values, which have no spread */
export function spread(values: readonly number[]): Spread {
  if (values.length < 2) throw new RangeError(`a spread needs two values or more, not ${values.length}`);
  return { mean: mean(values), error: Math.sqrt(variance(values) / values.length), values };
}

/** Does the same with random numbers of its own in each run; all follow from `random`. */
export function repeatedly<T>(random: Random, work: (random: Random, run: number) => T, runs = RUNS): T[] {
  return Array.from({ length: runs }, (_, run) => work(new Random(random.word()), run));
}

/** The spread of a number that each run has. */
export function spreadOf<T>(runs: readonly T[], number: (run: T) => number): Spread {
  return spread(runs.map(number));
}

export function isSpread(value: unknown): value is Spread {
  return typeof value === 'object' && value !== null && 'error' in value && 'values' in value;
}
