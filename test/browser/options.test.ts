/** Options of `cnfzip/browser`, which are checked before any worker is started. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compress, decompress, open } from '../../src/browser/index.js';
import { fixture } from '../paths.js';

test.each([0, 9, 0.5, Number.NaN, '2'])('threads of %s are refused', async (threads) => {
  const options = { threads: threads as number };
  const file = readFileSync(fixture('house-253x191.cnfz'));
  const told = { code: 'usage', message: expect.stringMatching(/^option threads must be an integer from 1 to 8: /) };
  await expect(
    compress({ width: 1, height: 1, channels: 1, samples: new Uint8Array(1) }, options),
  ).rejects.toMatchObject(told);
  await expect(decompress(file, options)).rejects.toMatchObject(told);
  const opened = await open(file);
  await expect(opened.decode(options)).rejects.toMatchObject(told);
  await expect(opened.finer(options).next()).rejects.toMatchObject(told);
});
