/**
 * `encode` and `decode` that a signal ends at once. What codes an image blocks its thread for seconds, in which no signal is
 * seen: such a call has a thread of its own, which is ended together with those that it has begun.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { checkStructure, type Image } from '../codec/image.js';
import { type Failure, toError } from './failure.js';
import type { Options } from './options.js';
import { startThread } from './thread.js';

/** What a thread is begun for. */
export type Call =
  | { readonly operation: 'encode'; readonly input: Image; readonly options: Options }
  | { readonly operation: 'decode'; readonly input: Uint8Array; readonly options: Options };

/** What the thread tells: its progress, and at last how the call ended. */
export type Report =
  | { readonly progress: number }
  | { readonly result: Image | Uint8Array }
  | { readonly failure: Failure };

/** What stays with the caller. */
interface Caller {
  readonly signal: AbortSignal;
  readonly onProgress?: (fraction: number) => void;
}

/** Elements that are copied between two turns of the event loop: fresh memory costs up to 3 ms a megabyte. */
const COPIED_AT_ONCE = 2 ** 24;

/** @param options without those of `caller` */
export async function encodeAbortably(image: Image, options: Options, caller: Caller): Promise<Uint8Array> {
  // What is no image might not be sent to a thread.
  checkStructure(image);
  const copy = <T>(array: T) => copyOf(array, caller.signal);
  const { width, height, channels, maxval, metadata, ...arrays } = image;
  const samples = await copy(arrays.samples);
  const palette = await copy(arrays.palette);
  const pieces = metadata?.map(async ({ type, place, data }) => ({ type, place, data: await copy(data) }));
  const input = { width, height, channels, maxval, samples, palette, metadata: pieces && (await Promise.all(pieces)) };
  return (await run({ operation: 'encode', input, options }, samples, caller)) as Uint8Array;
}

/** @param options without those of `caller` */
export async function decodeAbortably(bytes: Uint8Array, options: Options, caller: Caller): Promise<Image> {
  const input = await copyOf(bytes, caller.signal);
  return (await run({ operation: 'decode', input, options }, input, caller)) as Image;
}

/**
 * An array that may be given away: the caller keeps his own, and a view would take all of its buffer along. Nothing stays
 * nothing.
 */
async function copyOf<T>(array: T, signal: AbortSignal): Promise<T> {
  if (!(array instanceof Uint8Array || array instanceof Uint16Array)) return array;
  const copy = array instanceof Uint8Array ? new Uint8Array(array.length) : new Uint16Array(array.length);
  for (let at = 0; at < array.length; at += COPIED_AT_ONCE) {
    if (at > 0) await turn();
    signal.throwIfAborted();
    copy.set(array.subarray(at, at + COPIED_AT_ONCE), at);
  }
  return copy as T;
}

/**
 * Settles at once when the signal comes, else when the thread has ended; with it end those that it has begun.
 *
 * @param given of the call's input: its memory becomes the thread's
 */
function run(call: Call, given: ArrayBufferView, caller: Caller): Promise<Image | Uint8Array> {
  // Many calls may share the caller's signal, on which a listener of each would be taken for a leak.
  const signal = AbortSignal.any([caller.signal]);
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const transferList = ArrayBuffer.isView(given) ? [given.buffer as ArrayBuffer] : [];
    const thread = startThread('./call-worker.js', { workerData: call, transferList });
    /** How the call ended first: a result may be on its way when progress is told to one who throws. */
    let settle: (() => void) | undefined;
    const fail = (error: unknown) => {
      settle ??= () => reject(error);
      thread.terminate();
    };
    // The caller need not wait for the thread's end: a read from a device may hold that up.
    const stop = () => {
      reject(signal.reason);
      thread.terminate();
    };
    thread.on('message', (report: Report) => {
      if ('result' in report) settle ??= () => resolve(report.result);
      else if ('failure' in report) settle ??= () => reject(toError(report.failure));
      else if (!signal.aborted) tell(report.progress);
    });
    const tell = (progress: number) => {
      try {
        caller.onProgress?.(progress);
      } catch (error) {
        fail(error);
      }
    };
    thread.on('error', fail);
    thread.on('exit', () => {
      signal.removeEventListener('abort', stop);
      settle ??= () => reject(new Error('a thread ended too early'));
      settle();
    });
    signal.addEventListener('abort', stop);
  });
}
