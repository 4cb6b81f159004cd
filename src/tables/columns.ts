/** How columns of integers become coordinates of a flow, and back. */

import { CnfzipError } from '../../codec/error.js';
import type { Column } from '../cnf/stored.js';
import type { Table } from './table.js';

/** Centres and scales (powers of two, so that integers and cells of a coder's grid fall together) of a table's columns. */
export function columnsOf({ names, decimals, rows, integers }: Table): Column[] {
  const width = names.length;
  return names.map((name, column) => {
    let [sum, squares] = [0, 0];
    for (let row = 0; row < rows; row++) sum += integers[row * width + column];
    const centre = Math.round(sum / rows);
    for (let row = 0; row < rows; row++) squares += (integers[row * width + column] - centre) ** 2;
    // With what uniform noise adds, so that a column of one value has a scale, too.
    const exponent = Math.round(0.5 * Math.log2(squares / rows + 1 / 12)) + 0;
    return { name, decimals: decimals[column], centre, exponent };
  });
}

/** The coordinate of an integer, or of a place within it; 0.5 is its middle. */
export function coordinate({ centre, exponent }: Column, integer: number, within: number): number {
  return (integer - centre + within) * 2 ** -exponent;
}

/** The integer that a coordinate lies in. */
export function integerOf({ centre, exponent }: Column, coordinate: number): number {
  return Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), Math.floor(coordinate * 2 ** exponent) + centre));
}

/** What a density of coordinates is to be multiplied with to be one of the columns' own units, as a logarithm. */
export function logUnits(columns: readonly Column[]): number {
  return columns.reduce((sum, { decimals, exponent }) => sum + decimals * Math.LN10 - exponent * Math.LN2, 0);
}

/** @throws {CnfzipError} `bad-model` for a flow of plain points */
export function columnsIn(columns: readonly Column[] | undefined): readonly Column[] {
  if (!columns) throw new CnfzipError('bad-model', 'the flow was not fitted to a table: it has no columns');
  return columns;
}
