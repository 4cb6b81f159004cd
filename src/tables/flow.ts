/** Flows of tables: fitted, asked for densities, drawn from. */

import * as tf from '@tensorflow/tfjs-core';
import { CnfzipError } from '../../codec/error.js';
import { logDensities } from '../cnf/base.js';
import { fitLikelihood, fitVelocity } from '../cnf/fit.js';
import { cnf } from '../cnf/flow.js';
import { scoped } from '../cnf/scope.js';
import { midpoint } from '../cnf/solvers/midpoint.js';
import { splitting } from '../cnf/solvers/splitting.js';
import { type BaseSpec, type Column, type FieldSpec, makeFlow, type StoredFlow } from '../cnf/stored.js';
import { Random } from '../train/random.js';
import { columnsIn, columnsOf, coordinate, integerOf, logUnits } from './columns.js';
import type { Table } from './table.js';

export interface FitTableOptions {
  readonly kind: FieldSpec['kind'];
  readonly hidden: readonly number[];
  readonly base: BaseSpec;
  /** Steps of flow matching, and of maximum likelihood behind them. */
  readonly steps: number;
  readonly likelihood: number;
  readonly seed: number;
  /** Told how far it is, 0 to 1. */
  onProgress(part: number): void;
}

export interface FittedTable {
  readonly made: StoredFlow;
  /** Mean log-density of the rows that were held out, in nats per row of the columns' units, and how many they are. */
  readonly held: number;
  readonly rows: number;
}

const BATCH = 256;
/** Of the rows, every so many-th is held out. */
const HELD_OUT = 10;
const LEAST_ROWS = 20;
const [RATE, LIKELIHOOD_RATE] = [0.01, 0.002];

/** @throws {CnfzipError} `bad-input` if the table has too few rows */
export function fitTable(table: Table, options: FitTableOptions): FittedTable {
  const { kind, hidden, base: baseSpec, steps, likelihood, seed, onProgress } = options;
  if (table.rows < LEAST_ROWS)
    throw new CnfzipError('bad-input', `a flow is fitted to ${LEAST_ROWS} rows or more, not ${table.rows}`);
  const random = new Random(seed);
  const columns = columnsOf(table);
  const solver = kind === 'split' ? ({ name: 'splitting', steps: 8 } as const) : ({ name: 'rk4', steps: 16 } as const);
  const field: FieldSpec = { kind, dimension: columns.length, hidden };
  const made = makeFlow({ field, base: baseSpec, solver, columns }, random);
  const seen = Array.from({ length: table.rows }, (_, row) => row).filter((row) => row % HELD_OUT !== HELD_OUT - 1);
  const batch = () => {
    const rows = Array.from({ length: BATCH }, () => seen[random.below(seen.length)]);
    return tensorOf(table, columns, rows, () => random.uniform());
  };
  const { weights, base } = made;
  const told = (from: number) => (step: number) => onProgress((from + step + 1) / (steps + likelihood));
  fitVelocity(made.field, base, { weights, batch, steps, rate: RATE, onStep: told(0) }, random);
  if (likelihood > 0) {
    // A split flow's map is exact at any step; penalties keep others from profiting by a coarse solver's error.
    const trained =
      kind === 'split'
        ? cnf(made.field, { method: { solver: splitting, steps: solver.steps } })
        : cnf(made.field, { method: { solver: midpoint, steps: 8 }, kinetic: 0.02, jacobian: 0.02 });
    fitLikelihood(trained, base, { weights, batch, steps: likelihood, rate: LIKELIHOOD_RATE, onStep: told(steps) });
  }
  const held = Array.from({ length: table.rows }, (_, row) => row).filter((row) => row % HELD_OUT === HELD_OUT - 1);
  const scores = scoreRows(made, table, held);
  return { made, held: scores.reduce((a, b) => a + b) / held.length, rows: held.length };
}

/** log p of each row, in the middle of what its last decimal leaves open: in nats, as a density of the columns' units. */
export function scoreTable(stored: StoredFlow, table: Table): Float64Array {
  return scoreRows(
    stored,
    table,
    Array.from({ length: table.rows }, (_, row) => row),
  );
}

function scoreRows({ flow, base, spec }: StoredFlow, table: Table, rows: readonly number[]): Float64Array {
  const columns = columnsIn(spec.columns);
  const x = tensorOf(table, columns, rows, () => 0.5);
  const units = logUnits(columns);
  const scores = Float64Array.from(logDensities(flow, base, x, 500), (log) => log + units);
  x.dispose();
  return scores;
}

/** Rows that the flow draws, as exact as the columns that it was fitted to. */
export function sampleTable({ flow, base, spec }: StoredFlow, rows: number, random: Random): Table {
  const columns = columnsIn(spec.columns);
  const width = columns.length;
  const integers = new Int32Array(rows * width);
  const TOGETHER = 1000;
  for (let from = 0; from < rows; from += TOGETHER) {
    const count = Math.min(TOGETHER, rows - from);
    const drawn = scoped(() => flow.inverse(base.sample(count, random)).dataSync<'float32'>());
    for (const [i, value] of drawn.entries()) integers[from * width + i] = integerOf(columns[i % width], value);
  }
  return { names: columns.map(({ name }) => name), decimals: columns.map(({ decimals }) => decimals), rows, integers };
}

function tensorOf(
  { integers }: Table,
  columns: readonly Column[],
  rows: readonly number[],
  within: () => number,
): tf.Tensor2D {
  const width = columns.length;
  const values = Float32Array.from({ length: rows.length * width }, (_, i) => {
    const column = i % width;
    return coordinate(columns[column], integers[rows[Math.floor(i / width)] * width + column], within());
  });
  return tf.tensor2d(values, [rows.length, width]);
}
