/** Memory for tiles and their payloads, one after the other: what is used once stays until it is looked for, which engines do late. */
import type { Layer } from './layer.js';

export class Rooms {
  readonly #free: ArrayBufferLike[] = [];

  /** @param make makes a room of so many bytes */
  constructor(private readonly make: (bytes: number) => ArrayBufferLike = (bytes) => new ArrayBuffer(bytes)) {}

  /** A room of so many bytes at least, in which something may be. It is to be given back. */
  take(bytes: number): ArrayBufferLike {
    const free = this.#free.pop();
    return free && free.byteLength >= bytes ? free : this.make(bytes);
  }

  give(room: ArrayBufferLike): void {
    this.#free.push(room);
  }

  /** Lets go of what was given back. */
  clear(): void {
    this.#free.length = 0;
  }
}

/** A room's first samples, of the type of others. */
export function samplesIn(room: ArrayBufferLike, count: number, others: Layer['samples']): Layer['samples'] {
  return others instanceof Uint16Array ? new Uint16Array(room, 0, count) : new Uint8Array(room, 0, count);
}
