/** Options of the library's functions. */

import { availableParallelism } from 'node:os';
import { checkChoices, type Effort } from '../../codec/coding.js';
import { CnfzipError } from '../../codec/error.js';
import type { Learning } from '../../codec/flow/learning.js';
import type { Model } from '../../codec/flow/model.js';
import type { ViewOptions } from '../../codec/view.js';
import { OUTPUT_FORMATS } from '../io/formats.js';
import type { Limits } from './memory.js';

/** What a `Codec` codes all images with. */
export interface CodecOptions extends Limits {
  /**
   * When encoding: a model from `loadModel`, the path of a model's file, or the name of a shipped one: `fast`, `default`, `best`.
   * When decoding: a model or its path, beside the shipped ones; the file itself names the one it needs.
   */
  model?: Model | string;
  /**
   * Threads that code tiles, 1 .. 256; 1 stays in the calling thread, or in the signal's. Without it: as many as the machine
   * runs at once. An image takes no more of them than it has tiles. The result does not depend on it.
   */
  threads?: number;
}

/** Options of a call. */
export interface CallOptions {
  /** Called after each tile with the part that is done, above 0 and up to 1. */
  onProgress?: (fraction: number) => void;
  /**
   * Stops the work at whatever point it is: the promise is rejected with the signal's reason, and its threads end. With a
   * signal all is done in a thread of its own, on a copy of what is given, so that the calling thread is never blocked
   * and sees the signal; that thread takes some 50 ms to start.
   */
  signal?: AbortSignal;
}

/** How an image is encoded. */
export interface EncodeCallOptions extends CallOptions {
  /** Decode the result and compare, which takes as long again; true without it. */
  verify?: boolean;
  /**
   * What of the flow goes on learning while it codes, `none`, `heads`, `sparse` or `blocks`: with each files are smaller and take longer, both ways;
   * `heads` without it.
   */
  learning?: Learning;
  /** How much is tried on graphics: `low`, `medium`, `high`; `medium` without it. */
  effort?: Effort;
}

/** Options that `encode` and `decode` share. */
export interface Options extends CodecOptions, CallOptions {}

export interface EncodeOptions extends CodecOptions, EncodeCallOptions {}

/** Options of an image of an open file. */
export interface ViewingOptions extends ViewOptions {
  /** Called after each tile with the part that is done, above 0 and up to 1. */
  onProgress?: (fraction: number) => void;
  /** Stops the work: the promise is rejected with the signal's reason, and its threads end. Tiles of a flow are then coded in threads. */
  signal?: AbortSignal;
}

const MAX_THREADS = 256;

/** Threads that are asked for, or as many as the machine runs at once. */
export function threadsOf({ threads }: CodecOptions): number {
  return threads ?? Math.min(availableParallelism(), MAX_THREADS);
}

type Check = (value: unknown) => string | undefined;

const integer = (least: number, most: number): Check => {
  const fits = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
  return (value) => (fits(value) ? undefined : `must be an integer from ${least} to ${most}: ${String(value)}`);
};

const anything: Check = () => undefined;

const truth: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');

function oneOf(words: readonly string[]): Check {
  return (value) => (words.includes(value as string) ? undefined : `must be one of ${words.join(', ')}`);
}

const LIMITS: Record<keyof Limits, Check> = {
  maxPixels: integer(1, Number.MAX_SAFE_INTEGER),
  maxMemory: integer(1, Number.MAX_SAFE_INTEGER),
};

const CODEC: Record<keyof CodecOptions, Check> = {
  ...LIMITS,
  model: (value) =>
    typeof value === 'string' || (value as Model | null)?.weights instanceof Float32Array
      ? undefined
      : 'must be a model from loadModel, a path or a name',
  threads: integer(1, MAX_THREADS),
};

const CALL: Record<keyof CallOptions, Check> = {
  onProgress: (value) => (typeof value === 'function' ? undefined : 'must be a function'),
  signal: (value) => (value instanceof AbortSignal ? undefined : 'must be an AbortSignal'),
};

/** `checkChoices` says what they may be. */
const CHOSEN = { learning: anything, effort: anything };

const ENCODING: Record<keyof EncodeCallOptions, Check> = { ...CALL, ...CHOSEN, verify: truth };

/** What each function's options may be. */
const CHECKS = {
  readImage: LIMITS,
  info: LIMITS,
  codec: CODEC,
  call: CALL,
  encoding: ENCODING,
  decode: { ...CODEC, ...CALL },
  encode: { ...CODEC, ...ENCODING },
  createArchive: {
    ...CODEC,
    ...CHOSEN,
    shardPixels: integer(1, Number.MAX_SAFE_INTEGER),
  },
  // `viewOf` says what scale and region may be.
  view: { ...CALL, scale: anything, region: anything },
  writeImage: {
    format: oneOf(OUTPUT_FORMATS),
    force: truth,
  },
} satisfies Record<string, Record<string, Check>>;

/** @throws CnfzipError `usage`, naming the option */
export function checkOptions(options: object, of: keyof typeof CHECKS): void {
  if (typeof options !== 'object' || options === null) throw new CnfzipError('usage', 'options must be an object');
  const checks: Record<string, Check> = CHECKS[of];
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, name)) {
      throw new CnfzipError('usage', `there is no option ${name}; there are: ${Object.keys(checks).join(', ')}`);
    }
    const problem = value === undefined ? undefined : checks[name](value);
    if (problem) throw new CnfzipError('usage', `option ${name} ${problem}`);
  }
  checkChoices(options);
}
