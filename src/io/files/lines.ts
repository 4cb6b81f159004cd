/** Files of lines that only ever grow. */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileError } from './errors.js';
import { makeFolder, syncFolder } from './folders.js';

/**
 * The lines of a file, which may be longer than a string can be.
 *
 * @throws CnfzipError `file`
 */
export async function* readLines(path: string): AsyncGenerator<string, void, undefined> {
  try {
    const handle = await open(path, 'r');
    let rest = '';
    // Not Node's readline, for which characters of a file's name may end a line.
    for await (const piece of handle.createReadStream({ encoding: 'utf8' })) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop()!;
      yield* lines;
    }
    yield rest;
  } catch (error) {
    throw fileError(error);
  }
}

export class LineWriter {
  readonly #handle: FileHandle;
  /** The line that was added last, written or not. */
  #last: Promise<void> = Promise.resolve();

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** @throws CnfzipError `file` */
  static async open(path: string): Promise<LineWriter> {
    await makeFolder(dirname(path));
    try {
      const handle = await open(path, 'a');
      await syncFolder(dirname(path));
      // Ends what a process that was killed may have left without an end.
      if ((await handle.stat()).size > 0) await handle.appendFile('\n');
      return new LineWriter(handle);
    } catch (error) {
      throw fileError(error);
    }
  }

  /**
   * Adds a line, which is on the disk when this returns. Lines may be added beside each other: they are written one after the other.
   *
   * @throws CnfzipError `file`
   */
  async add(line: string): Promise<void> {
    const before = this.#last.catch(() => {});
    this.#last = before.then(() => this.#write(line));
    return this.#last;
  }

  async #write(line: string): Promise<void> {
    try {
      await this.#handle.appendFile(`${line}\n`);
      await this.#handle.sync();
    } catch (error) {
      throw fileError(error);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
