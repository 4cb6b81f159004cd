/**
 * Flows that are kept in files (`.cnff`): what a flow is made of in words, and its weights. A file is the letters CNFF, a version, the length of a
 * JSON text as 32 bits, the text, the weights as float32, all numbers little-endian, and a CRC-32 of all before.
 */

import * as tf from '@tensorflow/tfjs-core';
import { crc32 } from '../../codec/container/crc32.js';
import { CnfzipError } from '../../codec/error.js';
import { affineSplit } from '../../models/fields/affine-split.js';
import type { Draws } from '../../models/fields/draws.js';
import type { VectorField } from '../../models/fields/field.js';
import { mlp } from '../../models/fields/mlp.js';
import { Weights } from '../../models/fields/weights.js';
import { type Base, learnedNormal, mixtureOfNormals, standardLogistic, standardNormal, studentT } from './base.js';
import { type Cnf, cnf } from './flow.js';
import { dormandPrince } from './solvers/dormand-prince.js';
import { euler } from './solvers/euler.js';
import { midpoint } from './solvers/midpoint.js';
import { rk4 } from './solvers/rk4.js';
import type { Solver } from './solvers/solver.js';
import { splitting, strang } from './solvers/splitting.js';

/** What a flow's field is: `free`, a perceptron gated by time, or `split`, an affine-split one, each with its hidden layers. */
export interface FieldSpec {
  readonly kind: 'free' | 'split';
  /** D: 1 to 4096; 2 or more for `split`. */
  readonly dimension: number;
  /** Units of each hidden layer: 1 to 8 layers of 1 to 4096. */
  readonly hidden: readonly number[];
}

export type BaseSpec =
  | { readonly kind: 'normal' | 'logistic' /** With a mean and a scale that are learned. */ | 'learned' }
  | { readonly kind: 'mixture' /** Normal distributions, 1 to 256. */; readonly components: number }
  | { readonly kind: 'student' /** Degrees of freedom, 1 to 1000. */; readonly freedom: number };

/** How a coordinate of the data becomes one of the flow: (n - centre) / 2^exponent, where n is the value times 10^decimals. */
export interface Column {
  readonly name: string;
  /** 0 to 15. */
  readonly decimals: number;
  /** An integer of 32 bits. */
  readonly centre: number;
  /** -8 to 31. */
  readonly exponent: number;
}

/** A flow in words. */
export interface FlowSpec {
  readonly field: FieldSpec;
  readonly base: BaseSpec;
  /** So many equal steps (1 to 10,000) of a method. */
  readonly solver: { readonly name: SolverName; readonly steps: number };
  /** Of each coordinate; none for a flow of plain points. */
  readonly columns?: readonly Column[];
}

export type SolverName = 'euler' | 'midpoint' | 'rk4' | 'dormand-prince' | 'splitting' | 'strang';

export const BASE_KINDS: readonly BaseSpec['kind'][] = ['normal', 'logistic', 'student', 'learned', 'mixture'];

const SOLVERS: Record<SolverName, Solver> = {
  euler,
  midpoint,
  rk4,
  'dormand-prince': dormandPrince,
  splitting,
  strang,
};

/** A flow with all that it is made of. */
export interface StoredFlow {
  readonly spec: FlowSpec;
  readonly weights: Weights;
  readonly field: VectorField;
  readonly flow: Cnf;
  readonly base: Base;
}

/**
 * A new flow, whose weights are drawn.
 *
 * @throws {CnfzipError} `bad-model` if the words make no flow
 * @example
 * ```js
 * import * as tf from '@tensorflow/tfjs-core';
 * import { loadFlow, logDensities, makeFlow, Random, saveFlow, selectBackend } from 'cnfzip/cnf';
 *
 * await selectBackend(console.log);
 * const field = { kind: 'free', dimension: 2, hidden: [16, 16] };
 * const made = makeFlow({ field, base: { kind: 'normal' }, solver: { name: 'rk4', steps: 8 } }, new Random(1));
 * const bytes = saveFlow(made); // the bytes of a .cnff file
 * const { flow, base } = loadFlow(bytes);
 * const x = tf.tensor2d([[1, 2]]);
 * console.log(logDensities(flow, base, x)[0] === logDensities(made.flow, made.base, x)[0]); // true
 * ```
 */
export function makeFlow(spec: FlowSpec, draws: Draws): StoredFlow {
  checkSpec(spec);
  const { kind, dimension, hidden } = spec.field;
  const weights = new Weights(draws);
  const field =
    kind === 'free'
      ? mlp(weights, { dimension, hidden, time: 'gated' })
      : affineSplit(weights, { dimension, parts: Math.min(dimension, MOST_PARTS), hidden, time: 'gated' });
  const solver = SOLVERS[spec.solver.name];
  const flow = cnf(field, { method: { solver, steps: spec.solver.steps } });
  return { spec, weights, field, flow, base: makeBase(spec.base, dimension, weights) };
}

/** Parts that an affine-split field moves one after the other: each costs a network. */
const MOST_PARTS = 4;

