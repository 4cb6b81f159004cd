/**
 * `encode` and `decode` that a signal ends at once. What codes an image blocks its thread for seconds, in which no signal is
 * seen: such a call has a thread of its own, which is ended together with those that it has begun.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { checkMembers, type Image, type Metadata } from '../codec/image.js';
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

type Samples = Image['samples'];

/** Elements that are copied between two turns of the event loop: fresh memory costs up to 3 ms a megabyte. */
const COPIED_AT_ONCE = 2 ** 24;

/**
 * @param options without those of `caller`
 * @throws CnfzipError as `encode`
 */
export async function encodeAbortably(
  image: Image,
  options: Options,
  caller: Caller,
): Promise<Uint8Array<ArrayBuffer>> {
  checkMembers(image);
  const copy = <T extends Samples>(array: T) => copyOf(array, caller.signal);
  const copyPiece = async ({ type, place, data }: Metadata) => ({ type, place, data: await copy(data) });
  const { width, height, channels, maxval, palette, metadata } = image;
  const input: Image = {
    width,
    height,
    channels,
    maxval,
    samples: await copy(image.samples),
    palette: palette && (await copy(palette)),
    metadata: metadata && (await Promise.all(metadata.map(copyPiece))),
  };
  return (await run({ operation: 'encode', input, options }, input.samples, caller)) as Uint8Array<ArrayBuffer>;
}

/** @param options without those of `caller` */
export async function decodeAbortably(bytes: Uint8Array, options: Options, caller: Caller): Promise<Image> {
  const input = await copyOf(bytes, caller.signal);
  return (await run({ operation: 'decode', input, options }, input, caller)) as Image;
}

/** An array that may be given away: the caller keeps his own, and a view would take all of its buffer along. */
async function copyOf<T extends Samples>(array: T, signal: AbortSignal): Promise<T> {
  const copy = array instanceof Uint8Array ? new Uint8Array(array.length) : new Uint16Array(array.length);
  for (let at = 0; at < array.length; at += COPIED_AT_ONCE) {
    if (at > 0) await turn();
    signal.throwIfAborted();
    copy.set(array.subarray(at, at + COPIED_AT_ONCE), at);
  }
  return copy as T;
}

/**
 * Settles at once when the signal comes or `onProgress` throws, else when the thread has ended; with it end those that it has
 * begun.
 *
 * @param given of the call's input: its memory becomes the thread's
 */
function run(call: Call, given: Samples, caller: Caller): Promise<Image | Uint8Array> {
  // Many calls may share the caller's signal, on which a listener of each would be taken for a leak.
  const signal = AbortSignal.any([caller.signal]);
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const transferList = [given.buffer as ArrayBuffer];
    const thread = startThread(new URL('./call-worker.js', import.meta.url), { workerData: call, transferList });
    let settle = () => reject(new Error('a thread ended too early'));
    let failed = false;
    // The caller need not wait for the thread's end: a read from a device may hold that up.
    const fail = (error: unknown) => {
      failed = true;
      reject(error);
      thread.terminate();
    };
    const stop = () => fail(signal.reason);
    const tell = (progress: number) => {
      try {
        caller.onProgress?.(progress);
      } catch (error) {
        fail(error);
      }
    };
    thread.on('message', (report: Report) => {
      if ('result' in report) settle = () => resolve(report.result);
      else if ('failure' in report) settle = () => reject(toError(report.failure));
      else if (!failed) tell(report.progress);
    });
    thread.on('error', fail);
    thread.on('exit', () => {
      signal.removeEventListener('abort', stop);
      settle();
    });
    signal.addEventListener('abort', stop);
  });
}
