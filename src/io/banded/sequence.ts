/** A file's bytes, one after the other. */
import type { Source } from '../../../codec/source.js';

/** Bytes that are read at once. */
const BLOCK = 1 << 18;

export class Sequence {
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

  /** The next bytes: fewer than `count` only at the end of the file. A view, or a copy. */
  async take(count: number): Promise<Uint8Array> {
    const first = await this.some(count);
    if (first.length === count || first.length === 0) return first;
    const out = new Uint8Array(count);
    out.set(first);
    for (let filled = first.length; ; ) {
      const more = await this.some(count - filled);
      if (more.length === 0) return out.subarray(0, filled);
      out.set(more, filled);
      filled += more.length;
      if (filled === count) return out;
    }
  }

  /** Some of the next bytes, one at least unless the file ends. */
  async some(most: number): Promise<Uint8Array> {
    if (this.#used === this.#block.length) {
      this.#block = await this.source.read(this.at, BLOCK);
      this.#used = 0;
    }
    const taken = this.#block.subarray(this.#used, this.#used + most);
    this.#used += taken.length;
    this.at += taken.length;
    return taken;
  }
}
