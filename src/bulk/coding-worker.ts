/** A thread that makes results and verifies them, one at a time, so that the process's own thread is free to answer. */
import { workerData } from 'node:worker_threads';
import { once } from '../../codec/once.js';
import { Codec, type CodecOptions, type Limits } from '../index.js';
import { serve } from '../threads/threads.js';
import { type BulkSource, type Coding, makeResultOf, type Result } from './coding.js';
import type { Success } from './manifest.js';
import { type VerifyFolders, verifyEntry } from './verify.js';

export type BulkCall =
  | { readonly kind: 'make'; readonly source: BulkSource; readonly coding: Coding }
  | { readonly kind: 'verify'; readonly entry: Success; readonly folders: VerifyFolders };

/** A result, or nothing where one was verified. */
export type BulkResult = Result | undefined;

const options: CodecOptions = { ...(workerData as Limits), threads: 1 };
const codecOf = once(async (model: string | undefined) => new Codec({ ...options, model }));

serve<BulkCall, BulkResult>(async (call) => {
  if (call.kind === 'verify') {
    const { entry, folders } = call;
    await verifyEntry(entry, folders, await codecOf(undefined), options);
    return { result: undefined };
  }
  const { source, coding } = call;
  const model = coding.verb === 'compress' ? coding.model : undefined;
  const result = await makeResultOf(source, coding, await codecOf(model), options);
  return { result, given: result.bytes.buffer };
});
