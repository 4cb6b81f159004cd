/**
 * What a training run needs beside its model to go on. The file: the 4 bytes `CNFT`, the header's length (little-endian
 * uint32), the header as JSON, then, deflated, weights and both moments as little-endian float32. The weights' average is the
 * model, which has a file of its own.
 */

import { isDeepStrictEqual } from 'node:util';
import { deflateSync, inflateSync } from 'node:zlib';
import { CnfzipError } from '../../codec/error.js';
import { type ModelDefinition, modelParameters } from '../../models/definition.js';
import { readInput, writeFileAtomic } from '../io/files.js';
import type { History } from './history.js';
import type { OptimizerState } from './optimizer.js';

export interface Checkpoint {
  readonly definition: ModelDefinition;
  readonly optimizer: OptimizerState;
  /** State of the run's random numbers. */
  readonly random: number;
  readonly history: History;
}

const MAGIC = 'CNFT';

export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const { definition, optimizer, random, history } = checkpoint;
  const json = JSON.stringify({ definition, steps: optimizer.steps, random, history });
  const header = Buffer.from(json);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const arrays = [optimizer.weights, optimizer.first, optimizer.second].map((a) =>
    Buffer.from(a.buffer, a.byteOffset, a.byteLength),
  );
  const body = deflateSync(Buffer.concat(arrays));
  await writeFileAtomic(path, Buffer.concat([Buffer.from(MAGIC), length, header, body]), { force: true });
}

/**
 * @param average the weights of the model that was written with it
 * @throws {CnfzipError} if it cannot be read, is damaged, or belongs to another model definition
 */
export async function readCheckpoint(
  path: string,
  definition: ModelDefinition,
  average: Float32Array,
): Promise<Checkpoint> {
  const bytes = await readInput(path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = () => new CnfzipError('bad-input', `${path}: not a training checkpoint, or damaged`);
  if (bytes.length < 8 || Buffer.from(bytes.subarray(0, 4)).toString('latin1') !== MAGIC) throw damaged();
  const start = 8 + view.getUint32(4, true);
  const { count } = modelParameters(definition);
  if (start > bytes.length) throw damaged();
  let header: Omit<Checkpoint, 'optimizer'> & { steps: number };
  try {
    header = JSON.parse(Buffer.from(bytes.subarray(8, start)).toString());
  } catch {
    throw damaged();
  }
  if (!isDeepStrictEqual(header?.definition, definition)) {
    throw new CnfzipError('bad-input', `${path}: a checkpoint of another model definition`);
  }
  let body: Buffer;
  try {
    body = inflateSync(bytes.subarray(start), { maxOutputLength: 12 * count });
  } catch {
    throw damaged();
  }
  if (body.length !== 12 * count) throw damaged();
  const [weights, first, second] = [0, 1, 2].map((n) =>
    Float32Array.from({ length: count }, (_, i) => body.readFloatLE(4 * (n * count + i))),
  );
  const { random, history, steps } = header;
  return { definition, optimizer: { steps, weights, first, second, average }, random, history };
}
