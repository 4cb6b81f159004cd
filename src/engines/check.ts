/**
 * What every engine is asked to do: golden files decoded and encoded again, and tiles of random samples by all models. It runs in Node,
 * Bun, Deno and browsers alike and needs nothing but the built codec and somebody who reads files.
 */

import { decodeImage, encodeImage } from '../../codec/codec.js';
import { crc32 } from '../../codec/container/crc32.js';
import { LEARNING } from '../../codec/flow/learning.js';
import { type Flow, parseModel } from '../../codec/flow/model.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { sameValues } from '../../codec/image.js';
import { randomIntegers } from '../fuzz/random-bytes.js';

export interface Task {
  /** Golden files in `fixtures/`. */
  readonly files: readonly string[];
  /** Shipped models, by their names. */
  readonly models: readonly string[];
}

/** Bytes of a file, by its path from the repository's root. */
export type Read = (path: string) => Promise<Uint8Array>;

export interface Findings {
  /** Of each golden file, `same`, or what is wrong: it must be decoded, and encoded to the same bytes. */
  readonly files: Record<string, string>;
  /** Checksum of each tile's payload, or what is wrong. */
  readonly tiles: Record<string, string>;
}

/** Models that code golden files. */
const CODING = ['default', 'gray'];

const DEPTHS = [8, 12, 16];
const SIZES = [
  [37, 26],
  [13, 11],
  [2, 9],
];

/** Weights times this overflow to infinities and NaN, whose bits engines and processors choose as they like. */
const OVERFLOW = 1e30;

export async function check({ files, models }: Task, read: Read): Promise<Findings> {
  const load = async (name: string) => parseModel(await read(`models/${name}.cnfm`));
  const coding = await Promise.all(CODING.map(load));
  const findings: Findings = { files: {}, tiles: {} };
  for (const name of files) {
    findings.files[name] = await verdict(async () => {
      const file = await read(`fixtures/${name}`);
      const again = await encodeImage(await decodeImage(file, coding), coding, { verify: false });
      return sameValues(file, again) ? 'same' : `encoded to ${again.length} other bytes, not ${file.length}`;
    });
  }
  for (const name of models) {
    const model = await load(name);
    const overflowing = { ...model, name: `${name} overflowing`, weights: model.weights.map((w) => w * OVERFLOW) };
    for (const variant of [model, overflowing]) {
      for (const learning of LEARNING) await checkTiles({ model: variant, learning }, findings);
    }
  }
  return findings;
}

async function checkTiles(flow: Flow, { tiles }: Findings): Promise<void> {
  const { model, learning } = flow;
  const codec = await TileCodec.create(flow);
  for (const depth of DEPTHS) {
    for (const [width, height] of SIZES) {
      const shape = { width, height, depth };
      const samples = randomTile(width * height, model.definition.channels, depth);
      tiles[
        `${model.name}${learning === 'none' ? '' : `, learning ${learning}`}, ${depth} bits, ${width} x ${height}`
      ] = await verdict(async () => {
        const { payload } = codec.encode(samples, shape);
        return sameValues(codec.decode(payload, shape), samples) ? checksum(payload) : 'decoded to other samples';
      });
    }
  }
}

/** A slope with noise, which some samples leave as far as there is room. */
function randomTile(pixels: number, channels: number, depth: number): Int32Array {
  const random = randomIntegers(depth + pixels);
  const noise = 1 << (depth - 5);
  return Int32Array.from({ length: pixels * channels }, (_, i) => {
    if (random(40) === 0) return random(2) ? 2 ** depth - 1 : -(2 ** depth);
    return (i % channels === 0 ? Math.floor(i / pixels) * noise : 0) + random(noise);
  });
}

async function verdict(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    return `failed: ${(error as Error).message}`;
  }
}

function checksum(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}
