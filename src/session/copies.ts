/** Copies that may be given away to a thread: the caller keeps his own, and a view would take all of its buffer along. */
import { setImmediate as turn } from 'node:timers/promises';
import { checkMembers, type Image, type Metadata } from '../../codec/image.js';

/** Elements that are copied between two turns of the event loop: fresh memory costs up to 3 ms a megabyte. */
const COPIED_AT_ONCE = 2 ** 24;

/** @throws CnfzipError `bad-input`, `unsupported` as `checkMembers`; the signal's reason */
export async function copyOfImage(image: Image, signal?: AbortSignal): Promise<Image> {
  checkMembers(image);
  const copyPiece = async ({ type, place, data }: Metadata) => ({ type, place, data: await copyOf(data, signal) });
  const { width, height, channels, maxval, palette, metadata } = image;
  return {
    width,
    height,
    channels,
    maxval,
    samples: await copyOf(image.samples, signal),
    palette: palette && (await copyOf(palette, signal)),
    metadata: metadata && (await Promise.all(metadata.map(copyPiece))),
  };
}

/** @throws the signal's reason */
export async function copyOf<T extends Uint8Array | Uint16Array>(array: T, signal?: AbortSignal): Promise<T> {
  const copy = array instanceof Uint8Array ? new Uint8Array(array.length) : new Uint16Array(array.length);
  for (let at = 0; at < array.length; at += COPIED_AT_ONCE) {
    if (at > 0) await turn();
    signal?.throwIfAborted();
    copy.set(array.subarray(at, at + COPIED_AT_ONCE), at);
  }
  return copy as T;
}
