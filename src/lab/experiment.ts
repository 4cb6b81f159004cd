/** What an experiment is: a claim about continuous normalizing flows, and the run that measures it. */

import type { Random } from '../train/random.js';
import type { Figure } from './figures.js';
import { isSpread, type Spread } from './spread.js';

export interface Experiment {
  /** What it asks, in a few words. */
  readonly title: string;
  /** What theory or the literature predicts, in one or two sentences. */
  readonly claim: string;
  /** @throws {CnfzipError} `file` if a data set is missing */
  run(lab: Lab): Promise<Findings>;
}

/** What a run is given. */
export interface Lab {
  /** Less data and fewer steps: under a minute on 2 cores. */
  readonly quick: boolean;
  readonly seed: number;
  /** Seeded by `seed`. */
  readonly random: Random;
  /** The folder of data sets that the project does not hold. */
  readonly data: string;
  /** Tells people how far it is. */
  log(line: string): void;
}

export interface Findings {
  /** Everything that the figures depend on beside the seed. */
  readonly configuration: Record<string, string | number>;
  readonly checks: readonly Check[];
  /** Comparisons that a run decides, either way. */
  readonly contests?: readonly Contest[];
  readonly tables: readonly Table[];
  readonly figures: readonly Figure[];
  /** What the figures say, a paragraph each; also why a check fails, where one does. */
  readonly notes: readonly string[];
}

/** One prediction and what was measured. */
export interface Check {
  readonly claim: string;
  readonly measured: number;
  /** Standard error of what was measured, where it is a mean over seeds. */
  readonly error?: number;
  readonly predicted: string;
  readonly unit: string;
  readonly passed: boolean;
  /** What is measured is time, which differs from run to run and from machine to machine. */
  readonly timed?: boolean;
}

/**
 * Two ways side by side, of which the theory would have the first ahead. It may lose: then the report's heading says so, and why. The
 * run is none the worse for it.
 */
export interface Contest {
  readonly claim: string;
  /** What the first is ahead of the second by, over seeds. */
  readonly gain: Spread;
  readonly unit: string;
  /** Decided where the gain is more than two standard errors from 0. */
  readonly outcome: 'wins' | 'loses' | 'undecided';
  /** Why the first may lose; told if it does not win. */
  readonly why: string;
}

export type Cell = string | number | Spread;

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A number, or a mean over seeds, which is judged by itself and shown with its standard error. */
type Measured = number | Spread;

function check(
  claim: string,
  measured: Measured,
  predicted: string,
  unit: string,
  holds: (x: number) => boolean,
): Check {
  const [value, error] = isSpread(measured) ? [measured.mean, measured.error] : [measured, undefined];
  return { claim, measured: value, error, predicted, unit, passed: holds(value) };
}

/** Holds if what was measured is at most `limit`. */
export function atMost(claim: string, measured: Measured, limit: number, unit = ''): Check {
  return check(claim, measured, `at most ${significant(limit)}`, unit, (x) => x <= limit);
}

/** Holds if what was measured is at least `limit`. */
export function atLeast(claim: string, measured: Measured, limit: number, unit = ''): Check {
  return check(claim, measured, `at least ${significant(limit)}`, unit, (x) => x >= limit);
}

/** Holds if what was measured is within `tolerance` of `value`. */
export function near(claim: string, measured: Measured, value: number, tolerance: number, unit = ''): Check {
  const predicted = `${significant(value)} ± ${significant(tolerance)}`;
  return check(claim, measured, predicted, unit, (x) => Math.abs(x - value) <= tolerance);
}

/** Decides a contest by the gain over seeds. */
export function contest(claim: string, gain: Spread, unit: string, why: string): Contest {
  const margin = 2 * gain.error;
  const outcome = gain.mean > margin ? 'wins' : gain.mean < -margin ? 'loses' : 'undecided';
  return { claim, gain, unit, outcome, why };
}

/** The same check, of a time. */
export function timed(check: Check): Check {
  return { ...check, timed: true };
}

/** A number for people: four significant digits, of large ones all before the point. */
export function significant(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if ((Number.isInteger(value) || size >= 1e4) && size < 1e9) return Math.round(value).toLocaleString('en-US');
  return size >= 1e-3 && size < 1e4
    ? String(Number(value.toPrecision(4)))
    : value.toExponential(2).replace('.00e', 'e');
}

/** A mean over seeds for people, with its standard error, to the error's second digit. */
export function toldSpread({ mean, error }: Pick<Spread, 'mean' | 'error'>): string {
  if (!(error > 0)) return `${significant(mean)} ± ${significant(error)}`;
  const digits = 1 - Math.floor(Math.log10(error));
  if (digits < 0 || digits > 6) return `${significant(mean)} ± ${significant(error)}`;
  return `${mean.toFixed(digits)} ± ${error.toFixed(digits)}`;
}
