import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { modelParameters } from '../../models/definition.js';
import { randomBytes, randomIntegers } from '../../src/fuzz/random-bytes.js';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from '../../src/train/checkpoint.js';
import { SMALL } from './small.js';

const folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const numbers = (seed: number) =>
  Float32Array.from(randomBytes(modelParameters(SMALL).count, seed), (byte) => byte / 7);
const optimizer = { steps: 5, weights: numbers(1), first: numbers(2), second: numbers(3), average: numbers(4) };
const checkpoint: Checkpoint = {
  definition: SMALL,
  optimizer,
  random: 77,
  history: { runs: [], curve: [{ step: 5, pixels: 9, train: 3.5 }] },
  model: '0123456789abcdef',
};
const file = join(folder, 'm.cnfm.ckpt');
await writeCheckpoint(file, checkpoint);

test('a checkpoint comes back as it was', async () => {
  expect(await readCheckpoint(file, SMALL)).toEqual(checkpoint);
});

test('a checkpoint with one bit changed, or cut short, is refused', async () => {
  const whole = readFileSync(file);
  const random = randomIntegers(1);
  const damaged = { code: 'bad-input', message: `${file}: not a training checkpoint, or damaged` };
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(whole);
    bytes[i < 60 ? i : random(bytes.length)] ^= 1 << random(8);
    writeFileSync(file, bytes);
    await expect(readCheckpoint(file, SMALL)).rejects.toMatchObject(damaged);
    writeFileSync(file, whole.subarray(0, i < 60 ? i : random(whole.length)));
    await expect(readCheckpoint(file, SMALL)).rejects.toMatchObject(damaged);
  }
  writeFileSync(file, whole);
  await expect(readCheckpoint(file, { ...SMALL, hidden: 8 })).rejects.toMatchObject({
    message: `${file}: a checkpoint of another model definition`,
  });
  await expect(readCheckpoint(`${file}.gone`, SMALL)).rejects.toMatchObject({
    code: 'file',
    message: `${file}.gone: no such file or folder`,
  });
});
