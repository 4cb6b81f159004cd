import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const pages = ['README.md', ...readdirSync(root('docs'), { recursive: true }).map((page) => `docs/${page}`)];
const examples = pages
  .filter((page) => page.endsWith('.md'))
  .flatMap((page) =>
    [...readFileSync(root(page), 'utf8').matchAll(/^```(?:js|ts)\n(.*?)^```/gms)].map(([, code]) => ({ page, code })),
  );

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cnfzip-test-'));
  copyFileSync(root('fixtures/river-160x120.png'), join(folder, 'photo.png'));
  copyFileSync(root('fixtures/river-160x120.cnfz'), join(folder, 'photo.cnfz'));
  copyFileSync(root('models/fast.cnfm'), join(folder, 'mine.cnfm'));
});

afterAll(() => rmSync(folder, { recursive: true }));

test('there are examples', () => expect(examples.length).toBeGreaterThan(8));

test.each(examples)('an example of $page runs: $code', ({ code }) => {
  const modules: Record<string, string> = {
    cnfzip: new URL('../../dist/src/index.js', import.meta.url).href,
    'cnfzip/codec': new URL('../../dist/src/codec.js', import.meta.url).href,
    'cnfzip/cnf': new URL('../../dist/src/cnf/index.js', import.meta.url).href,
    '@tensorflow/tfjs-core': import.meta.resolve('@tensorflow/tfjs-core'),
    sharp: import.meta.resolve('sharp'),
  };
  const script = code.replace(/ from '([^']+)'/g, (all, name) => (modules[name] ? ` from '${modules[name]}'` : all));
  writeFileSync(join(folder, 'example.mjs'), script);
  const { status, stderr, stdout } = spawnSync(process.execPath, ['example.mjs'], { cwd: folder });
  expect(stderr.toString()).toBe('');
  expect(status).toBe(0);
  expect(stdout.toString()).not.toMatch(/\bfalse\b/);
});
