/** A zlib stream that is fed piece by piece. */
import { createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';

export class ZlibPieces {
  #out: Uint8Array[] = [];
  readonly #failed: Promise<never>;

  constructor(private readonly stream: Deflate | Inflate) {
    stream.on('data', (piece: Uint8Array) => this.#out.push(piece));
    this.#failed = new Promise((_, reject) => stream.on('error', reject));
    // Whoever waits for a piece hears of it.
    this.#failed.catch(() => {});
  }

  /** As small a stream as there is. */
  static deflating(): ZlibPieces {
    return new ZlibPieces(createDeflate({ level: 9 }));
  }

  static inflating(): ZlibPieces {
    return new ZlibPieces(createInflate());
  }

  /** Bytes that were taken; an inflating stream takes none behind its end. */
  get taken(): number {
    return this.stream.bytesWritten;
  }

  /** @returns what came out of it */
  async push(piece: Uint8Array): Promise<Uint8Array[]> {
    await this.#wait((done) => this.stream.write(piece, done));
    return this.#out.splice(0);
  }

  /** @returns the rest */
  async end(): Promise<Uint8Array[]> {
    await this.#wait((done) => {
      if (this.stream.readableEnded) done();
      else this.stream.once('end', done);
      this.stream.end();
    });
    return this.#out.splice(0);
  }

  close(): void {
    this.stream.destroy();
  }

  #wait(begin: (done: () => void) => void): Promise<void> {
    return Promise.race([new Promise<void>((resolve) => begin(() => resolve())), this.#failed]);
  }
}
