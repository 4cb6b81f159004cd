/**
 * What a decoder of the format must give (see `docs/format.md`): of the files in `fixtures/` the SHA-256 of their samples at three scales.
 * They do not depend on the format's version: only `RENEW_CONFORMANCE=yes npx vitest run test/codec/conformance.test.ts`, for other images,
 * writes them anew.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { open } from '../../src/index.js';

const FIXTURES = new URL('../../fixtures/', import.meta.url);
const HASHES = new URL('conformance.json', FIXTURES);
const SCALES = { '1': 1, '1/2': 1 / 2, '1/4': 1 / 4 };

test('all files decode to the samples whose hashes are told', { timeout: 120_000 }, async () => {
  const found: Record<string, object> = {};
  for (const name of readdirSync(FIXTURES).filter((file) => file.endsWith('.cnfz'))) {
    const file = await open(fileURLToPath(new URL(name, FIXTURES)), { threads: 1 });
    const sha256: Record<string, string> = {};
    for (const [label, scale] of Object.entries(SCALES)) {
      const { samples } = await file.decode({ scale });
      const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
      sha256[label] = createHash('sha256').update(bytes).digest('hex');
    }
    await file.close();
    const { width, height, channels, maxval } = file.info;
    found[name] = { width, height, channels, maxval, sha256 };
  }
  if (process.env.RENEW_CONFORMANCE === 'yes') writeFileSync(HASHES, `${JSON.stringify(found, null, 2)}\n`);
  expect(found).toEqual(JSON.parse(readFileSync(HASHES, 'utf8')));
});