function makeBase(base: BaseSpec, dimension: number, weights: Weights): Base {
  switch (base.kind) {
    case 'student':
      return studentT(dimension, base.freedom);
    case 'mixture':
      return mixtureOfNormals(weights, { dimension, components: base.components });
    case 'learned':
      return learnedNormal(weights, dimension);
    case 'logistic':
      return standardLogistic(dimension);
    case 'normal':
      return standardNormal(dimension);
  }
}

const MAGIC = [0x43, 0x4e, 0x46, 0x46, 1];
const HEAD = MAGIC.length + 4;

/** The bytes of a `.cnff` file. */
export function saveFlow({ spec, weights }: StoredFlow): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(spec));
  const bytes = new Uint8Array(HEAD + text.length + 4 * weights.count + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(MAGIC.length, text.length, true);
  bytes.set(text, HEAD);
  let at = HEAD + text.length;
  for (const variable of weights.variables) {
    for (const value of variable.dataSync<'float32'>()) {
      view.setFloat32(at, value, true);
      at += 4;
    }
  }
  view.setUint32(at, crc32(bytes.subarray(0, at)), true);
  return bytes;
}

/**
 * The flow that a `.cnff` file holds.
 *
 * @throws {CnfzipError} `bad-model` if the bytes are no whole `.cnff` file, or its words make no flow
 */
export function loadFlow(bytes: Uint8Array): StoredFlow {
  if (bytes.length < HEAD + 4 || MAGIC.slice(0, 4).some((byte, i) => bytes[i] !== byte))
    throw bad('it is no .cnff file');
  if (bytes[4] !== MAGIC[4]) throw bad(`its version is ${bytes[4]}: it is from another cnfzip`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - 4;
  if (view.getUint32(end, true) !== crc32(bytes.subarray(0, end))) throw bad('it is cut short or damaged');
  const begin = HEAD + view.getUint32(MAGIC.length, true);
  if (begin > end) throw bad('its parts do not fit in it');
  const spec = parse(bytes.subarray(HEAD, begin));
  checkSpec(spec);
  // Before memory is taken for it.
  const { hidden, dimension } = spec.field;
  const least = hidden.reduce((sum, size, i) => sum + size * (hidden[i + 1] ?? dimension), 0);
  if (4 * least > end - begin) throw bad('it holds less weights than its flow has');
  const made = makeFlow(spec, ZEROS);
  const { variables, count } = made.weights;
  if (end - begin !== 4 * count) throw bad(`it holds ${end - begin} bytes of weights where its flow has ${4 * count}`);
  let at = begin;
  for (const variable of variables) {
    const values = Float32Array.from({ length: variable.size }, () => {
      at += 4;
      return view.getFloat32(at - 4, true);
    });
    if (!values.every(Number.isFinite)) throw bad('a weight is no number');
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
  }
  return made;
}

const ZEROS: Draws = { normal: () => 0, uniform: () => 0.5 };

function parse(text: Uint8Array): FlowSpec {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text)) as FlowSpec;
  } catch (cause) {
    throw new CnfzipError('bad-model', 'the flow is not told in JSON', { cause });
  }
}

/** @throws {CnfzipError} `bad-model` */
function checkSpec(spec: FlowSpec): void {
  const { field, base, solver, columns } = (spec ?? {}) as Partial<FlowSpec>;
  const whole = (value: unknown, low: number, high: number) =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high;
  if (!field || !['free', 'split'].includes(field.kind)) throw bad('a field is free or split');
  if (!whole(field.dimension, field.kind === 'split' ? 2 : 1, 4096))
    throw bad(`a ${field.kind} field has ${field.kind === 'split' ? 2 : 1} to 4096 dimensions, not ${field.dimension}`);
  if (
    !Array.isArray(field.hidden) ||
    !whole(field.hidden.length, 1, 8) ||
    !field.hidden.every((size) => whole(size, 1, 4096))
  )
    throw bad('a field has 1 to 8 hidden layers of 1 to 4096 units');
  if (!base || !BASE_KINDS.includes(base.kind)) throw bad(`a base is one of ${BASE_KINDS.join(', ')}`);
  if (base.kind === 'student' && !whole(base.freedom, 1, 1000))
    throw bad('Student’s t has 1 to 1000 degrees of freedom');
  if (base.kind === 'mixture' && !whole(base.components, 1, 256)) throw bad('a mixture has 1 to 256 components');
  if (!solver || !Object.hasOwn(SOLVERS, solver.name))
    throw bad(`a solver is one of ${Object.keys(SOLVERS).join(', ')}`);
  if (!whole(solver.steps, 1, 10_000)) throw bad('a solver takes 1 to 10,000 steps');
  if (field.kind === 'free' && (solver.name === 'splitting' || solver.name === 'strang'))
    throw bad('the splitting method needs a split field');
  if (columns === undefined) return;
  const fits = (column: Partial<Column> | undefined) =>
    typeof column?.name === 'string' &&
    whole(column.decimals, 0, 15) &&
    whole(column.centre, -(2 ** 31), 2 ** 31 - 1) &&
    whole(column.exponent, -8, 31);
  if (!Array.isArray(columns) || columns.length !== field.dimension || !columns.every(fits))
    throw bad(`each of ${field.dimension} columns has a name, decimals, a centre and an exponent`);
}

function bad(what: string): CnfzipError {
  return new CnfzipError('bad-model', `cannot take the flow: ${what}`);
}
