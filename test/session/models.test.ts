import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { SHIPPED } from '../../models/build/catalogue.js';
import { loadModel, modelForDecoding, modelsForEncoding, shippedName } from '../../src/session/models.js';
import { untrainedModel, untrainedModelFile } from '../codec/untrained.js';

const folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
const path = join(folder, 'model.cnfm');
writeFileSync(path, untrainedModelFile(3));
const model = await untrainedModel(3);

afterAll(() => rmSync(folder, { recursive: true }));

test.each([1, 3] as const)('the shipped default for %i channels is found by name and by hash', async (channels) => {
  const [shipped] = await modelsForEncoding(channels);
  expect(shipped.definition.channels).toBe(channels);
  expect(await modelsForEncoding(channels, 'default')).toEqual([shipped]);
  expect(await modelForDecoding(shipped.hash)).toBe(shipped);
  expect(await modelForDecoding(shipped.hash, model)).toBe(shipped);
});

test('the catalogue says what the shipped files are', async () => {
  const models = new URL('../../models/', import.meta.url);
  const files = readdirSync(models).filter((file) => file.endsWith('.cnfm'));
  expect(files).toEqual(Object.keys(SHIPPED).map((name) => `${name}.cnfm`));
  for (const [name, { hash, channels }] of Object.entries(SHIPPED)) {
    const model = await loadModel(fileURLToPath(new URL(`${name}.cnfm`, models)));
    expect(model).toMatchObject({ name, hash, definition: { channels } });
    expect(shippedName(hash)).toBe(name);
  }
  expect(shippedName('0011223344556677')).toBeUndefined();
});

test('a model in a file of its own is found by path', async () => {
  expect(await modelsForEncoding(3, path)).toEqual([model]);
  expect(await modelsForEncoding(3, model)).toEqual([model]);
  const gray = await untrainedModel(1);
  const [colour, alpha] = await modelsForEncoding(4, gray);
  expect([colour.name, alpha]).toEqual(['default', gray]);
  expect(await modelForDecoding(model.hash, path)).toEqual(model);
});

test('what cannot be found or used is named', async () => {
  const hash = '0011223344556677';
  await expect(modelsForEncoding(3, 'none')).rejects.toMatchObject({
    code: 'unknown-model',
    message: expect.stringMatching(/no model none; shipped are: best, cifar10, default, fast, gray/),
  });
  await expect(modelForDecoding(hash)).rejects.toMatchObject({
    code: 'unknown-model',
    message: expect.stringContaining(hash),
  });
  await expect(modelForDecoding(hash, path)).rejects.toMatchObject({ code: 'unknown-model' });
  await expect(loadModel(join(folder, 'none.cnfm'))).rejects.toMatchObject({
    code: 'file',
    message: expect.stringMatching(/^model .*none\.cnfm: no such file/),
  });
  writeFileSync(join(folder, 'cut.cnfm'), untrainedModelFile(3).subarray(0, 500));
  await expect(loadModel(join(folder, 'cut.cnfm'))).rejects.toMatchObject({ code: 'bad-model' });
});
