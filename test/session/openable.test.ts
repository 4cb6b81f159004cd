/** What `open` and `createArchive` are given by mistake, or by another of its names. */
import { createReadStream } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { createArchive, open } from '../../src/index.js';
import { fixture } from '../paths.js';

test('errors are of this library, whatever fails', async () => {
  await expect(open(createReadStream('/nope'))).rejects.toMatchObject({ name: 'CnfzipError', code: 'file' });
  await expect(open(new URL('file:///nope'))).rejects.toMatchObject({ name: 'CnfzipError', code: 'file' });
  for (const given of [undefined, null, 5, {}]) {
    await expect(createArchive(given as never)).rejects.toMatchObject({ name: 'CnfzipError', code: 'usage' });
  }
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(3);
    throw new RangeError('mine');
  }
  await expect(open(broken())).rejects.toThrow(RangeError);
});

test('a file: URL is a path', async () => {
  const file = await open(pathToFileURL(fixture('water-32x32.cnfz')));
  expect(file.info).toMatchObject({ width: 32, height: 32 });
  await file.close();
});
