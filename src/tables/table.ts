/** Tables of numbers, exactly: each value an integer over a power of ten that its column has. */

import { CnfzipError } from '../../codec/error.js';

export interface Table {
  /** Of the columns; `x1`, `x2` ... if the file has no line of names. */
  readonly names: readonly string[];
  /** Digits behind the point that each column's values have at most. */
  readonly decimals: readonly number[];
  readonly rows: number;
  /** Values times 10^decimals, row by row. */
  readonly integers: Int32Array;
}

const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;
const MOST_DECIMALS = 15;

export interface ParseOptions {
  /** Of each column, of a flow that is there already; what its values have at most without. */
  readonly decimals?: readonly number[];
  /** Values with more decimals than there is room for are rounded; without, they are refused. */
  readonly rounds: boolean;
}

/**
 * Reads numbers separated by commas, semicolons, tabs or blanks, a row a line. A first line that is not all numbers tells the columns' names.
 *
 * @throws {CnfzipError} `bad-input`, telling line and column, for what is no number, for one that does not fit in 32 bits, for rows of different
 *   length and for no rows
 */
export function parseTable(text: string, { decimals, rounds }: ParseOptions): Table {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .map((row, i) => ({ line: i + 1, row: row.trim() }))
    .filter(({ row }) => row !== '');
  if (lines.length === 0) throw bad('there is nothing in it');
  const separator = [',', ';', '\t'].find((mark) => lines[0].row.includes(mark)) ?? /\s+/;
  const cells = lines.map(({ line, row }) => ({ line, fields: row.split(separator).map((field) => field.trim()) }));
  const titled = cells[0].fields.some((field) => !parseNumber(field));
  const body = titled ? cells.slice(1) : cells;
  const width = cells[0].fields.length;
  if (body.length === 0) throw bad('it has no rows of numbers');
  if (decimals && decimals.length !== width) throw bad(`it has ${width} columns where the flow has ${decimals.length}`);
  const parsed = body.map(({ line, fields }) => {
    if (fields.length !== width) throw bad(`line ${line} has ${fields.length} values where the first has ${width}`);
    return fields.map((field, column) => {
      const value = parseNumber(field);
      if (!value) throw bad(`line ${line}, column ${column + 1}: '${shortened(field)}' is no number`);
      return value;
    });
  });
  const places =
    decimals ??
    Array.from({ length: width }, (_, column) =>
      placesOf(
        parsed.map((row) => row[column]),
        rounds,
      ),
    );
  const integers = new Int32Array(body.length * width);
  for (const [row, values] of parsed.entries()) {
    for (const [column, value] of values.entries()) {
      const whole = scaled(value, places[column]);
      const told = () => `line ${body[row].line}, column ${column + 1}: ${shortened(body[row].fields[column])}`;
      if (value.decimals > places[column] && !rounds)
        throw bad(`${told()} has more than the ${places[column]} decimals of its column`);
      if (whole !== (whole | 0))
        throw bad(`${told()} does not fit in 32 bits with the ${places[column]} decimals of its column`);
      integers[row * width + column] = whole;
    }
  }
  const names = titled ? cells[0].fields : Array.from({ length: width }, (_, i) => `x${i + 1}`);
  return { names, decimals: places, rows: body.length, integers };
}

/** Decimals that a column's values have, or, if they may be rounded, of which 32 bits have room for. */
function placesOf(values: readonly Parsed[], rounds: boolean): number {
  const most = values.reduce((all, { decimals }) => Math.max(all, decimals), 0);
  if (!rounds) return Math.min(most, MOST_DECIMALS);
  const largest = values.reduce((all, { value }) => Math.max(all, Math.abs(value)), 0);
  let places = Math.min(most, MOST_DECIMALS);
  while (places > 0 && largest * 10 ** places >= 2 ** 31) places--;
  return places;
}

/** The table as comma-separated values with a line of names, each value with its column's decimals. */
export function formatTable({ names, decimals, rows, integers }: Table): string {
  const width = names.length;
  const lines = [names.join(',')];
  for (let row = 0; row < rows; row++) {
    lines.push(decimals.map((places, column) => formatNumber(integers[row * width + column], places)).join(','));
  }
  return `${lines.join('\n')}\n`;
}

function formatNumber(integer: number, decimals: number): string {
  const digits = String(Math.abs(integer)).padStart(decimals + 1, '0');
  const sign = integer < 0 ? '-' : '';
  if (decimals === 0) return sign + digits;
  return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

interface Parsed {
  readonly value: number;
  /** Its digits without the point, of which so many are behind it. */
  readonly digits: string;
  readonly decimals: number;
}

function parseNumber(field: string): Parsed | undefined {
  const [, sign, before, behind = '', exponent = '0'] = NUMBER.exec(field) ?? [];
  if (before === undefined || before + behind === '') return undefined;
  const digits = before + behind.replace(/0+$/, '');
  const decimals = digits.length - before.length - Number(exponent);
  const padded = decimals < 0 ? digits + '0'.repeat(-decimals) : digits;
  return {
    value: Number(field),
    digits: `${sign === '-' ? '-' : ''}${padded || '0'}`,
    decimals: Math.max(0, decimals),
  };
}

/** The value times 10^places: of its digits where they suffice, so that no rounding comes between. */
function scaled({ value, digits, decimals }: Parsed, places: number): number {
  const whole = decimals <= places ? Number(digits + '0'.repeat(places - decimals)) : Math.round(value * 10 ** places);
  // No -0.
  return whole + 0;
}

function shortened(text: string): string {
  return text.length > 20 ? `${text.slice(0, 20)}...` : text;
}

function bad(what: string): CnfzipError {
  return new CnfzipError('bad-input', what);
}
