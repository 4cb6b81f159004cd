/** Files of lines that only ever grow. */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileError } from './errors.js';
import { makeFolder, syncFolder } from './folders.js';

export class LineWriter {
  readonly #handle: FileHandle;

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
   * Adds a line, which is on the disk when this returns.
   *
   * @throws CnfzipError `file`
   */
  async add(line: string): Promise<void> {
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
