/** What an experiment is: a claim about continuous normalizing flows, and the run that measures it. */

import type { Random } from '../train/random.js';
import type { Figure } from './figures.js';

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
  readonly tables: readonly Table[];
  readonly figures: readonly Figure[];
  /** What the figures say, a paragraph each; also why a check fails, where one does. */
  readonly notes: readonly string[];
}

/** One prediction and what was measured. */
export interface Check {
  readonly claim: string;
  readonly measured: number;
  readonly predicted: string;
  readonly unit: string;
  readonly passed: boolean;
  /** What is measured is time, which differs from run to run and from machine to machine. */
  readonly timed?: boolean;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** Holds if what was measured is at most `limit`. */
export function atMost(claim: string, measured: number, limit: number, unit = ''): Check {
  return { claim, measured, predicted: `at most ${significant(limit)}`, unit, passed: measured <= limit };
}

/** Holds if what was measured is at least `limit`. */
export function atLeast(claim: string, measured: number, limit: number, unit = ''): Check {
  return { claim, measured, predicted: `at least ${significant(limit)}`, unit, passed: measured >= limit };
}

/** Holds if what was measured is within `tolerance` of `value`. */
export function near(claim: string, measured: number, value: number, tolerance: number, unit = ''): Check {
  const predicted = `${significant(value)} ± ${significant(tolerance)}`;
  return { claim, measured, predicted, unit, passed: Math.abs(measured - value) <= tolerance };
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
