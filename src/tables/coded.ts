/**
 * Tables coded under a flow (`.cnfd`): by Local Bits-Back for a free field, by integer splitting for a split one. A file is the letters CNFD, a version,
 * the checksum at the end of the flow's file, the number of rows, the CRC-32 of the table's integers, the words of the stack, and a CRC-32 of all before; all
 * numbers have 32 bits, little-endian.
 */

import { crc32 } from '../../codec/container/crc32.js';
import { CnfzipError } from '../../codec/error.js';
import type { SplitField } from '../../models/fields/affine-split.js';
import { dequantized } from '../cnf/coding/dequantized.js';
import { localBitsBack } from '../cnf/coding/local-bits-back.js';
import { splittingCoder } from '../cnf/coding/splitting-coder.js';
import { type Coder, Stack } from '../cnf/coding/stack.js';
import { type Column, type StoredFlow, saveFlow } from '../cnf/stored.js';
import { Random } from '../train/random.js';
import { columnsIn } from './columns.js';
import type { Table } from './table.js';

/** Cells of the flow's space are 2^-GRID_BITS wide, of the order of its standard deviation; the noise of Local Bits-Back is 2^-NOISE_BITS. */
const [GRID_BITS, NOISE_BITS] = [14, 8];
/** Rows that the network sees at once, at most. */
const MOST_TOGETHER = 64;
/** What lies on the stack before the first row; a file keeps those words that were borrowed. */
const SEED = 1;
const MAGIC = [0x43, 0x4e, 0x46, 0x44, 1];
const HEAD = MAGIC.length + 12;

/**
 * @throws {CnfzipError} `unsupported` for a flow over another base than the normal one, or a value too far from those that it was fitted to; `bad-model`
 *   for a flow that was not fitted to a table
 */
export async function encodeTable(stored: StoredFlow, { integers, rows }: Table): Promise<Uint8Array<ArrayBuffer>> {
  const columns = columnsIn(stored.spec.columns);
  const width = columns.length;
  const coders = codersOf(stored, columns);
  const initial = initialWords(width);
  const stack = await Stack.of(initial, 4 * initial.length + 16 * integers.length + 65_536);
  const centred = centre(integers, columns);
  try {
    for (const { from, count } of batches(rows)) {
      coders(count).push(stack, centred.subarray(from * width, (from + count) * width));
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CnfzipError(
      'unsupported',
      `a value lies too far from those that the flow was fitted to: ${error.message}`,
    );
  }
  const words = stack.contents().subarray(initial.length - 2 - stack.borrowed / 32);
  const bytes = new Uint8Array(HEAD + 4 * words.length + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  for (const [i, value] of [flowMark(stored), rows, crc32(littleEndian(integers)), ...words].entries())
    view.setUint32(MAGIC.length + 4 * i, value, true);
  const end = bytes.length - 4;
  view.setUint32(end, crc32(bytes.subarray(0, end)), true);
  return bytes;
}

/**
 * @throws {CnfzipError} `bad-input` for bytes that are no `.cnfd` file or were coded under another flow; `corrupt` if they are not whole, or if what they
 *   decode to is not what was encoded
 */
export async function decodeTable(stored: StoredFlow, bytes: Uint8Array): Promise<Table> {
  const columns = columnsIn(stored.spec.columns);
  if (bytes.length < HEAD + 12 || MAGIC.slice(0, 4).some((byte, i) => bytes[i] !== byte))
    throw new CnfzipError('bad-input', 'it is no .cnfd file');
  if (bytes[4] !== MAGIC[4])
    throw new CnfzipError('unsupported', `its version is ${bytes[4]}: it is from another cnfzip`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - 4;
  if (view.getUint32(end, true) !== crc32(bytes.subarray(0, end)) || (end - HEAD) % 4 !== 0)
    throw new CnfzipError('corrupt', 'it is cut short or damaged');
  const [mark, rows, checksum] = [0, 1, 2].map((i) => view.getUint32(MAGIC.length + 4 * i, true));
  if (mark !== flowMark(stored))
    throw new CnfzipError(
      'bad-input',
      'it was encoded under another flow: take the .cnff file that it was encoded with',
    );
  const width = columns.length;
  const words = Uint32Array.from({ length: (end - HEAD) / 4 }, (_, i) => view.getUint32(HEAD + 4 * i, true));
  const integers = new Int32Array(rows * width);
  const different = () =>
    new CnfzipError(
      'corrupt',
      'what it decodes to is not what was encoded: was it encoded by another version of TensorFlow.js?',
    );
  const coders = codersOf(stored, columns);
  try {
    const stack = await Stack.of(words, 4 * words.length + 65_536);
    for (const { from, count } of batches(rows).reverse()) integers.set(coders(count).pop(stack), from * width);
    const left = stack.contents();
    const initial = initialWords(width);
    if (left.some((word, i) => word !== initial[initial.length - left.length + i])) throw different();
  } catch (error) {
    throw error instanceof RangeError ? different() : error;
  }
  for (const [i, value] of integers.entries()) integers[i] = value + columns[i % width].centre;
  if (crc32(littleEndian(integers)) !== checksum) throw different();
  return { names: columns.map(({ name }) => name), decimals: columns.map(({ decimals }) => decimals), rows, integers };
}

/** Coders of so many rows' integers, less their centres. */
function codersOf({ spec, field, flow }: StoredFlow, columns: readonly Column[]): (rows: number) => Coder<Int32Array> {
  if (spec.base.kind !== 'normal')
    throw new CnfzipError(
      'unsupported',
      `tables are coded under flows over a normal base, not a ${spec.base.kind} one`,
    );
  const bits = columns.map(({ exponent }) => GRID_BITS - exponent);
  const dimension = columns.length;
  const made = new Map<number, Coder<Int32Array>>();
  return (points) => {
    const known = made.get(points);
    if (known) return known;
    const cells =
      spec.field.kind === 'split'
        ? splittingCoder(field as SplitField, { points, gridBits: GRID_BITS, steps: spec.solver.steps })
        : localBitsBack(flow, { dimension, points, gridBits: GRID_BITS, noiseBits: NOISE_BITS });
    const coder = dequantized(cells, bits);
    made.set(points, coder);
    return coder;
  };
}

/** A quarter of the rows before, at most: a batch takes its noise from what those have put on the stack. */
function batches(rows: number): { from: number; count: number }[] {
  const all: { from: number; count: number }[] = [];
  for (let from = 0; from < rows; from += all.at(-1)!.count) {
    const size = Math.min(MOST_TOGETHER, Math.max(1, Math.floor(from / 4)));
    all.push({ from, count: Math.min(size, rows - from) });
  }
  return all;
}

function centre(integers: Int32Array, columns: readonly Column[]): Int32Array {
  return integers.map((value, i) => {
    const away = value - columns[i % columns.length].centre;
    if (away !== (away | 0))
      throw new CnfzipError('unsupported', 'a value lies too far from those that the flow was fitted to');
    return away;
  });
}

/** The same random words on both sides. */
function initialWords(width: number): Uint32Array {
  const random = new Random(SEED);
  const words = Uint32Array.from({ length: 66 + 4 * width }, () => random.word());
  words[words.length - 2] |= 1;
  return words;
}

/** Tells flows from each other: the checksum at the end of a flow's file. */
function flowMark(stored: StoredFlow): number {
  const bytes = saveFlow(stored);
  return new DataView(bytes.buffer).getUint32(bytes.length - 4, true);
}

function littleEndian(values: Int32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  for (const [i, value] of values.entries()) view.setInt32(4 * i, value, true);
  return new Uint8Array(view.buffer);
}
