/**
 * What a training run needs to go on. The file: the 4 bytes `CNFT`, the SHA-256 of all that follows, the header's length
 * (little-endian uint32), the header as JSON, then, deflated, weights, both moments and the weights' average as little-endian
 * float32.
 */

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { deflateSync, inflateSync } from 'node:zlib';
import { CnfzipError } from '../../codec/error.js';
import { type ModelDefinition, modelParameters } from '../../models/definition.js';
import { readNamed } from '../io/files/read.js';
import { writeFileAtomic } from '../io/files/write.js';
import type { History } from './history.js';
import type { OptimizerState } from './optimizer.js';

interface Header {
  readonly definition: ModelDefinition;
  /** State of the run's random numbers. */
  readonly random: number;
  readonly history: History;
  /** Hash of the model that is written with it, of the weights' average. */
  readonly model: string;
  /** Hash of the model that was there before, if there was one, and still is where a run ended between the two files. */
  readonly modelBefore?: string;
}

export interface Checkpoint extends Header {
  readonly optimizer: OptimizerState;
}

const MAGIC = Buffer.from('CNFT');
const HASH_BYTES = 32;
const HEADER_AT = MAGIC.length + HASH_BYTES + 4;

export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const { optimizer, ...rest } = checkpoint;
  const header = Buffer.from(JSON.stringify({ ...rest, steps: optimizer.steps }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const { weights, first, second, average } = optimizer;
  const arrays = [weights, first, second, average].map((a) => Buffer.from(a.buffer, a.byteOffset, a.byteLength));
  const content = Buffer.concat([length, header, deflateSync(Buffer.concat(arrays))]);
  await writeFileAtomic(path, Buffer.concat([MAGIC, sha256(content), content]), { force: true });
}

/** @throws {CnfzipError} if it cannot be read, is damaged, or belongs to another model definition */
export async function readCheckpoint(path: string, definition: ModelDefinition): Promise<Checkpoint> {
  const bytes = Buffer.from(await readNamed(path));
  const damaged = () => new CnfzipError('bad-input', `${path}: not a training checkpoint, or damaged`);
  const content = bytes.subarray(MAGIC.length + HASH_BYTES);
  const whole = bytes.subarray(0, MAGIC.length).equals(MAGIC) && content.length >= 4;
  if (!whole || !sha256(content).equals(bytes.subarray(MAGIC.length, MAGIC.length + HASH_BYTES))) throw damaged();
  const start = HEADER_AT + content.readUInt32LE();
  const { count } = modelParameters(definition);
  let header: Header & { steps: number };
  let body: Buffer;
  try {
    header = JSON.parse(bytes.subarray(HEADER_AT, start).toString());
    if (!isDeepStrictEqual(header.definition, definition)) {
      throw new CnfzipError('bad-input', `${path}: a checkpoint of another model definition`);
    }
    body = inflateSync(bytes.subarray(start), { maxOutputLength: 16 * count });
  } catch (error) {
    throw error instanceof CnfzipError ? error : damaged();
  }
  if (body.length !== 16 * count) throw damaged();
  const [weights, first, second, average] = [0, 1, 2, 3].map((n) =>
    Float32Array.from({ length: count }, (_, i) => body.readFloatLE(4 * (n * count + i))),
  );
  const { steps, ...rest } = header;
  return { ...rest, optimizer: { steps, weights, first, second, average } };
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
