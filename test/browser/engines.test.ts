import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { encodeImage } from '../../codec/codec.js';
import { check } from '../../src/engines/check.js';
import { decode } from '../../src/index.js';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url));
const task = { files: ['water-32x32.cnfz', 'tiny-5x3.cnfz'], models: ['fast'] };

test('the check of engines tells what is the same, what is other, and what fails', async () => {
  const good = await check(task, read);
  expect(good.files).toEqual({ 'water-32x32.cnfz': 'same', 'tiny-5x3.cnfz': 'same' });
  const checksums = Object.values(good.tiles);
  expect(checksums).toHaveLength(72);
  for (const checksum of checksums) expect(checksum).toMatch(/^[0-9a-f]{8}$/);
  // Where a tile has few sites, or an overflowing model has nothing to learn with, learning may change nothing.
  expect(new Set(checksums).size).toBeGreaterThan(checksums.length / 3);

  const other = await check(task, async (path) => {
    const bytes = Uint8Array.from(await read(path));
    if (path.endsWith('water-32x32.cnfz')) return encodeImage(await decode(bytes, { threads: 1 }), []);
    bytes[bytes.length - 1] ^= 1;
    return path.endsWith('tiny-5x3.cnfz') || path.endsWith('fast.cnfm') ? bytes : read(path);
  });
  expect(other.files['water-32x32.cnfz']).toMatch(/^encoded to \d+ other bytes/);
  expect(other.files['tiny-5x3.cnfz']).toMatch(/^failed: /);
  expect(other.tiles).not.toEqual(good.tiles);
});
