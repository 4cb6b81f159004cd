/** A file's bytes, one after the other. */
import type { Source } from '../../../codec/source.js';

/** Bytes that are read at once. */
export const BLOCK = 1 << 18;

export class Sequence {
  readonly #room = new Uint8Array(BLOCK);
  #block: Uint8Array = new Uint8Array();
  #used = 0;
  /** Of the next byte. */
  at: number;

  constructor(
    private readonly source: Source,
    from = 0,
  ) {
    this.at = from;
  }

  /** The next bytes: fewer than `count` only at the end of the file. */
  async take(count: number): Promise<Uint8Array> {
    const out = new Uint8Array(count);
    return out.subarray(0, await this.fill(out));
  }

  /** Takes as many of the next bytes as there is room for; returns how many, fewer only at the end of the file. */
  async fill(room: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < room.length) {
      const more = await this.some(room.length - filled);
      if (more.length === 0) break;
      room.set(more, filled);
      filled += more.length;
    }
    return filled;
  }

  /** Some of the next bytes, one at least unless the file ends. They are void when the next are asked for. */
  async some(most: number): Promise<Uint8Array> {
    if (this.#used === this.#block.length) {
      const { source } = this;
      this.#block = source.readInto
        ? this.#room.subarray(0, await source.readInto(this.at, this.#room))
        : await source.read(this.at, BLOCK);
      this.#used = 0;
    }
    const taken = this.#block.subarray(this.#used, this.#used + most);
    this.#used += taken.length;
    this.at += taken.length;
    return taken;
  }
}
