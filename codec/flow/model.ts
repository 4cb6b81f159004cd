/**
 * A trained model and its file. Layout of a `.cnfm` file: the 4 bytes `CNFM`, the header's length as a little-endian
 * uint32, the header as UTF-8 JSON ({ version, name, definition, rates }), zero bytes up to a multiple of 4, and the parameters as
 * little-endian halves (`half.ts`) in the order of `modelParameters` in `models/definition.ts`. The model's hash is the first 8 bytes of
 * the file's SHA-256; a `.cnfz` file names its model by it.
 */

import { type ModelDefinition, modelParameters } from '../../models/definition.js';
import { bytesToHex } from '../container/hex.js';
import { CnfzipError } from '../error.js';
import { fromHalf, toHalf } from './half.js';
import type { Learning } from './learning.js';
import { MODEL_VERSION } from './version.js';

export interface Model {
  readonly name: string;
  /** 16 hexadecimal digits. */
  readonly hash: string;
  readonly definition: ModelDefinition;
  readonly rates: AdaptationRates;
  readonly weights: Float32Array;
}

/** How fast a flow learns that goes on learning while it codes; 0 .. 1. */
export interface AdaptationRates {
  /** Of its heads' weights, and of its vector field's. */
  readonly head: number;
  readonly field: number;
  /** Of the correction of the heads' locations (`correction.ts`). */
  readonly correction: number;
  /** Of the last block of each pass; 0 leaves it as it is. */
  readonly block: number;
}

/** What codes a tile: a model, and what of it goes on learning while it does. */
export interface Flow {
  readonly model: Model;
  readonly learning: Learning;
}

/** The same for flows that code alike. */
export function flowKey({ model, learning }: Flow): string {
  return `${model.hash} ${learning}`;
}

/** How fast what is to learn does, and from what. */
export interface Pace extends AdaptationRates {
  /** Whether blocks learn from one run of `SPARSE_RUNS` only. */
  readonly sparse?: boolean;
}

/** The pace of what is to learn, by a model's rates; nothing if nothing is to. */
export function paceOf(rates: AdaptationRates, learning: Learning): Pace | undefined {
  if (learning === 'none') return undefined;
  return learning === 'heads' ? { ...rates, block: 0 } : { ...rates, sparse: learning === 'sparse' };
}

/** For models whose training names no others. */
export const USUAL_RATES: AdaptationRates = { head: 1e-3, field: 1e-3, correction: 2e-3, block: 4e-4 };

const MAGIC = [0x43, 0x4e, 0x46, 0x4d];
const WEIGHT_BYTES = 2;
const MAX_HEADER = 65536;

/** The bytes of a model file. Weights are rounded to halves; a model with a weight beyond 65,504 cannot be read again. */
export function serializeModel({ name, definition, rates, weights }: Omit<Model, 'hash'>): Uint8Array {
  const header = new TextEncoder().encode(JSON.stringify({ version: MODEL_VERSION, name, definition, rates }));
  const start = Math.ceil((8 + header.length) / 4) * 4;
  const bytes = new Uint8Array(start + WEIGHT_BYTES * weights.length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(4, header.length, true);
  bytes.set(header, 8);
  for (const [i, w] of weights.entries()) view.setUint16(start + WEIGHT_BYTES * i, toHalf(w), true);
  return bytes;
}

/**
 * Reads a model file.
 *
 * @throws {CnfzipError} `bad-model` if it is none, is damaged or of another version; `unsupported` without Web Crypto
 */
export async function parseModel(bytes: Uint8Array): Promise<Model> {
  const bad = (why: string) => new CnfzipError('bad-model', `not a usable model file: ${why}`);
  if (bytes.length < 8 || MAGIC.some((b, i) => bytes[i] !== b)) throw bad('it does not start with CNFM');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(4, true);
  if (length > MAX_HEADER || 8 + length > bytes.length) throw bad('its header is cut short');
  let header: { version: number; name: string; definition: ModelDefinition; rates: AdaptationRates };
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch (cause) {
    throw new CnfzipError('bad-model', 'not a usable model file: its header is not JSON', { cause });
  }
  if (header?.version !== MODEL_VERSION)
    throw bad(`its version is ${header?.version}, this program reads ${MODEL_VERSION}`);
  const { definition, rates } = header;
  checkDefinition(definition, bad);
  const { head, field, correction, block } = rates ?? {};
  if (![head, field, correction, block].every((rate) => rate >= 0 && rate <= 1))
    throw bad('its rates of learning are not within 0 and 1');
  const start = Math.ceil((8 + length) / 4) * 4;
  const { count } = modelParameters(definition);
  if (bytes.length !== start + WEIGHT_BYTES * count)
    throw bad(`it holds ${bytes.length - start} bytes of weights, not ${WEIGHT_BYTES * count}`);
  const weights = new Float32Array(count);
  for (let i = 0; i < count; i++) weights[i] = fromHalf(view.getUint16(start + WEIGHT_BYTES * i, true));
  if (!weights.every(Number.isFinite)) throw bad('a weight is not a finite number');
  if (!globalThis.crypto?.subtle) {
    throw new CnfzipError('unsupported', 'models need Web Crypto: in a browser, a page served by https or localhost');
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes)));
  const hash = bytesToHex(digest.subarray(0, 8));
  return { name: String(header.name), hash, definition, rates: { head, field, correction, block }, weights };
}

/** Throws `bad(why)` unless the value is a model definition within the codec's limits. */
export function checkDefinition(value: unknown, bad: (why: string) => CnfzipError): asserts value is ModelDefinition {
  const definition = value as ModelDefinition;
  const { channels, width, blocks, expand, separate, carry, levels, mixtures, hidden } = definition ?? {};
  const within = (n: number, low: number, high: number, multiple = 1) =>
    Number.isInteger(n) && n >= low && n <= high && n % multiple === 0;
  const good: Record<string, boolean> = {
    channels: channels === 1 || channels === 3,
    width: within(width, 8, 256, 8),
    blocks: Array.isArray(blocks) && blocks.length === 3 && blocks.every((n) => within(n, 0, 16)),
    expand: within(expand, 1, 8),
    separate: within(separate, 0, 8),
    carry: within(carry, 8, 64, 8),
    levels: within(levels, 1, 32),
    mixtures: within(mixtures, 1, 4),
    hidden: within(hidden, 4, 256, 4),
  };
  const wrong = Object.keys(good).filter((field) => !good[field]);
  if (wrong.length > 0) throw bad(`out of range in its definition: ${wrong.join(', ')}`);
  const unknown = Object.keys(definition).filter((field) => !Object.hasOwn(good, field));
  if (unknown.length > 0) throw bad(`not known in its definition: ${unknown.join(', ')}`);
}
